package postgres

import (
	"errors"
	"net"
	"net/url"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"tallyman/internal/faults"
	"tallyman/internal/store"
	"tallyman/internal/store/postgres/pgtest"
)

// with adds settings to an address.
func with(address, settings string) string { return address + "&" + settings }

func TestAddressMayBoundPools(t *testing.T) {
	address := pgtest.New(t)
	for _, c := range []struct {
		settings                 string
		opt                      Options
		writers, readers, engine int32
	}{
		{"pool_max_conns=5", Options{Writers: 7, Readers: 3, Engine: 9}, 5, 3, 5},
		{"pool_max_conn_lifetime=1h", Options{Writers: 7, Readers: 3, Engine: 9}, 7, 3, 9},
	} {
		db, err := Open(t.Context(), with(address, c.settings), c.opt)
		if err != nil {
			t.Errorf("%s: %v", c.settings, err)
			continue
		}
		if w, r, e := db.writers.Config().MaxConns, db.reader.pool.Config().MaxConns, db.engine.Config().MaxConns; w != c.writers || r != c.readers || e != c.engine {
			t.Errorf("%s: the bounds are %d, %d, %d; want %d, %d, %d", c.settings, w, r, e, c.writers, c.readers, c.engine)
		}
		if err := db.Close(); err != nil {
			t.Error(err)
		}
		pool, err := Look(t.Context(), with(address, c.settings))
		if err != nil {
			t.Errorf("%s: look: %v", c.settings, err)
			continue
		}
		pool.Close()
	}
	if _, err := Open(t.Context(), with(address, "pool_max_conns=3"), Options{}); err == nil || !strings.Contains(err.Error(), "pool_max_conns is 3 and must be at least 4") {
		t.Errorf("too few connections: %v", err)
	}
}

// TestPoolsGoByProcessorsOfTheProcess and not by those of the machine.
func TestPoolsGoByProcessorsOfTheProcess(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(runtime.NumCPU() + 11))
	n := int32(runtime.NumCPU() + 11)
	db := openDB(t)
	for kind, c := range map[string]struct {
		pool *pgxpool.Pool
		want int32
	}{"writers": {db.writers, 4 * n}, "readers": {db.reader.pool, 4 * n}, "engine": {db.engine, n}} {
		if got := c.pool.Config().MaxConns; got != c.want {
			t.Errorf("%s: at most %d, want %d", kind, got, c.want)
		}
	}
}

func TestConnectionsHaveNames(t *testing.T) {
	address := pgtest.New(t)
	for _, c := range []struct{ address, store, engine string }{
		{address, "tallyman", "tallyman-jobs"},
		{with(address, "application_name=shop"), "shop", "shop"},
	} {
		db := openURL(t, c.address)
		for kind, pool := range map[string]*pgxpool.Pool{c.store: db.writers, c.store + " ": db.reader.pool, c.engine + "  ": db.engine} {
			if got := strings.TrimSpace(lines(t, pool, "SHOW application_name")); got != strings.TrimSpace(kind) {
				t.Errorf("the name is %q, want %q", got, strings.TrimSpace(kind))
			}
		}
		if got := db.plain.RuntimeParams["application_name"]; got != c.store {
			t.Errorf("outside of the pools the name is %q, want %q", got, c.store)
		}
	}
}

// stallable opens a database behind a proxy, with little patience.
func stallable(t *testing.T) (*DB, *faults.Proxy) {
	t.Helper()
	address := pgtest.New(t)
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	proxy, err := faults.Listen(u.Host)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := proxy.Close(); err != nil {
			t.Error(err)
		}
	})
	db, err := Open(t.Context(), strings.Replace(address, u.Host, proxy.Addr(), 1), Options{Silence: 500 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { proxy.Heal(); db.Close() })
	return db, proxy
}

// TestASilentConnectionIsUnavailable stalls connections, whose other side takes
// every byte and answers none, at several steps of a transaction. No context ends.
func TestASilentConnectionIsUnavailable(t *testing.T) {
	entry := func() *store.AuditEntry { return &store.AuditEntry{At: fromMillis(1), Action: "import.start"} }
	for step, write := range map[string]func(*DB, *faults.Proxy) error{
		"statement": func(db *DB, p *faults.Proxy) error {
			return db.Write(t.Context(), 1, false, func(tx store.Tx) error {
				p.Stall(faults.Both)
				return tx.AppendAudit(t.Context(), entry())
			})
		},
		"copy": func(db *DB, p *faults.Proxy) error {
			return db.Write(t.Context(), 1, false, func(tx store.Tx) error {
				p.Stall(faults.ToClient)
				return tx.Insert(t.Context(), db.Prepare(1, items(20_000)))
			})
		},
		"commit": func(db *DB, p *faults.Proxy) error {
			return db.Write(t.Context(), 1, true, func(tx store.Tx) error {
				err := tx.AppendAudit(t.Context(), entry())
				p.Stall(faults.ToServer)
				return err
			})
		},
		"list": func(db *DB, p *faults.Proxy) error {
			return db.Snapshot(t.Context(), func(still store.Store) error {
				p.Stall(faults.Both)
				_, err := still.Users(t.Context(), 1)
				return err
			})
		},
	} {
		t.Run(step, func(t *testing.T) {
			db, proxy := stallable(t)
			if err := write(db, proxy); !errors.Is(err, store.ErrUnavailable) {
				t.Errorf("got %v, want %v", err, store.ErrUnavailable)
			}
			proxy.Heal()
			wantAvailable(t, "afterwards", db)
		})
	}
}

// TestPatienceIsForSilenceAlone: a deadline of the connection's user comes first,
// and what moves is not given up.
func TestPatienceIsForSilenceAlone(t *testing.T) {
	here, there := net.Pipe()
	defer there.Close()
	c := &impatient{Conn: here, silence: time.Hour}
	if err := c.SetReadDeadline(time.Now().Add(-time.Second)); err != nil {
		t.Fatal(err)
	}
	var network net.Error
	if _, err := c.Read(make([]byte, 1)); !errors.As(err, &network) || !network.Timeout() {
		t.Errorf("the user's own deadline: %v", err)
	}
	if err := c.SetDeadline(time.Time{}); err != nil {
		t.Fatal(err)
	}
	go there.Write([]byte("x"))
	if n, err := c.Read(make([]byte, 1)); n != 1 || err != nil {
		t.Errorf("after it: read %d, %v", n, err)
	}
	c.silence = time.Nanosecond
	_, err := c.Read(make([]byte, 1))
	if !errors.As(err, &network) || network.Timeout() || !strings.Contains(err.Error(), "said nothing for 1ns") {
		t.Errorf("silence: %v", err)
	}
	if _, err := there.Write([]byte("x")); err == nil {
		t.Error("the connection was not given up")
	}
}

// TestPatienceIsLongerThanStatements: the server ends what is slow, with an error
// that says so, before the connection is given up.
func TestPatienceIsLongerThanStatements(t *testing.T) {
	db := openDB(t)
	for kind, c := range map[string]struct {
		pool    *pgxpool.Pool
		silence time.Duration
	}{"writers": {db.writers, writerSilence}, "readers": {db.reader.pool, readerSilence}} {
		var ms int64
		if err := c.pool.QueryRow(t.Context(), "SELECT setting::bigint FROM pg_settings WHERE name = 'statement_timeout'").Scan(&ms); err != nil {
			t.Fatal(err)
		}
		if limit := time.Duration(ms) * time.Millisecond; limit == 0 || limit >= c.silence {
			t.Errorf("%s: statements may take %s, and silence %s", kind, limit, c.silence)
		}
	}
}
