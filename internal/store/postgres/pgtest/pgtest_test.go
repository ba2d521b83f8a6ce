package pgtest

import (
	"testing"

	"github.com/jackc/pgx/v5"
)

// What a server answered before it was killed is there when it has started again.
func TestKilledServerComesBack(t *testing.T) {
	s, err := Start(Options{Settings: []string{"synchronous_commit = on"}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Stop(); err != nil {
			t.Error(err)
		}
	})
	url := s.New(t)
	for round := range 3 {
		c, err := pgx.Connect(t.Context(), url)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := c.Exec(t.Context(), "CREATE TABLE IF NOT EXISTS kept (round int)"); err != nil {
			t.Fatal(err)
		}
		if _, err := c.Exec(t.Context(), "INSERT INTO kept VALUES ($1)", round); err != nil {
			t.Fatal(err)
		}
		if err := s.Kill(); err != nil {
			t.Fatal(err)
		}
		for c.Ping(t.Context()) == nil { // what it had begun may end first
		}
		c.Close(t.Context())
		if err := s.Restart(); err != nil {
			t.Fatal(err)
		}
	}
	c, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close(t.Context())
	var rows int
	if err := c.QueryRow(t.Context(), "SELECT count(*) FROM kept").Scan(&rows); err != nil || rows != 3 {
		t.Errorf("%d rows, %v; want 3", rows, err)
	}
}
