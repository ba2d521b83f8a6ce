package telemetry_test

import (
	"context"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"tallyman/internal/files/disk"
	"tallyman/internal/importer"
	"tallyman/internal/jobs"
	"tallyman/internal/jobs/sqlitejobs"
	"tallyman/internal/store"
	"tallyman/internal/store/sqlite"
)

// wait bounds every wait of a test: past it something hangs.
const wait = 2 * time.Minute

// ground is a database, files on disk and a job engine, with an importer for each of
// several nodes on it. The nodes take jobs in turn.
type ground struct {
	t     *testing.T
	db    *sqlite.DB
	files *disk.Store
	ws    store.Workspace
	nodes []*importer.Service
	turn  atomic.Int64
	// stop ends the engine and waits for its jobs.
	stop func()
}

// Work implements jobs.Handler.
func (g *ground) Work(ctx context.Context, job store.Job, id int64) error {
	n := g.turn.Add(1)
	return g.nodes[int(n)%len(g.nodes)].Work(ctx, job, id)
}

// newGround opens a ground with a node for each observer, a, b and so on.
func newGround(t *testing.T, log *slog.Logger, observers ...importer.Observer) *ground {
	t.Helper()
	ctx, dir := context.Background(), t.TempDir()
	g := &ground{t: t}
	var err error
	g.db, err = sqlite.Open(ctx, filepath.Join(dir, "t.db"), sqlite.Options{})
	must(t, err)
	t.Cleanup(func() { g.db.Close() })
	g.files, err = disk.Open(filepath.Join(dir, "files"), disk.Options{})
	must(t, err)
	t.Cleanup(func() { g.files.Close() })
	for i, o := range observers {
		node, err := importer.New(importer.Config{Store: g.db, Files: g.files, Log: log, Node: string(rune('a' + i)), Workers: 1,
			ChunkRows: 500, ScratchDir: t.TempDir(), Observer: o})
		must(t, err)
		g.nodes = append(g.nodes, node)
	}
	engine, err := sqlitejobs.New(g.db.Writer(), jobs.Config{Handler: g, Log: slog.New(slog.DiscardHandler), Workers: 1, SoleOwner: true})
	must(t, err)
	must(t, engine.Migrate(ctx))
	g.db.BindEnqueue(engine.InsertTx)
	g.ws = g.workspace("acme")
	must(t, engine.Start(ctx))
	g.stop = sync.OnceFunc(func() { engine.Stop(context.Background()) })
	t.Cleanup(g.stop)
	return g
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func (g *ground) workspace(name string) store.Workspace {
	g.t.Helper()
	ws, err := g.db.CreateWorkspace(context.Background(), store.Workspace{Name: name, Currency: "EUR", CreatedAt: time.Now()})
	must(g.t, err)
	return ws
}

// begin uploads a file to the first node and starts its import.
func (g *ground) begin(ctx context.Context, ws store.Workspace, content string, opt importer.Options) store.Import {
	g.t.Helper()
	up, err := g.nodes[0].Receive(ctx, ws, "rest", "", "items.csv", strings.NewReader(content))
	must(g.t, err)
	opt.Door = "rest"
	imp, err := g.nodes[0].Start(ctx, ws, up, opt)
	must(g.t, err)
	return imp
}

// end waits for an import's end.
func (g *ground) end(ws store.Workspace, id string, is func(store.State) bool) store.Import {
	g.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), wait)
	defer cancel()
	for {
		imp, err := g.nodes[0].Import(ctx, ws, id)
		must(g.t, err)
		if is(imp.State) {
			return imp
		}
		select {
		case <-ctx.Done():
			g.t.Fatalf("import %s is still %s", id, imp.State)
		case <-time.After(5 * time.Millisecond):
		}
	}
}

// items is a file of so many items, of which every tenth has a price that is none.
func items(rows int, title string) string {
	var b strings.Builder
	b.WriteString("SKU,Title,Price\n")
	for i := range rows {
		price := "12.50"
		if i%10 == 9 {
			price = "dear"
		}
		fmt.Fprintf(&b, "SKU-%06d,%s %d,%s\n", i, title, i, price)
	}
	return b.String()
}
