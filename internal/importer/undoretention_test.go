package importer_test

import (
	"context"
	"testing"

	"tallyman/internal/importer"
	"tallyman/internal/store"
)

// An undo needs the list of what it takes back, which goes with its files: past
// their retention its rows are not run again, it stays what it was, and the import
// can be taken back once more.
func TestAnUndoWithoutItsFilesIsNotRetried(t *testing.T) {
	a := newAging(t, func(c *importer.Config) { c.KeepFiles = 5 * day })
	ctx := context.Background()
	a.upload("a.csv", "sku,title\nA,a\nB,b\n")
	imp := a.upload("b.csv", "sku,title\nA,a2\nB,b2\nC,c\n")
	a.upload("c.csv", "sku,title\nA,a3\n")
	undo := a.drained(a.svc.Undo(ctx, a.ws, imp.ID, importer.Options{}))
	if undo.State != store.Done || undo.Tally.Held != 1 {
		t.Fatalf("%s %+v", undo.State, undo.Tally)
	}
	before := a.dump()
	a.pass(6 * day)
	if now := a.now(undo); !now.FilesGone || now.ImagesGone {
		t.Fatalf("files gone %v, images gone %v", now.FilesGone, now.ImagesGone)
	}
	for _, opt := range []importer.RetryOptions{{Held: true}, {Held: true, Plan: true}} {
		_, err := a.svc.Retry(ctx, a.ws, undo.ID, opt)
		wantFault(t, err, "retry_expired")
	}
	if now := a.now(undo); now.State != store.Done || now.Tally != undo.Tally || a.dump() != before {
		t.Errorf("%s %s %+v", now.State, now.FaultCode, now.Tally)
	}
	again := a.drained(a.svc.Undo(ctx, a.ws, imp.ID, importer.Options{Force: true}))
	want := `{"sku":"A","title":"a"}` + "\n" + `{"sku":"B","title":"b"}`
	if again.State != store.Done || again.Tally.Held != 0 || a.values() != want {
		t.Errorf("with force: %s %+v, left are\n%s", again.State, again.Tally, a.values())
	}
}
