package importer_test

import (
	"context"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"tallyman/internal/catalog"
	"tallyman/internal/files"
	"tallyman/internal/files/disk"
	"tallyman/internal/importer"
	"tallyman/internal/jobs"
	"tallyman/internal/ledger"
	"tallyman/internal/store"
)

// patience bounds every wait of a test: past it something hangs.
const patience = 2 * time.Minute

// stack is the real thing in a temporary folder: a database, files on disk, River.
type stack struct {
	t      testing.TB
	db     *ground
	files  files.Store
	svc    *importer.Service
	engine engine
	ws     store.Workspace
}

// newStack opens a stack; mod may change the importer's configuration. The
// engine runs unless idle is set: then jobs wait until start is called.
func newStack(t testing.TB, mod func(*importer.Config)) *stack {
	t.Helper()
	s := newIdleStack(t, mod)
	s.start()
	return s
}

func newIdleStack(t testing.TB, mod func(*importer.Config)) *stack {
	t.Helper()
	ctx := context.Background()
	dir := t.TempDir()
	s := &stack{t: t}
	var err error
	s.db = openGround(t, dir)
	disk, err := disk.Open(filepath.Join(dir, "files"), disk.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { disk.Close() })
	s.files = disk
	cfg := importer.Config{Store: s.db, Files: disk, Node: "test", Workers: 2, ScratchDir: t.TempDir(),
		JobsLive: func(ctx context.Context, ids []int64) (map[int64]bool, error) { return s.engine.Live(ctx, ids) }}
	if mod != nil {
		mod(&cfg)
	}
	if s.svc, err = importer.New(cfg); err != nil {
		t.Fatal(err)
	}
	if s.engine, err = s.db.makeEngine(jobs.Config{Handler: s.svc, Log: slog.New(slog.DiscardHandler), Node: "test", Workers: 2}); err != nil {
		t.Fatal(err)
	}
	if err := s.engine.Migrate(ctx); err != nil {
		t.Fatal(err)
	}
	if s.ws, err = s.db.CreateWorkspace(ctx, store.Workspace{Name: "test", Currency: "EUR", CreatedAt: time.Now()}); err != nil {
		t.Fatal(err)
	}
	return s
}

func (s *stack) start() {
	s.t.Helper()
	if err := s.engine.Start(context.Background()); err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { s.engine.Stop(context.Background()) })
}

// begin uploads content and starts its import.
func (s *stack) begin(name, content string, opt importer.Options) (store.Import, error) {
	s.t.Helper()
	ctx := context.Background()
	up, err := s.svc.Receive(ctx, s.ws, "test", "", name, strings.NewReader(content))
	if err != nil {
		return store.Import{}, err
	}
	opt.Door = "test"
	return s.svc.Start(ctx, s.ws, up, opt)
}

// run imports content and waits for its end.
func (s *stack) run(name, content string, opt importer.Options) store.Import {
	s.t.Helper()
	imp, err := s.begin(name, content, opt)
	if err != nil {
		s.t.Fatalf("import %s: %v", name, err)
	}
	return s.await(imp.ID, store.State.Ended)
}

// await waits until the import's state is as wanted.
func (s *stack) await(id string, want func(store.State) bool) store.Import {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	for {
		imp, err := s.svc.Import(ctx, s.ws, id)
		if err != nil {
			s.t.Fatal(err)
		}
		if want(imp.State) {
			return imp
		}
		if ctx.Err() != nil {
			s.t.Fatalf("import %s is still %s after %s, tally %+v", id, imp.State, patience, imp.Tally)
		}
		if _, err := s.svc.Wait(ctx, s.ws, id, imp.Version); err != nil {
			s.t.Fatal(err)
		}
	}
}

// dump is the catalog without times, ids and versions of the store's own.
func (s *stack) dump() string {
	s.t.Helper()
	items, err := s.db.Items(context.Background(), s.ws.WS, store.ItemFilter{}, store.Range{})
	if err != nil {
		s.t.Fatal(err)
	}
	lines := make([]string, len(items))
	for i, it := range items {
		lines[i] = fmt.Sprintf("%s v%d import %d row %d %s", it.Kind, it.Version, it.ImportNo, it.Row, it.Doc)
	}
	return strings.Join(sorted(lines), "\n")
}

// rows lists every row's outcome and problems, in order of rows.
func (s *stack) rows(id string) []ledger.Entry {
	s.t.Helper()
	var out []ledger.Entry
	err := s.svc.EachRow(context.Background(), s.ws, id, func(e ledger.Entry) error {
		out = append(out, e)
		return nil
	})
	if err != nil {
		s.t.Fatal(err)
	}
	return out
}

// checkTally compares an ended import's tally with its pages and rows.
func (s *stack) checkTally(imp store.Import) {
	s.t.Helper()
	var pages catalog.Tally
	err := s.db.Pages(context.Background(), s.ws.WS, imp.No, store.PageFilter{Outcomes: true}, func(p ledger.Page) error {
		pages = pages.Add(p.Tally)
		return ledger.Check(p)
	})
	if err != nil {
		s.t.Fatal(err)
	}
	if pages != imp.Tally {
		s.t.Errorf("tally %+v, pages %+v", imp.Tally, pages)
	}
	if imp.State == store.Done && imp.Tally.Rows() != imp.Rows+imp.Extra {
		s.t.Errorf("%d rows accounted for, the file has %d", imp.Tally.Rows(), imp.Rows)
	}
}
