package config

import (
	"slices"
	"strings"
	"testing"
)

func TestStrangers(t *testing.T) {
	known := []string{"TALLYMAN_FILES", "TALLYMAN_DATABASE", "TALLYMAN_DATABASE_FILE", "TALLYMAN_WORKERS", "TALLYMAN_WORKERS_PER_IMPORT"}
	for _, c := range []struct{ entry, want string }{
		{"TALLYMAN_WORKERZ=hidden", "TALLYMAN_WORKERZ is none of this program's, and sets nothing; is TALLYMAN_WORKERS meant?"},
		{"TALLYMAN_FILE=hidden", "; is TALLYMAN_FILES meant?"},
		{"TALLYMAN_DATABASEFILE=hidden", "; is TALLYMAN_DATABASE_FILE meant?"},
		{"TALLYMAN_COLOUR=hidden", "sets nothing."},
		{"TALLYMAN_FILES=x", ""},
		{"TALLYMAN_DATABASE_FILE=x", ""},
		{"TALLYMAN_TEST_KILL=x", ""},
		{"HOME=x", ""},
		{"TALLYMAN_SERVICE_HOST=10.0.0.1", ""},
		{"TALLYMAN_SERVICE_PORT_HTTP=80", ""},
		{"TALLYMAN_PORT=tcp://10.0.0.1:80", ""},
		{"TALLYMAN_PORT_80_TCP_ADDR=10.0.0.1", ""},
	} {
		got := strings.Join(Strangers([]string{c.entry}, known), "\n")
		if c.want == "" && got != "" || !strings.Contains(got, c.want) || strings.Contains(got, "hidden") {
			t.Errorf("%s: %q, want %q", c.entry, got, c.want)
		}
	}
	two := Strangers([]string{"TALLYMAN_B=1", "TALLYMAN_A=1"}, known)
	if len(two) != 2 || !slices.IsSorted(two) {
		t.Errorf("two of them: %q", two)
	}
}
