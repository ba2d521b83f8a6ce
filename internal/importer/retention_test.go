package importer_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"tallyman/internal/catalog"
	"tallyman/internal/importer"
	"tallyman/internal/store"
)

const day = 24 * time.Hour

// aging is a stack whose clock is set by hand.
type aging struct {
	*stack
	at time.Time
}

func newAging(t *testing.T, mod func(*importer.Config)) *aging {
	a := &aging{at: time.Now()}
	a.stack = newIdleStack(t, func(c *importer.Config) {
		c.Now = func() time.Time { return a.at }
		if mod != nil {
			mod(c)
		}
	})
	return a
}

// pass lets time pass, and retention do its work.
func (a *aging) pass(d time.Duration) {
	a.t.Helper()
	a.at = a.at.Add(d)
	if err := a.svc.Retain(context.Background()); err != nil {
		a.t.Fatal(err)
	}
}

// upload imports content with the jobs done by hand.
func (a *aging) upload(name, content string) store.Import {
	a.t.Helper()
	return a.drained(a.begin(name, content, importer.Options{}))
}

// Rows are not run again once what the import had replaced is gone: what they
// wrote could not be undone, and nothing would ever take their pages.
func TestAnImportPastItsRetentionIsNotRetried(t *testing.T) {
	a := newAging(t, nil)
	ctx := context.Background()
	imp := a.upload("a.csv", "sku,title,price\nA,a,1\nB,b,x\n")
	a.correct(imp.ID, 3, map[string]string{"price": "2"})
	a.pass(31 * day)
	for _, opt := range []importer.RetryOptions{{Failed: true}, {Failed: true, Plan: true}} {
		_, err := a.svc.Retry(ctx, a.ws, imp.ID, opt)
		wantFault(t, err, "retry_expired")
	}
	_, err := a.svc.Undo(ctx, a.ws, imp.ID, importer.Options{})
	wantFault(t, err, "undo_expired")
	now := a.now(imp)
	if now.State != store.Done || now.Tally != imp.Tally || !now.ImagesGone || !a.svc.UndoableUntil(&now).IsZero() {
		t.Errorf("%s %+v, images gone %v, undoable until %v", now.State, now.Tally, now.ImagesGone, a.svc.UndoableUntil(&now))
	}
}

// expiring is a store in which something happens when retention has listed what is
// past its time.
type expiring struct {
	store.Store
	then func()
}

func (e expiring) Expired(ctx context.Context, x store.Expiry, limit int) ([]store.Import, error) {
	list, err := e.Store.Expired(ctx, x, limit)
	e.then()
	return list, err
}

// A retry that began when retention had listed its import keeps what it needs.
func TestRetentionLeavesARetryAlone(t *testing.T) {
	var a *aging
	var imp store.Import
	ctx := context.Background()
	a = newAging(t, func(c *importer.Config) {
		c.Store = expiring{c.Store, func() {
			imp = a.drained(a.svc.Retry(ctx, a.ws, imp.ID, importer.RetryOptions{Plan: true, Failed: true}))
		}}
	})
	a.upload("before.csv", "sku,title\nA,old\nB,old\n")
	imp = a.upload("a.csv", "sku,title,price\nA,a,1\nB,b,x\n")
	a.correct(imp.ID, 3, map[string]string{"price": "2"})
	a.pass(31 * day)
	if imp = a.now(imp); imp.State != store.Planned || imp.Plan.Updated != 1 || imp.ImagesGone {
		t.Fatalf("%s %+v, images gone %v", imp.State, imp.Plan, imp.ImagesGone)
	}
	imp = a.drained(a.svc.Apply(ctx, a.ws, imp.ID, importer.ApplyOptions{Fingerprint: imp.Fingerprint}))
	if imp.State != store.Done || imp.Tally != (catalog.Tally{Updated: 2}) {
		t.Fatalf("%s %s %+v", imp.State, imp.FaultMessage, imp.Tally)
	}
	undo := a.drained(a.svc.Undo(ctx, a.ws, imp.ID, importer.Options{}))
	want := `{"sku":"A","title":"old"}` + "\n" + `{"sku":"B","title":"old"}`
	if undo.State != store.Done || undo.Tally.Updated != 2 || a.values() != want {
		t.Errorf("undo %s %+v, left are\n%s", undo.State, undo.Tally, a.values())
	}
}

// What an undo kept is not run again once what it would give back is gone, though
// the undo itself is young.
func TestKeptRowsAreNotRetriedWithoutTheirImages(t *testing.T) {
	a := newAging(t, nil)
	ctx := context.Background()
	a.upload("a.csv", "sku,title\nA,a\nB,b\n")
	imp := a.upload("b.csv", "sku,title\nA,a2\nB,b2\nC,c\n")
	a.upload("c.csv", "sku,title\nA,a3\n")
	a.at = a.at.Add(20 * day)
	undo := a.drained(a.svc.Undo(ctx, a.ws, imp.ID, importer.Options{}))
	if undo.State != store.Done || undo.Tally.Held != 1 {
		t.Fatalf("%s %+v", undo.State, undo.Tally)
	}
	before := a.dump()
	a.pass(11 * day)
	_, err := a.svc.Retry(ctx, a.ws, undo.ID, importer.RetryOptions{Held: true})
	wantFault(t, err, "undo_expired")
	if now := a.now(undo); now.State != store.Done || now.ImagesGone || now.Tally != undo.Tally || a.dump() != before {
		t.Errorf("%s %+v, images gone %v", now.State, now.Tally, now.ImagesGone)
	}
	a.pass(20 * day)
	_, err = a.svc.Retry(ctx, a.ws, undo.ID, importer.RetryOptions{Held: true})
	wantFault(t, err, "retry_expired")
}

// A retry whose plan nobody applied in time is given up: the import is again what
// it was, and ages as it would have.
func TestARetryNobodyAppliedAgesOut(t *testing.T) {
	a := newAging(t, nil)
	ctx := context.Background()
	imp := a.upload("a.csv", "sku,title,price\nA,a,1\nB,b,x\n")
	plan := a.drained(a.svc.Retry(ctx, a.ws, imp.ID, importer.RetryOptions{Plan: true, Failed: true}))
	if plan.State != store.Planned {
		t.Fatal(plan.State)
	}
	a.pass(31 * day)
	a.pass(day)
	now := a.now(imp)
	if now.State != store.Done || now.FaultCode != "" || now.Tally != imp.Tally || now.CompletedAt == nil || !now.CompletedAt.Equal(*imp.CompletedAt) || !now.ImagesGone {
		t.Errorf("%s %s %+v, completed %v, images gone %v", now.State, now.FaultCode, now.Tally, now.CompletedAt, now.ImagesGone)
	}
}

// What keeps one import's files from going keeps neither those of others nor what
// is in the database from it.
func TestRetentionGoesOnPastAnImportWhoseFilesStay(t *testing.T) {
	d := &dying{}
	a := newAging(t, func(c *importer.Config) {
		d.Store = c.Files
		c.Files = d
		c.KeepFiles, c.KeepImages, c.KeepAudit = 20*day, 10*day, 5*day
	})
	ctx := context.Background()
	first := a.upload("a.csv", "sku,title,price\nA,a,1\n")
	a.at = a.at.Add(time.Hour)
	second := a.upload("b.csv", "sku,title,price\nB,b,1\n")
	locked := errors.New("locked")
	d.at = func(key string) error {
		if key == first.FileKey {
			return locked
		}
		return nil
	}
	a.at = a.at.Add(21 * day)
	if err := a.svc.Retain(ctx); !errors.Is(err, locked) {
		t.Errorf("retention said %v", err)
	}
	if now := a.now(second); !now.FilesGone || !now.ImagesGone {
		t.Errorf("the second: files gone %v, images gone %v", now.FilesGone, now.ImagesGone)
	}
	old, err := a.db.PurgeAudit(ctx, a.at.Add(-5*day), 100)
	if err != nil || old != 0 {
		t.Errorf("%d old audit entries were left, %v", old, err)
	}
}
