package postgres

import (
	"bytes"
	"context"
	"errors"
	"net"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"

	"tallyman/internal/store"
	"tallyman/internal/store/postgres/pgtest"
)

func TestInterpret(t *testing.T) {
	taken := errors.New("taken")
	for code, want := range map[string]error{
		"23505": taken, "40001": store.ErrRetry, "40P01": store.ErrRetry, "55P03": store.ErrRetry,
		"08006": store.ErrUnavailable, "08P01": store.ErrUnavailable, "53100": store.ErrUnavailable, "53300": store.ErrUnavailable,
		"57P01": store.ErrUnavailable, "57P02": store.ErrUnavailable, "57P03": store.ErrUnavailable, "57P05": store.ErrUnavailable,
		"25006": store.ErrUnavailable, "25P03": store.ErrUnavailable, "58030": store.ErrUnavailable,
		"42P01": nil, "57014": store.ErrUnavailable, "22021": nil, "28P01": nil, "": nil,
	} {
		err := interpret(t.Context(), &pgconn.PgError{Code: code}, taken)
		for _, kind := range []error{taken, store.ErrRetry, store.ErrUnavailable} {
			if errors.Is(err, kind) != (kind == want) {
				t.Errorf("%s: got %v, want %v", code, err, want)
			}
		}
	}
	over, cancel := context.WithCancel(t.Context())
	cancel()
	if err := interpret(over, net.ErrClosed, nil); errors.Is(err, store.ErrUnavailable) {
		t.Errorf("a connection that was given up with its context: got %v", err)
	}
}

// writes lists what writes, in one way or another.
func writes(db *DB) map[string]func(context.Context) error {
	return map[string]func(context.Context) error{
		"writable": db.Writable,
		"write": func(ctx context.Context) error {
			return db.Write(ctx, 1, false, func(tx store.Tx) error {
				return tx.AppendAudit(ctx, &store.AuditEntry{At: fromMillis(1), Action: "import.start"})
			})
		},
		"beat": func(ctx context.Context) error { return db.BeatNode(ctx, store.Node{Name: "n"}) },
	}
}

func wantUnavailable(t *testing.T, when string, db *DB) {
	t.Helper()
	for name, write := range writes(db) {
		if err := write(t.Context()); !errors.Is(err, store.ErrUnavailable) {
			t.Errorf("%s, %s: got %v, want %v", when, name, err, store.ErrUnavailable)
		}
	}
}

func wantAvailable(t *testing.T, when string, db *DB) {
	t.Helper()
	for name, write := range writes(db) {
		if err := write(t.Context()); err != nil {
			t.Errorf("%s, %s: %v", when, name, err)
		}
	}
}

// set changes a setting of the database and ends its other connections, which have
// the old one.
func set(t *testing.T, db *DB, setting string) {
	t.Helper()
	admin := db.engine
	// It may be read-only already.
	for _, q := range []string{
		"BEGIN READ WRITE; ALTER DATABASE " + db.plain.Database + " " + setting + "; COMMIT",
		"SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()",
	} {
		if _, err := admin.Exec(t.Context(), q); err != nil {
			t.Fatal(err)
		}
	}
	// The pools learn that their connections are gone.
	db.writers.Reset()
	db.reader.pool.Reset()
}

func TestReadOnlyIsUnavailable(t *testing.T) {
	db := openURL(t, pgtest.New(t))
	wantAvailable(t, "at first", db)
	set(t, db, "SET default_transaction_read_only = on")
	wantUnavailable(t, "while it is read-only", db)
	if err := db.Health(t.Context()); err != nil {
		t.Errorf("what is there can be read: %v", err)
	}
	set(t, db, "RESET default_transaction_read_only")
	wantAvailable(t, "afterwards", db)
}

// TestWritableAsksForRoom bounds the files that a statement may lay down, which is
// as if the disk were full.
func TestWritableAsksForRoom(t *testing.T) {
	db := openURL(t, pgtest.New(t))
	set(t, db, "SET temp_file_limit = '64kB'")
	if err := db.Writable(t.Context()); !errors.Is(err, store.ErrUnavailable) {
		t.Errorf("without room: got %v, want %v", err, store.ErrUnavailable)
	}
	set(t, db, "RESET temp_file_limit")
	wantAvailable(t, "with room", db)
}

func TestAServerThatIsGoneIsUnavailable(t *testing.T) {
	server, err := pgtest.Start(pgtest.Options{})
	if err != nil {
		t.Fatal(err)
	}
	db, err := Open(t.Context(), server.URL("postgres"), Options{})
	if err != nil {
		t.Fatal(errors.Join(err, server.Stop()))
	}
	t.Cleanup(func() { db.Close() })
	wantAvailable(t, "at first", db)
	err = db.Write(t.Context(), 1, false, func(tx store.Tx) error {
		if err := server.Stop(); err != nil {
			t.Error(err)
		}
		first := tx.AppendAudit(t.Context(), &store.AuditEntry{Action: "import.start"})
		second := tx.AppendAudit(t.Context(), &store.AuditEntry{Action: "import.start"})
		for _, err := range []error{first, second} {
			if !errors.Is(err, store.ErrUnavailable) {
				t.Errorf("within a transaction: got %v, want %v", err, store.ErrUnavailable)
			}
		}
		return nil
	})
	if !errors.Is(err, store.ErrUnavailable) {
		t.Errorf("a transaction whose errors nobody looked at: got %v, want %v", err, store.ErrUnavailable)
	}
	wantUnavailable(t, "without a server", db)
	for name, read := range map[string]func() error{
		"health":   func() error { return db.Health(t.Context()) },
		"list":     func() error { _, err := db.Users(t.Context(), 1); return err },
		"one":      func() error { _, err := db.Import(t.Context(), 1, "imp_1"); return err },
		"snapshot": func() error { return db.Snapshot(t.Context(), func(store.Store) error { return nil }) },
		"clock":    func() error { _, err := db.Clock(t.Context()); return err },
	} {
		if err := read(); !errors.Is(err, store.ErrUnavailable) {
			t.Errorf("without a server, %s: got %v, want %v", name, err, store.ErrUnavailable)
		}
	}
}

// TestACommitWhoseAnswerIsLost happens, and says that nobody knows.
func TestACommitWhoseAnswerIsLost(t *testing.T) {
	direct := pgtest.New(t)
	link := newLink(t, direct)
	db := openURL(t, link.url)
	e := store.AuditEntry{At: fromMillis(1), Action: "import.start"}
	err := db.Write(t.Context(), 1, true, func(tx store.Tx) error {
		link.armed.Store(true)
		return tx.AppendAudit(t.Context(), &e)
	})
	if !errors.Is(err, store.ErrUnavailable) {
		t.Errorf("got %v, want %v", err, store.ErrUnavailable)
	}
	if log, err := db.Audit(t.Context(), 1, store.AuditFilter{}, 0); err != nil || len(log) != 1 || log[0].No != e.No {
		t.Errorf("the log has %+v, %v", log, err)
	}
}

// link stands between a store and its server. Once armed, it cuts the connection on
// which the next commit was answered, before the answer has arrived.
type link struct {
	url   string
	armed atomic.Bool
}

func newLink(t *testing.T, to string) *link {
	t.Helper()
	u, err := url.Parse(to)
	if err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	l := &link{url: strings.Replace(to, u.Host, listener.Addr().String(), 1)}
	go func() {
		for {
			client, err := listener.Accept()
			if err != nil {
				return
			}
			server, err := net.Dial("tcp", u.Host)
			if err != nil {
				client.Close()
				continue
			}
			var answers atomic.Bool // the next answer is a commit's
			go l.pass(server, client, func(b []byte) bool {
				if bytes.Contains(b, []byte("commit\x00")) && l.armed.CompareAndSwap(true, false) {
					answers.Store(true)
				}
				return true
			})
			go l.pass(client, server, func([]byte) bool { return !answers.Load() })
		}
	}()
	return l
}

// pass hands on what comes until look says no, and then closes both ends.
func (l *link) pass(to, from net.Conn, look func([]byte) bool) {
	defer to.Close()
	defer from.Close()
	buf := make([]byte, 64<<10)
	for {
		n, err := from.Read(buf)
		if err != nil || !look(buf[:n]) {
			return
		}
		if _, err := to.Write(buf[:n]); err != nil {
			return
		}
	}
}

// TestActsDoNotWaitForEachOther adds to the log beside a transaction that has done
// so and has not ended.
func TestActsDoNotWaitForEachOther(t *testing.T) {
	ctx := t.Context()
	db := openURL(t, pgtest.New(t))
	e := func() *store.AuditEntry { return &store.AuditEntry{At: fromMillis(1), Action: "import.start"} }
	if err := db.Write(ctx, 1, false, func(tx store.Tx) error {
		return errors.Join(tx.AppendAudit(ctx, e()), db.AppendAudit(ctx, 1, e()), tx.AppendAudit(ctx, e()))
	}); err != nil {
		t.Fatal(err)
	}
	if log, err := db.Audit(ctx, 1, store.AuditFilter{}, 0); err != nil || len(log) != 3 {
		t.Errorf("the log has %d entries, %v", len(log), err)
	}
}
