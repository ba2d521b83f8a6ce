package main

import (
	"context"
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"tallyman/internal/bench/catalogen"
	"tallyman/internal/bench/program"
)

// The passes beside an import, in the order in which they are shown. Each is
// measured against the import of the same file over the same catalog.
const (
	passPlanCreate  = "plan create"  // the plan of a file of new products
	passApplyCreate = "apply create" // that plan applied
	passUndoCreate  = "undo create"  // an import of that file taken back
	passPlanUpdate  = "plan update"  // the plan of a file of changed products
	passApplyUpdate = "apply update" // that plan applied
	passUndoUpdate  = "undo update"  // an import of that file taken back
)

var allPasses = []string{passPlanCreate, passApplyCreate, passUndoCreate, passPlanUpdate, passApplyUpdate, passUndoUpdate}

// passes measures plan, apply and undo in two empty catalogs. In the one the
// files are planned and the plans applied, in the other they are imported and
// the imports taken back.
func (t *trial) passes(ctx context.Context) error {
	dir, err := os.MkdirTemp(t.dir, casePasses)
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	r := passRun{trial: t, took: map[string]result{}, dir: dir}
	if r.create, err = r.write("create.csv", t.all()); err != nil {
		return err
	}
	if r.update, err = r.write("update.csv", t.changed()); err != nil {
		return err
	}
	if err := r.imported(ctx); err != nil {
		return err
	}
	if err := r.planned(ctx); err != nil {
		return err
	}
	for _, name := range allPasses {
		t.results = append(t.results, r.took[name])
	}
	return nil
}

// passRun is the state of one call of passes.
type passRun struct {
	*trial
	dir            string
	create, update passFile
	took           map[string]result
}

// passFile is a file that the passes are about, with what its import took.
type passFile struct {
	name  string
	stats catalogen.Stats
	base  result
}

func (r *passRun) write(name string, g catalogen.Config) (f passFile, err error) {
	f.name = filepath.Join(r.dir, name)
	f.stats, err = catalogen.WriteFile(f.name, g, nil)
	return f, err
}

// imported imports each file and takes it back. The catalog must then be what it
// was, document by document.
func (r *passRun) imported(ctx context.Context) error {
	p := &program.Program{Binary: r.binary, Data: filepath.Join(r.dir, "imported")}
	if err := r.thereAndBack(ctx, p, passUndoCreate, &r.create); err != nil {
		return err
	}
	// What the update changes has to be there again.
	if _, err := importFile(ctx, p, r.create.name, catalogen.Columns(""), r.create.stats); err != nil {
		return err
	}
	return r.thereAndBack(ctx, p, passUndoUpdate, &r.update)
}

func (r *passRun) thereAndBack(ctx context.Context, p *program.Program, name string, f *passFile) error {
	before, err := documents(ctx, p)
	if err != nil {
		return err
	}
	if f.base, err = importFile(ctx, p, f.name, catalogen.Columns(""), f.stats); err != nil {
		return fmt.Errorf("import before %s: %w", name, err)
	}
	undo, u, err := p.Undo(ctx, f.base.id)
	if err != nil {
		return err
	}
	if undo.State != "done" || undo.Deleted+undo.Updated != f.stats.Records || undo.Processed != f.stats.Records {
		return fmt.Errorf("%s ended as %+v; %d rows were to be taken back", name, undo, f.stats.Records)
	}
	after, err := documents(ctx, p)
	if err != nil {
		return err
	}
	if after != before {
		return fmt.Errorf("%s: the catalog is not what it was before the import", name)
	}
	r.note(name, p, f, u)
	return nil
}

// planned plans each file and applies its plan, which must do what it showed.
func (r *passRun) planned(ctx context.Context) error {
	p := &program.Program{Binary: r.binary, Data: filepath.Join(r.dir, "planned")}
	if err := r.planAndApply(ctx, p, passPlanCreate, passApplyCreate, &r.create); err != nil {
		return err
	}
	return r.planAndApply(ctx, p, passPlanUpdate, passApplyUpdate, &r.update)
}

func (r *passRun) planAndApply(ctx context.Context, p *program.Program, planName, applyName string, f *passFile) error {
	plan, u, err := p.Plan(ctx, f.name, catalogen.Columns(""))
	if err != nil {
		return err
	}
	r.note(planName, p, f, u)
	if plan.Rows() != f.stats.Records {
		return fmt.Errorf("%s counts %+v; the file has %d rows", planName, plan.Counts, f.stats.Records)
	}
	done, u, err := p.Apply(ctx, plan)
	if err != nil {
		return err
	}
	r.note(applyName, p, f, u)
	if done.State != "done" || done.Counts() != plan.Counts {
		return fmt.Errorf("%s ended as %s with %+v; the plan showed %+v", applyName, done.State, done.Counts(), plan.Counts)
	}
	return nil
}

func (r *passRun) note(name string, p *program.Program, f *passFile, u program.Usage) {
	r.took[name] = result{name: name, rows: f.stats.Records, ours: u.Wall, peak: u.Peak, size: program.DiskSize(p.Embedded()),
		base: f.base.ours, basePeak: f.base.peak}
	fmt.Fprintf(r.log, "bench: %-12s %9d rows in %v\n", name, f.stats.Records, u.Wall.Round(time.Millisecond))
}

// documents is a digest of every document of the catalog; while there is no catalog yet,
// that of none.
func documents(ctx context.Context, p *program.Program) (string, error) {
	sum := sha256.New()
	if program.DiskSize(p.Embedded()) > 0 {
		_, err := program.RunTo(ctx, nil, sum, "sqlite3", "-batch", "-bail", p.Embedded(), "SELECT id, sku, gtin, doc FROM item ORDER BY sku;")
		if err != nil {
			return "", err
		}
	}
	return fmt.Sprintf("%x", sum.Sum(nil)), nil
}
