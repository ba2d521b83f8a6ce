package postgres

import (
	"net"
	"net/url"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"

	"tallyman/internal/store/postgres/pgtest"
)

// TestOpenSaysWhatToDo refuses connections in every way that an operator meets.
func TestOpenSaysWhatToDo(t *testing.T) {
	good := pgtest.New(t)
	db := openURL(t, good)
	for _, q := range []string{
		"CREATE ROLE powerless LOGIN PASSWORD 'geheim'", "CREATE ROLE crowded LOGIN CONNECTION LIMIT 0",
		"CREATE ROLE reading LOGIN", "ALTER ROLE reading SET default_transaction_read_only = on", "GRANT CREATE ON SCHEMA public TO reading",
	} {
		if _, err := db.engine.Exec(t.Context(), q); err != nil {
			t.Fatal(err)
		}
	}
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	at := func(base string, change func(u *url.URL, q url.Values)) string {
		u, err := url.Parse(base)
		if err != nil {
			t.Fatal(err)
		}
		q := u.Query()
		u.User = url.UserPassword(u.User.Username(), "geheim")
		change(u, q)
		u.RawQuery = q.Encode()
		return u.String()
	}
	as := func(user string) func(*url.URL, url.Values) {
		return func(u *url.URL, _ url.Values) { u.User = url.UserPassword(user, "geheim") }
	}
	empty := pgtest.New(t)
	for name, c := range map[string]struct{ url, want string }{
		"database": {at(good, func(u *url.URL, _ url.Values) { u.Path = "/nowhere" }), "createdb"},
		"role":     {at(good, as("nobody_at_all")), "createuser"},
		"right":    {at(empty, as("powerless")), "GRANT"},
		"crowd":    {at(good, as("crowded")), "max_connections"},
		"readonly": {at(empty, as("reading")), "standby"},
		"refused":  {at(good, func(u *url.URL, _ url.Values) { u.Host = "127.0.0.1:1" }), "nothing listens at 127.0.0.1:1"},
		"host":     {at(good, func(u *url.URL, _ url.Values) { u.Host = "nowhere.invalid" }), `no host "nowhere.invalid"`},
		"silence": {at(good, func(u *url.URL, q url.Values) {
			u.Host = silent.Addr().String()
			q.Set("connect_timeout", "1")
		}), "does not answer in time"},
		"tls": {at(good, func(_ *url.URL, q url.Values) { q.Set("sslmode", "require") }), "speaks no TLS"},
	} {
		// The first try of prefer is one that fails for another reason.
		for _, mode := range []string{"disable", "prefer"} {
			address := c.url
			if name != "tls" {
				address = at(c.url, func(u *url.URL, q url.Values) {
					u.User = mustURL(t, c.url).User
					q.Set("sslmode", mode)
				})
			}
			db, err := Open(t.Context(), address, Options{})
			if err == nil {
				db.Close()
				t.Errorf("%s, %s: it was opened", name, mode)
				continue
			}
			text := err.Error()
			if !strings.Contains(text, c.want) || strings.Contains(text, "geheim") || strings.Contains(text, "\n") || strings.Contains(text, "failed to connect") {
				t.Errorf("%s, %s: %q", name, mode, text)
			}
			if strings.Contains(text, "TLS") && name != "tls" {
				t.Errorf("%s, %s: TLS is not the reason: %q", name, mode, text)
			}
		}
	}
}

func mustURL(t *testing.T, text string) *url.URL {
	t.Helper()
	u, err := url.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

func TestAWrongPasswordSaysWhereItIsSet(t *testing.T) {
	err := inWords(&pgconn.PgError{Code: "28P01", Message: `password authentication failed for user "x"`})
	if !strings.Contains(err.Error(), "TALLYMAN_DATABASE_FILE") {
		t.Errorf("got %v", err)
	}
}
