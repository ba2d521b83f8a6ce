package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"tallyman/internal/catalog"
	"tallyman/internal/config"
	"tallyman/internal/importer"
	"tallyman/internal/store"
)

// The database's clock is reckoned from the middle between question and answer,
// whichever of the two is ahead.
func TestSharedClock(t *testing.T) {
	for _, off := range []time.Duration{0, 10 * time.Minute, -10 * time.Minute} {
		right := time.Date(2026, 3, 15, 12, 0, 0, 0, time.UTC)
		c := &sharedClock{local: func() time.Time { return right.Add(off) }}
		trip := 200 * time.Millisecond
		ask := func(context.Context) (time.Time, error) {
			right = right.Add(trip / 2)
			answer := right
			right = right.Add(trip / 2)
			return answer, nil
		}
		if err := c.measure(t.Context(), ask); err != nil {
			t.Fatal(err)
		}
		if got := c.now(); !got.Equal(right) {
			t.Errorf("%s off: %s, want %s", off, got, right)
		}
		// What was under way for long tells the time no better.
		slow := func(context.Context) (time.Time, error) {
			answer := right
			right = right.Add(time.Minute)
			return answer, nil
		}
		if err := c.measure(t.Context(), slow); err != nil || !c.now().Equal(right) {
			t.Errorf("%s off, after a slow answer: %s, want %s, %v", off, c.now(), right, err)
		}
		lost := errors.New("lost")
		if err := c.measure(t.Context(), func(context.Context) (time.Time, error) { return time.Time{}, lost }); !errors.Is(err, lost) || !c.now().Equal(right) {
			t.Errorf("after no answer: %s, %v", c.now(), err)
		}
	}
}

// Names of nodes differ though machine and process are the same, and a command
// that ends with its import does not take the name of one that stays.
func TestNodeName(t *testing.T) {
	set := &settings{}
	if one, other := nodeName(set, "work"), nodeName(set, "work"); one == other || strings.HasPrefix(one, passing) {
		t.Errorf("two nodes: %s and %s", one, other)
	}
	set.config.Node = "shop-1"
	if name := nodeName(set, "serve"); name != "shop-1" {
		t.Errorf("told to be shop-1: %s", name)
	}
	if name := nodeName(set, "import"); !strings.HasPrefix(name, passing) || strings.Contains(name, "shop-1") {
		t.Errorf("an import beside it: %s", name)
	}
}

// sharedDatabase is a storage that several nodes of a test can share: a database
// of its own and a folder of files.
func sharedDatabase(t *testing.T) config.Storage {
	t.Helper()
	at, err := sharedGround(t).storage(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	at.Files = t.TempDir()
	return at
}

// newTestNode opens a node with a data folder of its own; it is closed with the
// test.
func newTestNode(t *testing.T, p *program, at config.Storage, mod func(*config.Config)) *node {
	t.Helper()
	at.Data = t.TempDir()
	p.stderr = os.Stderr
	if p.now == nil {
		p.now = time.Now
	}
	set, err := (&place{Storage: at, Workspace: store.DefaultWorkspace}).settings(p)
	if err != nil {
		t.Fatal(err)
	}
	set.log = slog.New(slog.NewTextHandler(t.Output(), nil))
	set.config.Workers = 2
	if mod != nil {
		mod(&set.config)
	}
	n, err := openOwner(t.Context(), p, set, "work")
	if err != nil {
		t.Fatal(err)
	}
	n.lookEvery = 50 * time.Millisecond
	t.Cleanup(func() {
		if err := n.close(); err != nil {
			t.Error(err)
		}
	})
	return n
}

func (n *node) mustStart(t *testing.T) {
	t.Helper()
	if err := n.start(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// rowsFile is a file of so many new products.
func rowsFile(rows int) string {
	var b strings.Builder
	b.WriteString("sku,title,price\n")
	for i := range rows {
		fmt.Fprintf(&b, "S-%06d,Thing %d,1.50\n", i, i)
	}
	return b.String()
}

// begin starts an import of so many rows.
func (n *node) begin(t *testing.T, rows int) store.Import {
	t.Helper()
	imp, err := n.tryBegin(t, rows)
	if err != nil {
		t.Fatal(err)
	}
	return imp
}

func (n *node) tryBegin(t *testing.T, rows int) (store.Import, error) {
	t.Helper()
	ws, err := n.workspace(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	up, err := n.imports.Receive(t.Context(), ws, "test", "", "a.csv", strings.NewReader(rowsFile(rows)))
	if err != nil {
		return store.Import{}, err
	}
	return n.imports.Start(t.Context(), ws, up, importer.Options{Door: "test", Currency: "EUR"})
}

// until waits until something is so.
func until(t *testing.T, what string, is func() bool) {
	t.Helper()
	for deadline := time.Now().Add(2 * time.Minute); !is(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain until %s", what)
		}
	}
}

// awaitDone waits for an import's end and checks that every row was created.
func (n *node) awaitDone(t *testing.T, imp store.Import, rows int) {
	t.Helper()
	until(t, "the import has ended", func() bool {
		now, err := n.store.ImportNo(t.Context(), imp.WS, imp.No)
		if err == nil {
			imp = now
		}
		return imp.State.Ended()
	})
	if imp.State != store.Done || imp.Tally != (catalog.Tally{Created: int64(rows)}) {
		t.Errorf("the import is %s (%s) with %+v", imp.State, imp.FaultMessage, imp.Tally)
	}
	count, err := n.store.CountItems(t.Context(), imp.WS, store.ItemFilter{Kind: catalog.KindProduct})
	if err != nil || count != rows {
		t.Errorf("%d products, want %d; %v", count, rows, err)
	}
}

// A node whose clock is ten minutes off, either way, takes no batch from a node
// that works on it, and is seen by the others as what it is.
func TestAWrongClockTakesNobodyForDead(t *testing.T) {
	for _, off := range []time.Duration{10 * time.Minute, -10 * time.Minute} {
		t.Run(off.String(), func(t *testing.T) {
			const rows = 3000
			at := sharedDatabase(t)
			begun, release := make(chan struct{}), make(chan struct{})
			var once sync.Once
			right := newTestNode(t, &program{probe: func(step string) {
				if step == string(importer.StepChunkBegin) {
					once.Do(func() { close(begun); <-release })
				}
			}}, at, nil)
			t.Cleanup(sync.OnceFunc(func() { close(release) })) // before the node is closed
			wrong := newTestNode(t, &program{now: func() time.Time { return time.Now().Add(off) }}, at, nil)
			if d := wrong.now().Sub(right.now()).Abs(); d > time.Minute {
				t.Fatalf("the nodes' clocks are %s apart", d)
			}
			right.mustStart(t)
			if err := wrong.beat(t.Context()); err != nil {
				t.Fatal(err)
			}
			imp := right.begin(t, rows)
			<-begun
			epochs := batchEpochs(t, right, imp)
			// A clock that is wrong would find every batch silent, or none ever.
			if err := wrong.imports.Sweep(t.Context(), 5*time.Minute); err != nil {
				t.Fatal(err)
			}
			if now := batchEpochs(t, right, imp); now != epochs {
				t.Errorf("epochs %s, and after a look by the other node %s", epochs, now)
			}
			for _, n := range []*node{right, wrong} {
				if others, err := n.others(t.Context()); err != nil || len(others) != 1 {
					t.Errorf("%s sees the others %v, %v", n.name, others, err)
				}
			}
			release <- struct{}{}
			right.awaitDone(t, imp, rows)
		})
	}
}

func batchEpochs(t *testing.T, n *node, imp store.Import) (epochs string) {
	t.Helper()
	batches, err := n.store.Batches(t.Context(), imp.WS, imp.No, "")
	if err != nil {
		t.Fatal(err)
	}
	for _, b := range batches {
		epochs += fmt.Sprintf("%s %d: %d; ", b.Pass, b.No, b.Epoch)
	}
	return epochs
}

// A node whose disk is full holds: it takes no file and stops in the middle of an
// import, which says so; with room again it goes on by itself.
func TestAFullDiskHoldsTheNode(t *testing.T) {
	const rows = 30_000
	var free atomic.Int64
	var n *node
	var once sync.Once
	full := make(chan struct{})
	n = newTestNode(t, &program{
		free: func(string) (int64, error) { return free.Load(), nil },
		probe: func(step string) {
			if step == string(importer.StepChunkAfterCommit) {
				// The first chunk fills the disk; the second waits until that is noticed.
				once.Do(func() {
					free.Store(0)
					close(full)
					until(t, "the node holds", func() bool { return n.heldBack() != "" })
				})
			}
		},
	}, config.Storage{}, func(c *config.Config) { c.MinFree = 1 << 30 })
	n.mustStart(t)
	if !strings.Contains(n.heldBack(), "0 B left of the 1.0 GiB") {
		t.Errorf("held: %q", n.heldBack())
	}
	// It answers whoever reads, and says no more than a word to anybody.
	probe := httptest.NewRecorder()
	n.about().ServeHTTP(probe, httptest.NewRequest(http.MethodGet, "/readyz", nil))
	if probe.Code != http.StatusOK || probe.Body.String() != "ready, holding: disk\n" {
		t.Errorf("ready: %d %q", probe.Code, probe.Body)
	}
	if _, err := n.tryBegin(t, 1); catalog.AsFault(err) == nil || catalog.AsFault(err).Kind != catalog.KindUnavailable {
		t.Errorf("a file was taken: %v", err)
	}
	free.Store(2 << 30)
	until(t, "the node goes on", func() bool { return n.heldBack() == "" })

	imp := n.begin(t, rows)
	<-full
	until(t, "the engine has stopped", func() bool { return n.engine.Health() != nil })
	until(t, "the import stands still", func() bool { return n.imports.WaitingFor(t.Context(), &store.Import{State: store.Running}) != "" })
	now, err := n.store.ImportNo(t.Context(), imp.WS, imp.No)
	if err != nil || now.State != store.Running || now.Tally.Created == 0 || now.Tally.Created == rows {
		t.Errorf("the import is %s with %+v, %v", now.State, now.Tally, err)
	}
	until(t, "the others hear of it", func() bool {
		nodes, err := n.store.Nodes(t.Context(), time.Time{})
		return err == nil && len(nodes) == 1 && strings.Contains(nodes[0].Held, "B left")
	})
	free.Store(2 << 30)
	n.awaitDone(t, imp, rows)
	if held := n.heldBack(); held != "" {
		t.Errorf("held: %q", held)
	}
}

// A database that takes no writes for a while, as one that has just changed over
// to a standby, holds the node; the import ends by itself when that is over.
func TestAReadOnlyDatabaseHoldsTheNode(t *testing.T) {
	const rows = 30_000
	at := sharedDatabase(t)
	var once sync.Once
	begun, release := make(chan struct{}), make(chan struct{})
	n := newTestNode(t, &program{probe: func(step string) {
		if step == string(importer.StepChunkAfterCommit) {
			once.Do(func() { close(begun); <-release })
		}
	}}, at, nil)
	n.mustStart(t)
	imp := n.begin(t, rows)
	<-begun
	readOnly(t, at.Database, true)
	close(release)
	until(t, "the node holds", func() bool { return strings.Contains(n.held(), "takes no writes") })
	until(t, "the engine has stopped", func() bool { return n.engine.Health() != nil })
	if why := n.imports.WaitingFor(t.Context(), &imp); !strings.Contains(why, "takes no writes") {
		t.Errorf("the import waits for %q", why)
	}
	readOnly(t, at.Database, false)
	n.awaitDone(t, imp, rows)
	until(t, "the node goes on", func() bool { return n.heldBack() == "" })
}

// readOnly makes a database read-only, or no more, and ends its connections: what
// is set counts for new ones.
func readOnly(t *testing.T, url string, on bool) {
	t.Helper()
	cfg, err := pgx.ParseConfig(url)
	if err != nil {
		t.Fatal(err)
	}
	name := cfg.Database
	cfg.Database = "postgres"
	conn, err := pgx.ConnectConfig(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.Background())
	if _, err := conn.Exec(t.Context(), fmt.Sprintf("ALTER DATABASE %s SET default_transaction_read_only = %t", name, on)); err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Exec(t.Context(), "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1", name); err != nil {
		t.Fatal(err)
	}
}

// An import that is interrupted on its command line goes on at a node that shares
// its database.
func TestAnInterruptedImportGoesOnElsewhere(t *testing.T) {
	const rows = 40_000
	at := sharedDatabase(t)
	file := filepath.Join(t.TempDir(), "a.csv")
	if err := os.WriteFile(file, []byte(rowsFile(rows)), 0o600); err != nil {
		t.Fatal(err)
	}
	begun := make(chan struct{})
	// The node waits with its first chunk until the command has begun one.
	other := newTestNode(t, &program{probe: func(step string) {
		if step == string(importer.StepChunkBegin) {
			<-begun
		}
	}}, at, nil)
	other.mustStart(t)
	ctx, interrupt := context.WithCancel(t.Context())
	defer interrupt()
	var stdout, stderr bytes.Buffer
	p := &program{stdin: strings.NewReader(""), stdout: &stdout, stderr: &stderr, now: time.Now, probe: func(step string) {
		if step == string(importer.StepChunkBegin) {
			interrupt()
		}
	}}
	context.AfterFunc(ctx, func() { close(begun) })
	code := p.run(ctx, []string{"import", file, "--currency", "EUR", "--data", t.TempDir(), "--database", at.Database, "--files", at.Files})
	if code != exitOther || !strings.Contains(stderr.String(), "goes on at the node "+other.name) {
		t.Errorf("exit code %d, stderr %s", code, &stderr)
	}
	ws, err := other.workspace(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	imp, err := other.store.ImportNo(t.Context(), ws.WS, 1)
	if err != nil {
		t.Fatal(err)
	}
	other.awaitDone(t, imp, rows)
}
