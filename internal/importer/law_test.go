package importer_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"tallyman/internal/catalog"
	"tallyman/internal/files"
	"tallyman/internal/importer"
	"tallyman/internal/ledger"
	"tallyman/internal/store"
)

type (
	storeState = store.State
	filesInfo  = files.Info
)

// products makes a file of n products; every row's title ends in version.
func products(n int, version string) string {
	var sb strings.Builder
	sb.WriteString("sku,title,price,stock\n")
	for i := range n {
		fmt.Fprintf(&sb, "S-%06d,\"Product, %d %s\",%d.50,%d\n", i, i, version, i%90+1, i%7)
	}
	return sb.String()
}

// sized is a test's size: the full one, or a small one under -short, which goes
// with the race detector.
func sized(full, short int) int {
	if testing.Short() {
		return short
	}
	return full
}

func TestTheSameFileAgainMovesNothing(t *testing.T) {
	s := newStack(t, nil)
	file := products(9000, "a")
	first := s.run("a.csv", file, importer.Options{})
	if first.Tally.Created != 9000 {
		t.Fatalf("first: %+v", first.Tally)
	}
	before := s.dump()
	again := s.run("a.csv", file, importer.Options{})
	if again.Tally.Unchanged != 9000 {
		t.Errorf("again: %+v", again.Tally)
	}
	if s.dump() != before {
		t.Error("an unchanged import moved items")
	}
	s.checkTally(first)
	s.checkTally(again)
}

func TestDuplicatesAreFoundInWhateverBatchTheyFall(t *testing.T) {
	s := newStack(t, nil)
	file := products(9000, "a") + "S-000003,again,1.00,1\nS-008999,again,1.00,1\n"
	imp := s.run("a.csv", file, importer.Options{})
	if imp.Tally.Created != 9000 || imp.Tally.Failed != 2 {
		t.Fatalf("tally %+v", imp.Tally)
	}
	problems, total, err := s.svc.Problems(context.Background(), s.ws, imp.ID, importer.ProblemFilter{}, store.Range{})
	if err != nil {
		t.Fatal(err)
	}
	if total != 2 || problems[0].Code != catalog.CodeDuplicateSKUInFile || problems[0].Row != 9002 ||
		!strings.Contains(problems[0].Message, "row 5") || !strings.Contains(problems[1].Message, "row 9001") {
		t.Errorf("problems %+v", problems)
	}
}

// The tally is true at every moment: a reader for whom time stands still finds
// that it is the sum of the pages, and that the catalog holds what it counts.
func TestTheTallyIsTrueAtEveryMoment(t *testing.T) {
	s := newStack(t, nil)
	imp, err := s.begin("a.csv", products(sized(30000, 9000), "a"), importer.Options{})
	if err != nil {
		t.Fatal(err)
	}
	looks := 0
	for {
		var state store.State
		err := s.db.Snapshot(context.Background(), func(v store.Store) error {
			looks++
			now, err := v.Import(context.Background(), s.ws.WS, imp.ID)
			if err != nil {
				return err
			}
			state = now.State
			var pages catalog.Tally
			if err := v.Pages(context.Background(), s.ws.WS, imp.No, store.PageFilter{}, func(p ledger.Page) error {
				pages = pages.Add(p.Tally)
				return nil
			}); err != nil {
				return err
			}
			items, err := v.CountItems(context.Background(), s.ws.WS, store.ItemFilter{})
			if err != nil {
				return err
			}
			if pages != now.Tally || int64(items) != now.Tally.Created {
				return fmt.Errorf("tally %+v, pages %+v, items %d", now.Tally, pages, items)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		if state.Ended() {
			break
		}
	}
	if looks < 3 {
		t.Errorf("only %d looks: the import was over too soon to prove anything", looks)
	}
}

// gate lets chunks through until it is shut, and tells when the first one waits.
type gate struct {
	passed  atomic.Int64
	shutAt  int64
	reached chan struct{}
	open    chan struct{}
}

func newGate(shutAt int64) *gate {
	return &gate{shutAt: shutAt, reached: make(chan struct{}), open: make(chan struct{})}
}

func (g *gate) probe(step importer.Step) {
	if step != importer.StepChunkAfterCommit {
		return
	}
	n := g.passed.Add(1)
	if n == g.shutAt {
		close(g.reached)
	}
	if n >= g.shutAt {
		<-g.open
	}
}

func TestPauseResumeTerminate(t *testing.T) {
	rows := sized(30000, 9000)
	g := newGate(3)
	s := newStack(t, func(c *importer.Config) { c.Probe = g.probe })
	ctx := context.Background()
	imp, err := s.begin("a.csv", products(rows, "a"), importer.Options{})
	if err != nil {
		t.Fatal(err)
	}
	<-g.reached
	paused, err := s.svc.Pause(ctx, s.ws, imp.ID)
	if err != nil || paused.State != store.Paused {
		t.Fatalf("pause: %s %v", paused.State, err)
	}
	close(g.open)
	done := paused.Tally.Rows()
	if done == 0 || done >= int64(rows) {
		t.Fatalf("paused after %d rows", done)
	}
	if again, err := s.svc.Pause(ctx, s.ws, imp.ID); err != nil || again.State != store.Paused {
		t.Errorf("pausing twice: %s %v", again.State, err)
	}
	// Another import runs to its end meanwhile: had the paused one still a live
	// chunk, it would have shown by then.
	other := s.run("b.csv", strings.ReplaceAll(products(sized(6000, 2000), "b"), "S-", "T-"), importer.Options{})
	if other.State != store.Done {
		t.Fatalf("other import: %s", other.State)
	}
	if now, _ := s.svc.Import(ctx, s.ws, imp.ID); now.Tally.Rows() != done || now.State != store.Paused {
		t.Fatalf("while paused: %s with %d rows, were %d", now.State, now.Tally.Rows(), done)
	}
	if _, err := s.svc.Resume(ctx, s.ws, imp.ID); err != nil {
		t.Fatal(err)
	}
	end := s.await(imp.ID, store.State.Ended)
	if end.State != store.Done || end.Tally.Created != int64(rows) {
		t.Errorf("after resuming: %s %+v", end.State, end.Tally)
	}
	s.checkTally(end)
	if _, err := s.svc.Pause(ctx, s.ws, imp.ID); catalog.AsFault(err) == nil || catalog.AsFault(err).Kind != catalog.KindConflict {
		t.Errorf("pausing an ended import: %v, want a conflict", err)
	}
}

func TestTerminateKeepsWhatIsDone(t *testing.T) {
	g := newGate(2)
	s := newStack(t, func(c *importer.Config) { c.Probe = g.probe })
	imp, err := s.begin("a.csv", products(sized(20000, 9000), "a"), importer.Options{})
	if err != nil {
		t.Fatal(err)
	}
	<-g.reached
	end, err := s.svc.Terminate(context.Background(), s.ws, imp.ID)
	close(g.open)
	if err != nil || end.State != store.Terminated {
		t.Fatalf("terminate: %s %v", end.State, err)
	}
	other := s.run("b.csv", strings.ReplaceAll(products(sized(6000, 2000), "b"), "S-", "T-"), importer.Options{})
	end, _ = s.svc.Import(context.Background(), s.ws, imp.ID)
	s.checkTally(end)
	if n, _ := s.db.CountItems(context.Background(), s.ws.WS, store.ItemFilter{}); int64(n) != end.Tally.Created+other.Tally.Created {
		t.Errorf("%d items, tallies say %d and %d", n, end.Tally.Created, other.Tally.Created)
	}
	if _, err := s.svc.Resume(context.Background(), s.ws, imp.ID); catalog.AsFault(err) == nil {
		t.Error("a terminated import was resumed")
	}
}

// An import of new items that comes upon items which exist decides those chunks
// again, with the items read.
func TestNewItemsUntilSomeExist(t *testing.T) {
	s := newStack(t, nil)
	lines := strings.SplitAfter(products(9000, "old"), "\n")
	s.run("old.csv", lines[0]+strings.Join(lines[6001:], ""), importer.Options{})
	imp := s.run("all.csv", products(9000, "new"), importer.Options{})
	if imp.Tally.Created != 6000 || imp.Tally.Updated != 3000 {
		t.Errorf("tally %+v, want 6000 created and 3000 updated", imp.Tally)
	}
	s.checkTally(imp)
	if strings.Contains(s.dump(), " old") {
		t.Error("an item kept its old title")
	}
}

// Two imports over the same items at once, in opposite orders and partly new:
// both end, every row is accounted for, and the last writer decides per item.
func TestTwoImportsOverTheSameItems(t *testing.T) {
	rows := sized(9000, 5000)
	s := newStack(t, nil)
	s.run("base.csv", products(rows/2, "base"), importer.Options{})
	a, err := s.begin("a.csv", products(rows, "a"), importer.Options{})
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.SplitAfter(products(rows, "b"), "\n")
	reversed := []string{lines[0]}
	for i := len(lines) - 2; i > 0; i-- {
		reversed = append(reversed, lines[i])
	}
	b, err := s.begin("b.csv", strings.Join(reversed, ""), importer.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for _, id := range []string{a.ID, b.ID} {
		imp := s.await(id, store.State.Ended)
		if imp.State != store.Done || imp.Tally.Failed != 0 {
			t.Errorf("%s: %s %+v", imp.SourceName, imp.State, imp.Tally)
		}
		s.checkTally(imp)
	}
	if n, _ := s.db.CountItems(context.Background(), s.ws.WS, store.ItemFilter{}); n != rows {
		t.Errorf("%d items, want %d", n, rows)
	}
}

// A job that does not hold its batch, or whose batch was taken back, does nothing.
func TestStaleAndFencedJobsDoNothing(t *testing.T) {
	s := newIdleStack(t, nil)
	ctx := context.Background()
	imp, err := s.begin("a.csv", products(3000, "a"), importer.Options{})
	if err != nil {
		t.Fatal(err)
	}
	slice := store.Job{Format: store.JobFormat, WS: s.ws.WS, Batch: store.BatchRef{ImportNo: imp.No, Pass: ledger.PassSlice, No: 1}}
	if err := s.svc.Work(ctx, slice, 999999); !errors.Is(err, store.ErrStale) {
		t.Errorf("a job that holds nothing: %v, want stale", err)
	}
	missing := slice
	missing.Batch.ImportNo = 4711
	if err := s.svc.Work(ctx, missing, 1); !errors.Is(err, store.ErrStale) {
		t.Errorf("a job of no import: %v, want stale", err)
	}
	batches, err := s.db.Batches(ctx, s.ws.WS, imp.No, ledger.PassSlice)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.svc.Work(ctx, slice, batches[0].JobID); err != nil {
		t.Fatalf("the job that holds the batch: %v", err)
	}
	if err := s.svc.Work(ctx, slice, batches[0].JobID); !errors.Is(err, store.ErrStale) {
		t.Errorf("the same job again: %v, want stale", err)
	}
	if _, err := s.svc.Pause(ctx, s.ws, imp.ID); err != nil {
		t.Fatal(err)
	}
	rows, err := s.db.Batches(ctx, s.ws.WS, imp.No, ledger.PassApply)
	if err != nil || len(rows) == 0 {
		t.Fatalf("batches: %v %v", rows, err)
	}
	apply := store.Job{Format: store.JobFormat, WS: s.ws.WS, Batch: rows[0].BatchRef}
	if err := s.svc.Work(ctx, apply, rows[0].JobID); !errors.Is(err, store.ErrStale) {
		t.Errorf("a job of a paused import: %v, want stale", err)
	}
	if n, _ := s.db.CountItems(ctx, s.ws.WS, store.ItemFilter{}); n != 0 {
		t.Errorf("%d items were written", n)
	}
}

// A chunk under way when the import is paused is fenced: it does not commit.
func TestAPausedChunkDoesNotCommit(t *testing.T) {
	reached, open := make(chan struct{}), make(chan struct{})
	var once sync.Once
	s := newIdleStack(t, func(c *importer.Config) {
		c.Probe = func(step importer.Step) {
			if step == importer.StepChunkBegin {
				once.Do(func() { close(reached); <-open })
			}
		}
	})
	s.start()
	imp, err := s.begin("a.csv", products(3000, "a"), importer.Options{})
	if err != nil {
		t.Fatal(err)
	}
	<-reached
	if _, err := s.svc.Pause(context.Background(), s.ws, imp.ID); err != nil {
		t.Fatal(err)
	}
	close(open)
	other := s.run("b.csv", strings.ReplaceAll(products(3000, "b"), "S-", "T-"), importer.Options{})
	now, err := s.svc.Import(context.Background(), s.ws, imp.ID)
	if err != nil || now.Tally.Rows() != 0 {
		t.Errorf("rows after the pause: %d (%v)", now.Tally.Rows(), err)
	}
	if n, _ := s.db.CountItems(context.Background(), s.ws.WS, store.ItemFilter{}); int64(n) != other.Tally.Created {
		t.Errorf("%d items, want those of the other import alone", n)
	}
}

// What a crash can leave behind is put right by the sweep: batches whose job is
// gone, pauses and terminations that were cut short.
func TestSweepRevivesWhatNobodyWorksOn(t *testing.T) {
	s := newIdleStack(t, nil)
	ctx := context.Background()
	imp, err := s.begin("a.csv", products(3000, "a"), importer.Options{})
	if err != nil {
		t.Fatal(err)
	}
	job := func() int64 {
		batches, err := s.db.Batches(ctx, s.ws.WS, imp.No, ledger.PassSlice)
		if err != nil {
			t.Fatal(err)
		}
		return batches[0].JobID
	}
	waiting := job()
	if err := s.svc.Sweep(ctx, -patience); err != nil {
		t.Fatal(err)
	}
	if job() != waiting {
		t.Error("a batch whose job waits in the queue was given another")
	}
	// The job is lost: as after a node died with it, its batch holds a job that
	// the engine no longer knows.
	if err := s.db.jobsLost(ctx); err != nil {
		t.Fatal(err)
	}
	s.start()
	if err := s.svc.Sweep(ctx, -patience); err != nil {
		t.Fatal(err)
	}
	if end := s.await(imp.ID, store.State.Ended); end.Tally.Created != 3000 {
		t.Errorf("tally %+v", end.Tally)
	}
}

// A node whose clock was ahead died, or another clock holds now: what it noted for
// the future keeps nobody from its batch.
func TestSweepRevivesWhatBeatsInTheFuture(t *testing.T) {
	s := newIdleStack(t, nil)
	ctx := context.Background()
	imp, err := s.begin("a.csv", products(3000, "a"), importer.Options{})
	if err != nil {
		t.Fatal(err)
	}
	err = s.db.Write(ctx, s.ws.WS, false, func(tx store.Tx) error {
		b, err := tx.Batch(ctx, store.BatchRef{ImportNo: imp.No, Pass: ledger.PassSlice, No: 1})
		if err != nil {
			return err
		}
		ahead := time.Now().Add(24 * time.Hour)
		b.State, b.Beat = store.BatchRunning, &ahead
		return tx.SaveBatch(ctx, &b)
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.db.jobsLost(ctx); err != nil {
		t.Fatal(err)
	}
	s.start()
	if err := s.svc.Sweep(ctx, -patience); err != nil {
		t.Fatal(err)
	}
	if end := s.await(imp.ID, store.State.Ended); end.Tally.Created != 3000 {
		t.Errorf("tally %+v", end.Tally)
	}
}

func TestRefusedUploadsAreListed(t *testing.T) {
	s := newStack(t, nil)
	ctx := context.Background()
	cases := []struct{ name, content, code string }{
		{"empty.csv", "", "empty_file"},
		{"picture.csv", "\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR\x00\x00", "unknown_format"},
		{"nokey.csv", "colour,size\nred,1\n", "header_mismatch"},
		{"book.xlsx", "PK\x03\x04\x14\x00\x06\x00\x08\x00\x00\x00!\x00[Content_Types].xml", "unsupported_format"},
		{"list.json", `[{"sku":"A"}]`, "unsupported_format"},
		{"spooled.csv", "\xff\xfec\x00,\x00s\x00\r\x00\n\x00a\x00,\x00b\x00\r\x00\n\x00", "header_mismatch"},
	}
	ids := map[string]string{}
	for _, c := range cases {
		_, err := s.begin(c.name, c.content, importer.Options{})
		if f := catalog.AsFault(err); f == nil || f.Code != c.code {
			t.Errorf("%s: %v, want %s", c.name, err, c.code)
		}
		var r *importer.Refusal
		if !errors.As(err, &r) {
			t.Fatalf("%s: %v is no refusal", c.name, err)
		}
		ids[c.name] = r.Import.ID
	}
	list, total, err := s.svc.Imports(ctx, s.ws, store.ImportFilter{State: store.Refused}, store.Range{})
	if err != nil || total != len(cases) {
		t.Fatalf("%d refused imports are listed (%v), want %d", total, err, len(cases))
	}
	for i, imp := range list {
		want := cases[len(cases)-1-i]
		if imp.ID != ids[imp.SourceName] {
			t.Errorf("%s is listed as %s, the refusal said %s", imp.SourceName, imp.ID, ids[imp.SourceName])
		}
		if imp.SourceName != want.name || imp.FaultCode != want.code || imp.FaultMessage == "" {
			t.Errorf("listed: %s %s %q, want %s %s", imp.SourceName, imp.FaultCode, imp.FaultMessage, want.name, want.code)
		}
	}
	left := 0
	if err := s.files.List(ctx, "", func(filesInfo) error { left++; return nil }); err != nil || left != 0 {
		t.Errorf("%d files of refused uploads are left (%v)", left, err)
	}
}

// full is a store that takes no more.
type full struct{ store.Store }

var errFull = errors.New("disk full")

func (full) Write(context.Context, store.WS, bool, func(store.Tx) error) error { return errFull }

// A refusal that cannot be recorded is told all the same, and why it is not
// listed stands in the log.
func TestARefusalThatCannotBeRecordedIsTold(t *testing.T) {
	var log bytes.Buffer
	s := newIdleStack(t, func(c *importer.Config) {
		c.Store, c.Log = full{c.Store}, slog.New(slog.NewTextHandler(&log, nil))
	})
	for name, content := range map[string]string{"empty.csv": "", "nokey.csv": "colour,size\nred,1\n"} {
		log.Reset()
		_, err := s.begin(name, content, importer.Options{})
		var r *importer.Refusal
		if errors.As(err, &r) || catalog.AsFault(err) == nil || !errors.Is(err, errFull) {
			t.Errorf("%s: %v", name, err)
		}
		if !strings.Contains(log.String(), "disk full") {
			t.Errorf("%s: the log says %q", name, &log)
		}
	}
}
