package postgres

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// place names a database: its server and its name, never who asks, nor anything
// else of the address.
func place(c *pgx.ConnConfig) string {
	name := c.Database
	if strings.ContainsAny(name, "@:=?&/ ") {
		name = "…" // more of an address stands in it than a name
	}
	return net.JoinHostPort(c.Host, strconv.Itoa(int(c.Port))) + "/" + name
}

// checkHosts refuses a host that part of a password stands in.
func checkHosts(c *pgx.ConnConfig) error {
	hosts := []string{c.Host}
	for _, f := range c.Fallbacks {
		hosts = append(hosts, f.Host)
	}
	for _, h := range hosts {
		ip, _, _ := strings.Cut(h, "%") // the zone of an address
		socket := strings.HasPrefix(h, "/") || strings.HasPrefix(h, "@")
		if strings.LastIndex(h, "@") > 0 || strings.Contains(h, ":") && !socket && net.ParseIP(ip) == nil {
			return errors.New("read the database's address: its host holds an @ or a colon; in a user or password, write @ as %40 and : as %3A")
		}
	}
	return nil
}

// parts are what the driver says it cannot read, and what that is for people. Its
// own sentences quote the address.
var parts = []struct{ mark, words string }{
	{"invalid port", "its port is no number of 1 to 65535; in a user or password, write : / ? # @ as %3A %2F %3F %23 %40"},
	{"could not match", "it does not have one port for each host"},
	{"failed to configure TLS", "sslmode, sslnegotiation, sslcert, sslkey or sslrootcert is not as it should be"},
	{"invalid sslcertmode", "sslcertmode is none there is"},
	{"invalid connect_timeout", "connect_timeout is no number of seconds"},
	{"target_session_attrs", "target_session_attrs is none there is"},
	{"protocol_version", "min_protocol_version or max_protocol_version is none there is"},
	{"channel_binding", "channel_binding is none there is"},
	{"require_auth", "require_auth is none there is"},
	{"failed to read service", "its service cannot be read from the service file"},
	{"default_query_exec_mode", "default_query_exec_mode is none there is"},
	{"cache_capacity", "statement_cache_capacity or description_cache_capacity is no number"},
	{"pool_max_conns", "pool_max_conns is no number above zero"},
	{"pool_", "one of its pool_… settings is no number, or no time such as 30s"},
	{"failed to parse as URL", "it is no URL such as postgres://user:password@host:5432/tallyman; in a user or password, write : / ? # @ % as %3A %2F %3F %23 %40 %25"},
	{"failed to parse as keyword/value", "it is no list such as host=HOST user=USER password=PASSWORD dbname=NAME; values with blanks stand in '…'"},
}

// unreadable says which part of an address the driver cannot read.
func unreadable(err error) error {
	words := "it cannot be read"
	text := err.Error()
	text = text[strings.LastIndex(text, "`: ")+1:] // behind the address
	for _, p := range parts {
		if strings.Contains(text, p.mark) {
			words = p.words
			break
		}
	}
	if _, ok := errors.AsType[*fs.PathError](err); ok {
		words = "a file that it names (sslcert, sslkey, sslrootcert or servicefile) cannot be read"
	}
	return fmt.Errorf("read the database's address: %s", words)
}

// unconnected is why no connection was made, without what the driver and the
// server quote of the address.
type unconnected struct {
	words string
	err   error
}

func (u *unconnected) Error() string { return u.words }
func (u *unconnected) Unwrap() error { return u.err }

// explained rewords the error of a connection that was not made.
func explained(err error) error {
	if refused, ok := errors.AsType[*pgconn.PgError](err); ok {
		return &unconnected{refusal(refused), err}
	}
	if failed, ok := errors.AsType[*pgconn.ConnectError](err); ok {
		return &unconnected{"connect: " + failed.Unwrap().Error(), err}
	}
	return err
}

// refusal says why the server does not let anybody in. Of settings that it does
// not know it quotes what it was sent.
func refusal(e *pgconn.PgError) string {
	if len(e.Code) == 5 {
		switch e.Code[:2] {
		case "28", "3D", "53", "55", "57": // who asks, which database, and how the server is
			return fmt.Sprintf("the server says: %s (SQLSTATE %s)", e.Message, e.Code)
		}
	}
	return fmt.Sprintf("the server refuses the connection (SQLSTATE %s): look at options and the other settings in the database's address", e.Code)
}
