package importer_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"syscall"
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

// dying is a file store whose process dies at the first file that is deleted.
type dying struct {
	files.Store
	at func(key string) error
}

func (d *dying) Delete(ctx context.Context, key string) error {
	if d.at != nil {
		if err := d.at(key); err != nil {
			return err
		}
	}
	return d.Store.Delete(ctx, key)
}

// What a process that died left of the files of an aged out import goes with the
// uploads that nobody needs; those of other imports stay.
func TestTheRestOfAnAgedOutImportGoes(t *testing.T) {
	d := &dying{}
	a := newAging(t, func(c *importer.Config) {
		d.Store = c.Files
		c.Files = d
		c.KeepFiles = 20 * day
	})
	ctx := context.Background()
	imp := a.upload("a.csv", "sku,title,price\nA,a,1\nA,a,2\nB,b,x\n")
	d.at = func(string) error { return errors.New("the process dies") }
	a.at = a.at.Add(21 * day)
	kept := a.upload("b.csv", "sku,title,price\nC,c,1\n")
	if err := a.svc.Retain(ctx); err == nil {
		t.Fatal("retention did not die")
	}
	d.at = nil
	if now := a.now(imp); !now.FilesGone {
		t.Error("files went before the import said so")
	}
	a.pass(time.Hour)
	left := len(a.keysOf())
	a.at = time.Now().Add(25 * time.Hour)
	if err := a.svc.Tidy(ctx); err != nil {
		t.Fatal(err)
	}
	for _, key := range a.keysOf() {
		if key == imp.FileKey || strings.HasPrefix(key, fmt.Sprintf("w%d/imports/%d/", imp.WS, imp.No)) {
			t.Errorf("%s is left", key)
		}
	}
	if n := len(a.keysOf()); n == 0 || n >= left {
		t.Errorf("of %d files %d are left", left, n)
	}
	if _, err := a.files.Stat(ctx, kept.FileKey); err != nil {
		t.Errorf("the upload of another import: %v", err)
	}
	if again := a.upload("c.csv", "sku,title,price\nC,c,2\n"); again.State != store.Done {
		t.Errorf("%s", again.State)
	}
}

// fullFiles is a file store without room for another file.
type fullFiles struct {
	files.Store
	err error
}

func (f *fullFiles) Create(ctx context.Context, key string) (files.Writer, error) {
	if f.err != nil {
		return nil, f.err
	}
	return f.Store.Create(ctx, key)
}

// Retention makes room where there is none, and so needs none; a store that does
// not answer is waited for.
func TestFilesAgeOutOfAFullStore(t *testing.T) {
	for name, c := range map[string]struct {
		err  error
		goes bool
	}{
		"a full disk":    {&fs.PathError{Op: "write", Path: "x", Err: syscall.ENOSPC}, true},
		"a quota":        {&fs.PathError{Op: "write", Path: "x", Err: syscall.EDQUOT}, true},
		"a full bucket":  {fmt.Errorf("%w: %w", files.ErrUnavailable, files.ErrNoRoom), true},
		"an outage":      {files.ErrUnavailable, false},
		"something else": {errors.New("broken"), false},
	} {
		t.Run(name, func(t *testing.T) {
			f := &fullFiles{}
			a := newAging(t, func(cfg *importer.Config) {
				f.Store = cfg.Files
				cfg.Files, cfg.KeepFiles = f, 20*day
			})
			imp := a.upload("a.csv", "sku,title,price\nA,a,1\nA,a,2\n")
			a.at, f.err = a.at.Add(21*day), c.err
			if err := a.svc.Retain(context.Background()); (err == nil) != c.goes {
				t.Errorf("retention said %v", err)
			}
			if now := a.now(imp); now.FilesGone != c.goes || (len(a.keysOf()) == 0) != c.goes {
				t.Errorf("files gone %v, left are %v", now.FilesGone, a.keysOf())
			}
		})
	}
}

// A retry that comes while files are being taken is told that they are, and one
// that came just before keeps them.
func TestARetryMeetsRetentionOfItsFile(t *testing.T) {
	for _, early := range []bool{true, false} {
		t.Run(fmt.Sprint("early ", early), func(t *testing.T) {
			d := &dying{}
			var a *aging
			var imp store.Import
			ctx := context.Background()
			retried := 0
			retry := func() error {
				retried++
				_, err := a.svc.Retry(ctx, a.ws, imp.ID, importer.RetryOptions{Failed: true})
				return err
			}
			a = newAging(t, func(c *importer.Config) {
				d.Store = c.Files
				c.Files = d
				c.KeepFiles = 20 * day
				if early {
					c.Store = expiring{c.Store, func() {
						if err := retry(); err != nil {
							t.Error(err)
						}
					}}
				}
			})
			imp = a.upload("a.csv", "sku,title,price\nA,a,1\nB,b,x\n")
			if !early {
				d.at = func(string) error {
					d.at = nil
					wantFault(t, retry(), "retry_expired")
					return nil
				}
			}
			a.pass(21 * day)
			now := a.drain(imp)
			if retried != 1 || now.State != store.Done || now.FaultCode != "" || now.FilesGone == early || now.Tally != imp.Tally {
				t.Errorf("%d retries, %s %s %+v, files gone %v", retried, now.State, now.FaultCode, now.Tally, now.FilesGone)
			}
			if _, err := a.files.Stat(ctx, imp.FileKey); (err == nil) != early {
				t.Errorf("the file: %v", err)
			}
		})
	}
}
