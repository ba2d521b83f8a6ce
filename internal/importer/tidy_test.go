package importer_test

import (
	"bytes"
	"context"
	"strings"
	"testing"
	"time"

	"tallyman/internal/catalog"
	"tallyman/internal/files"
	"tallyman/internal/importer"
	"tallyman/internal/store"
)

// keysOf lists everything in the file store.
func (a *aging) keysOf() (keys []string) {
	a.t.Helper()
	err := a.files.List(context.Background(), "", func(f files.Info) error {
		keys = append(keys, f.Key)
		return nil
	})
	if err != nil {
		a.t.Fatal(err)
	}
	return keys
}

// The file of an import and its lists go after their time, and what is still known
// of it is told: its counts and problems, not its cells.
func TestFilesAgeOut(t *testing.T) {
	a := newAging(t, func(c *importer.Config) { c.KeepFiles = 60 * day })
	ctx := context.Background()
	utf16 := "\xff\xfe" + strings.Join(strings.Split("sku,title,price\nU,u,1\n", ""), "\x00") + "\x00" // is spooled
	imps := []store.Import{a.upload("a.csv", "sku,title,price\nA,a,1\nA,a,2\nB,b,x\n"), a.upload("b.csv", utf16)}
	if len(a.keysOf()) < 4 {
		t.Fatalf("two imports left only %v", a.keysOf())
	}
	a.pass(59 * day)
	before := a.keysOf()
	a.pass(2 * day)
	if left := a.keysOf(); len(before) < 3 || len(left) != 0 {
		t.Errorf("of %v are left: %v", before, left)
	}
	for _, imp := range imps {
		if now := a.now(imp); !now.FilesGone || !now.ImagesGone || now.OutcomesGone || now.Tally != imp.Tally {
			t.Errorf("files gone %v, images %v, outcomes %v, tally %+v, was %+v", now.FilesGone, now.ImagesGone, now.OutcomesGone, now.Tally, imp.Tally)
		}
	}
	err := a.svc.WriteRows(ctx, a.ws, imps[0].ID, importer.RowFilter{Outcomes: []catalog.Outcome{catalog.Failed}}, &bytes.Buffer{})
	wantFault(t, err, "file_gone")
	if problems, n, err := a.svc.Problems(ctx, a.ws, imps[0].ID, importer.ProblemFilter{}, store.Range{}); err != nil || n != 2 {
		t.Errorf("%d problems %+v, %v", n, problems, err)
	}
	version := a.now(imps[0]).Version
	if a.pass(day); a.now(imps[0]).Version != version {
		t.Error("what is gone was taken again")
	}
}

// Uploads that never became an import go after a day, those that did stay, and so
// does one that has only just come.
func TestUploadsWithoutAnImportGo(t *testing.T) {
	a := newAging(t, nil)
	ctx := context.Background()
	kept := a.upload("a.csv", "sku,title,price\nA,a,1\n")
	lost, err := a.svc.Receive(ctx, a.ws, "rest", "", "lost.csv", strings.NewReader("sku,title\nL,l\n"))
	if err != nil {
		t.Fatal(err)
	}
	tidy := func() {
		t.Helper()
		if err := a.svc.Tidy(ctx); err != nil {
			t.Fatal(err)
		}
	}
	a.at = time.Now().Add(23 * time.Hour)
	tidy()
	if _, err := a.files.Stat(ctx, lost.Key); err != nil {
		t.Errorf("after 23 hours: %v", err)
	}
	a.at = time.Now().Add(25 * time.Hour)
	tidy()
	if _, err := a.files.Stat(ctx, lost.Key); err == nil {
		t.Error("after 25 hours the upload is still there")
	}
	if _, err := a.files.Stat(ctx, kept.FileKey); err != nil {
		t.Errorf("the upload of an import: %v", err)
	}
}
