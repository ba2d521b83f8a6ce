package postgres

import (
	"net"
	"testing"

	"github.com/jackc/pgx/v5/pgxpool"
	"golang.org/x/sys/unix"
)

// TestConnectionsNoticeThatTheOtherSideIsGone reads back what the system is told of
// each kind of connection.
func TestConnectionsNoticeThatTheOtherSideIsGone(t *testing.T) {
	db := openDB(t)
	for kind, pool := range map[string]*pgxpool.Pool{"writers": db.writers, "readers": db.reader.pool, "browsers": db.browsers, "engine": db.engine} {
		c, err := pool.Acquire(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		conn := c.Conn().PgConn().Conn()
		if i, ok := conn.(*impatient); ok != (kind != "engine") {
			t.Errorf("%s: the connection is a %T", kind, conn)
		} else if ok {
			conn = i.Conn
		}
		for option, want := range map[int]int{unix.TCP_USER_TIMEOUT: 15000, unix.TCP_KEEPIDLE: 5, unix.TCP_KEEPINTVL: 5, unix.TCP_KEEPCNT: 2} {
			if got := socketOption(t, conn, option); got != want {
				t.Errorf("%s: option %d is %d, want %d", kind, option, got, want)
			}
		}
		c.Release()
	}
}

func socketOption(t *testing.T, conn net.Conn, option int) (value int) {
	t.Helper()
	raw, err := conn.(*net.TCPConn).SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	var got error
	if err := raw.Control(func(fd uintptr) { value, got = unix.GetsockoptInt(int(fd), unix.IPPROTO_TCP, option) }); err != nil || got != nil {
		t.Fatal(err, got)
	}
	return value
}
