//go:build !race

package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// hidden is the secret of every address in these tests.
const hidden = "geheim"

// sayings is all that a command says, and its exit code.
func sayings(t *testing.T, args ...string) (said string, code int) {
	t.Helper()
	var out bytes.Buffer
	p := &program{stdin: strings.NewReader(""), stdout: &out, stderr: &out, now: time.Now}
	code = p.run(t.Context(), args)
	return out.String(), code
}

// commandsThatOpen are commands of all kinds, which open a database and its files.
func commandsThatOpen(t *testing.T) [][]string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "items.csv")
	if err := os.WriteFile(file, []byte("sku,title\nA-1,One\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return [][]string{{"doctor"}, {"migrate"}, {"migrate", "--check"}, {"keys", "list"}, {"import", file}, {"dump"}}
}

// No address of a database shows what is secret in it, wherever that stands and
// whatever is wrong with it; and no command works with one.
func TestDatabaseAddressesStaySecret(t *testing.T) {
	server := sharedGround(t).database
	if !strings.Contains(server, "?") {
		server += "?application_name=tallyman"
	}
	addresses := []string{
		// An @, a slash, a question mark and the like in a password, not escaped.
		"postgres://u:a@geheim@127.0.0.1:1/db",
		"postgres://u:geheim@a@127.0.0.1:1/db",
		"postgres://u:a/geheim@127.0.0.1:1/db",
		"postgres://u:a?geheim@127.0.0.1:1/db",
		"postgres://u:a#geheim@127.0.0.1:1/db",
		"postgres://u:a:geheim@127.0.0.1:1/db",
		"postgres://u:a%zzgeheim@127.0.0.1:1/db",
		"postgres://u:geheim%40127.0.0.1:1/db",
		"postgres://u:1@127.0.0.1:1/db@geheim",
		"postgres://127.0.0.1:geheim/db",
		"postgres://u:geheim@[::1/db",
		" postgres://u:geheim@127.0.0.1:1/db",
		"Postgres://u:geheim@127.0.0.1:1/db",
		"postgres:/u:geheim@127.0.0.1:1/db",
		"postgres//u:geheim@127.0.0.1:1/db",
		"mysql://u:geheim@127.0.0.1:1/db",
		"mysql://u:a@geheim@127.0.0.1:1/db",
		"postgres://u:geheim@127.0.0.1:1/db",
		"postgres://u@127.0.0.1:1/db?password=geheim",
		// Settings that are none.
		"postgres://u:p@127.0.0.1:1/db?sslmode=geheim",
		"postgres://u:p@127.0.0.1:1/db?connect_timeout=geheim",
		"postgres://u:p@127.0.0.1:1/db?target_session_attrs=geheim",
		"postgres://u:p@127.0.0.1:1/db?sslrootcert=/geheim",
		"postgres://u:p@127.0.0.1:1/db?min_protocol_version=geheim",
		"postgres://u:p@127.0.0.1:1/db?channel_binding=geheim",
		"postgres://u:p@127.0.0.1:1/db?require_auth=geheim",
		"postgres://u:p@127.0.0.1:1/db?service=geheim&servicefile=/nowhere",
		"postgres://u:p@127.0.0.1:1/db?pool_max_conns=geheim",
		"postgres://u:p@127.0.0.1:1/db?pool_ping_timeout=geheim",
		"postgres://u:p@127.0.0.1:1/db?default_query_exec_mode=geheim",
		"postgres://u:p@127.0.0.1:1/db?statement_cache_capacity=geheim",
		"postgres://u:p@127.0.0.1:1/db?%zz=geheim",
		"postgres://u:p@127.0.0.1:1/postgres:%2F%2Fu:geheim%40h",
		// Lists of words.
		"host=127.0.0.1 port=1 user=u password = geheim sslmode=bogus",
		"host=127.0.0.1 port=1 user=u password='geheim sslmode=bogus",
		"host=127.0.0.1 port=1 user=u password=ge\\ geheim sslmode=bogus",
		"host=127.0.0.1 port=1 user=u password=a geheim",
		"host=127.0.0.1 port=geheim",
		"host=u:geheim@127.0.0.1 port=1",
		"host=u:geheim port=1",
		"host=127.0.0.1 port=1 dbname=postgres://u:geheim@h/db",
		"password=geheim",
		"geheim",
		// What the server says of settings that it does not know.
		server + "&options=-c%20geheim%3D1",
		server + "&options=--geheim",
		server + "&geheim=1",
		server + "&search_path=a&client_encoding=geheim",
		server + "&timezone=geheim",
	}
	t.Setenv("PGCONNECT_TIMEOUT", "2")
	commands := commandsThatOpen(t)
	for _, address := range addresses {
		for _, command := range commands {
			args := append(command, "--data", t.TempDir(), "--database="+address)
			said, code := sayings(t, args...)
			if code == exitComplete || said == "" {
				t.Errorf("%s on %s: exit code %d", command[0], address, code)
			}
			if strings.Contains(said, hidden) {
				t.Errorf("%s on %s says:\n%s", command, address, said)
			}
		}
	}
	// The same from the environment.
	for _, address := range addresses[:4] {
		t.Setenv("TALLYMAN_DATABASE", address)
		if said, code := sayings(t, "doctor", "--data", t.TempDir()); code == exitComplete || strings.Contains(said, hidden) {
			t.Errorf("doctor on %s: exit code %d\n%s", address, code, said)
		}
	}
}

// What is wrong with an address is said in words.
func TestWrongAddressesAreNamed(t *testing.T) {
	for address, want := range map[string]string{
		"postgres://u:a@geheim@127.0.0.1:1/db":                 "write @ as %40",
		"postgres://u:p@127.0.0.1:1/db?sslmode=geheim":         "sslmode",
		"postgres://u:p@127.0.0.1:1/db?connect_timeout=geheim": "connect_timeout",
		"postgres://u:p@127.0.0.1:geheim/db":                   "its port",
		"postgres://u:p@127.0.0.1:1/db?sslrootcert=/geheim":    "sslrootcert",
		"postgres://u:p@127.0.0.1:1/db?pool_max_conns=geheim":  "pool_max_conns",
		"host=127.0.0.1 user=u password=a geheim":              "password=PASSWORD",
		"postgres://u:p@127.0.0.1:1/db":                        "127.0.0.1:1/db",
	} {
		said, _ := sayings(t, "nodes", "--database="+address)
		if !strings.Contains(said, want) || strings.Contains(said, "cannot parse") {
			t.Errorf("%s: it says\n%s\nand not %q", address, said, want)
		}
	}
}

// Credentials in the address of a bucket are refused and not shown.
func TestFilesAddressesStaySecret(t *testing.T) {
	commands := commandsThatOpen(t)
	for _, address := range []string{
		"s3://AK:geheim@bucket", "s3://geheim@bucket/prefix", "s3://AK:ge/geheim@bucket", "s3://AK:ge?geheim@bucket", "s3://AK:ge#geheim@bucket",
		"s3://AK:geheim%40bucket", "s3://bucket?endpoint=http://AK:geheim@127.0.0.1:1", "s3://bucket?endpoint=http%3A%2F%2FAK%3Ageheim%40127.0.0.1%3A1",
		"s3://bucket/AK:geheim@x", "s3://bucket?secret_key=geheim", "s3://bucket?part_mib=5&x=geheim", "s3://bucket/%zzgeheim",
		"S3://AK:geheim@bucket", "gs://AK:geheim@bucket", "gs://bucket?key=geheim", "http://AK:geheim@host/bucket",
		"s3:/AK:geheim@bucket", "s3:AK:geheim@bucket", "S3:geheim",
	} {
		for _, command := range commands {
			data := t.TempDir()
			said, _ := sayings(t, append(command, "--data", data, "--files="+address)...)
			if strings.Contains(said, hidden) {
				t.Errorf("%s with %s says:\n%s", command, address, said)
			}
		}
		for _, flag := range []string{"--files=", "--from-files="} {
			said, code := sayings(t, "move", "--data", t.TempDir(), "--database=postgres://u@127.0.0.1:1/db", flag+address)
			if code != exitOther || strings.Contains(said, hidden) {
				t.Errorf("move with %s%s: exit code %d\n%s", flag, address, code, said)
			}
		}
	}
}

// A collector's address may have a secret in its path.
func TestCollectorsStaySecret(t *testing.T) {
	data := t.TempDir()
	t.Setenv("TALLYMAN_OTLP_ENDPOINT", "http://127.0.0.1:1/geheim")
	for _, command := range commandsThatOpen(t) {
		said, _ := sayings(t, append(command, "--data", data)...)
		if strings.Contains(said, hidden) {
			t.Errorf("%s says:\n%s", command, said)
		}
	}
	t.Setenv("TALLYMAN_OTLP_ENDPOINT", "http://127.0.0.1:1/geheim?x")
	if said, code := sayings(t, "doctor", "--data", data); code != exitOther || strings.Contains(said, hidden) {
		t.Errorf("doctor: exit code %d\n%s", code, said)
	}
}

// OpenTelemetry's own variables hold secrets as well. What cannot be read of them is
// refused, for its exporter would write it out. It does so to the process's standard
// error, so these are programs of their own.
func TestOpenTelemetrysVariablesStaySecret(t *testing.T) {
	for _, c := range []struct{ name, value string }{
		{"OTEL_EXPORTER_OTLP_ENDPOINT", "http://u:%zzgeheim@127.0.0.1:1"},
		{"OTEL_EXPORTER_OTLP_ENDPOINT", "127.0.0.1:1/geheim"},
		{"OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:1/%zzgeheim"},
		{"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://u:geheim"},
		{"OTEL_EXPORTER_OTLP_HEADERS", "geheim"},
		{"OTEL_EXPORTER_OTLP_HEADERS", "a=b,api key=geheim"},
		{"OTEL_EXPORTER_OTLP_TRACES_HEADERS", "authorization=geheim%"},
	} {
		cmd := exec.CommandContext(t.Context(), "tallyman", "import", commandsThatOpen(t)[4][1], "--quiet", "--data", t.TempDir())
		cmd.Env = append(os.Environ(), "OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:1", c.name+"="+c.value)
		said, err := cmd.CombinedOutput()
		if err == nil || !strings.Contains(string(said), c.name) || strings.Contains(string(said), hidden) {
			t.Errorf("with %s=%s: %v\n%s", c.name, c.value, err, said)
		}
	}
}
