package storetest

import (
	"context"
	"errors"
	"time"

	"tallyman/internal/catalog"
	"tallyman/internal/ledger"
	"tallyman/internal/store"
)

var writeTrials = []trial{
	{"write/rollback leaves nothing", func(w *world) {
		before := w.digest(w.s)
		err := w.s.Write(w.ctx(), w.ws, false, func(tx store.Tx) error {
			w.everything(tx)
			return errRollback
		})
		w.want(err, errRollback)
		w.same("store", w.digest(w.s), before)
	}},
	{"write/durable", func(w *world) {
		imp := newImport(1)
		w.ok(w.s.Write(w.ctx(), w.ws, true, func(tx store.Tx) error { return tx.InsertImport(w.ctx(), &imp) }))
		w.want(w.s.Write(w.ctx(), w.ws, true, func(store.Tx) error { return errRollback }), errRollback)
		_, err := w.s.Import(w.ctx(), w.ws, imp.ID)
		w.ok(err)
	}},
	{"write/a panic rolls back", func(w *world) {
		func() {
			defer func() { _ = recover() }()
			_ = w.s.Write(w.ctx(), w.ws, false, func(tx store.Tx) error {
				w.everything(tx)
				panic("on purpose")
			})
		}()
		w.same("count", w.count(), 0)
		w.insert(newItem(1))
	}},
	{"write/unseen until committed, seen after", func(w *world) {
		before := w.digest(w.s)
		w.write(func(tx store.Tx) error {
			w.everything(tx)
			w.same("store while writing", w.digest(w.s), before)
			return nil
		})
		w.same("count", w.count(), 1)
	}},
	{"write/sees its own", func(w *world) {
		w.write(func(tx store.Tx) error {
			w.everything(tx)
			w.same("items", len(w.read(tx, newItem(1).ID)), 1)
			_, err := tx.LockImport(w.ctx(), 1)
			w.ok(err)
			_, err = tx.Batch(w.ctx(), store.BatchRef{ImportNo: 1, Pass: ledger.PassApply, No: 1})
			return err
		})
	}},
	{"write/an ended context", func(w *world) {
		ctx, cancel := context.WithCancel(w.ctx())
		err := w.s.Write(ctx, w.ws, false, func(tx store.Tx) error {
			w.everything(tx)
			cancel()
			return nil
		})
		w.want(err, context.Canceled)
		w.same("count", w.count(), 0)
		err = w.s.Write(ctx, w.ws, false, func(store.Tx) error { return nil })
		w.want(err, context.Canceled)
		w.insert(newItem(1))
	}},
	{"write/a step under an ended context", func(w *world) {
		ctx, cancel := context.WithCancel(w.ctx())
		p := w.s.Prepare(w.ws, newItems(1, 3))
		err := w.s.Write(ctx, w.ws, false, func(tx store.Tx) error {
			cancel()
			return tx.Insert(ctx, p)
		})
		w.want(err, context.Canceled)
		w.same("count", w.count(), 0)
	}},
	{"enqueue/an id for each job", func(w *world) {
		job := store.Job{Format: store.JobFormat, WS: w.ws, Batch: store.BatchRef{ImportNo: 1, Pass: ledger.PassApply, No: 1}, Small: true}
		w.write(func(tx store.Tx) error {
			a, err := tx.Enqueue(w.ctx(), job)
			w.ok(err)
			b, err := tx.Enqueue(w.ctx(), job)
			if a == 0 || b == 0 || a == b {
				w.Fatalf("jobs %d and %d", a, b)
			}
			return err
		})
	}},
	{"enqueue/not for another workspace", func(w *world) {
		err := w.try(w.ws, func(tx store.Tx) error {
			_, err := tx.Enqueue(w.ctx(), store.Job{Format: store.JobFormat, WS: w.other})
			return err
		})
		if err == nil {
			w.Fatal("a job of another workspace was enqueued")
		}
	}},
	{"health", func(w *world) { w.ok(w.s.Health(w.ctx())) }},
	{"snapshot/time stands still", func(w *world) {
		w.write(func(tx store.Tx) error { w.everything(tx); return nil })
		w.ok(w.s.Snapshot(w.ctx(), func(still store.Store) error {
			before := w.digest(still)
			w.insert(newItem(2))
			w.addImport(2, store.Received)
			w.addPage(newPage(1, ledger.PassApply, 1, 2))
			w.workspace("gamma")
			w.same("snapshot", w.digest(still), before)
			w.ok(still.Health(w.ctx()))
			return still.Snapshot(w.ctx(), func(nested store.Store) error {
				w.same("nested snapshot", w.digest(nested), before)
				return nil
			})
		}))
		w.same("count afterwards", w.count(), 2)
	}},
	{"snapshot/is of its beginning", func(w *world) {
		w.ok(w.s.Snapshot(w.ctx(), func(still store.Store) error {
			w.insert(newItem(1))
			w.same("items", len(w.all(still, w.ws)), 0)
			return nil
		}))
	}},
	{"snapshot/cannot be written to", func(w *world) {
		w.ok(w.s.Snapshot(w.ctx(), func(still store.Store) error {
			_, _, errRequest := still.BeginRequest(w.ctx(), w.ws, store.Request{Key: "k", At: start, Beat: start}, start)
			_, errWorkspace := still.CreateWorkspace(w.ctx(), store.Workspace{Name: "gamma", CreatedAt: start})
			_, errAudit := still.PurgeAudit(w.ctx(), start, 1)
			for name, err := range map[string]error{
				"write":            still.Write(w.ctx(), w.ws, false, func(store.Tx) error { return nil }),
				"create workspace": errWorkspace,
				"create key":       still.CreateKey(w.ctx(), w.ws, store.Key{ID: "k", Hash: "h", CreatedAt: start}),
				"revoke key":       still.RevokeKey(w.ctx(), w.ws, "k", start),
				"begin request":    errRequest,
				"beat request":     still.BeatRequest(w.ctx(), w.ws, "k", start, start),
				"end request":      still.EndRequest(w.ctx(), w.ws, store.Request{Key: "k", At: start}),
				"drop request":     still.DropRequest(w.ctx(), w.ws, "k", start),
				"purge requests":   still.PurgeRequests(w.ctx(), start),
				"create user":      still.CreateUser(w.ctx(), w.ws, newUser("u")),
				"update user":      still.UpdateUser(w.ctx(), w.ws, newUser("u"), newUser("u")),
				"append audit":     still.AppendAudit(w.ctx(), w.ws, ptr(newEntry("key.create", "k"))),
				"purge audit":      errAudit,
				"beat node":        still.BeatNode(w.ctx(), newNode("n", start)),
				"leave node":       still.LeaveNode(w.ctx(), "n"),
				"writable":         still.Writable(w.ctx()),
			} {
				if err == nil {
					w.Errorf("%s through a snapshot passed", name)
				}
			}
			return nil
		}))
	}},
	{"snapshot/returns the reader's error", func(w *world) {
		enough := errors.New("enough")
		w.want(w.s.Snapshot(w.ctx(), func(store.Store) error { return enough }), enough)
	}},
}

// everything writes one of each: import 1, its apply batch 1 and page, a
// correction and a fix of it, item 1, and an entry of the audit log.
func (w *world) everything(tx store.Tx) {
	w.Helper()
	imp := newImport(1)
	w.ok(tx.InsertImport(w.ctx(), &imp))
	b := newBatch(apply(imp, 1))
	b.Tally, b.JobID = counted(1), 42
	w.ok(tx.InsertBatches(w.ctx(), []store.Batch{b}))
	p := newPage(imp.No, ledger.PassApply, 1, 1)
	w.ok(tx.InsertPage(w.ctx(), &p))
	w.ok(tx.SaveCorrections(w.ctx(), imp.No, []store.Correction{newCorrection(2)}))
	f := newFix("a")
	w.ok(tx.InsertFix(w.ctx(), imp.No, &f))
	w.ok(tx.Insert(w.ctx(), w.s.Prepare(w.ws, []catalog.Item{newItem(1)})))
	w.ok(tx.AppendAudit(w.ctx(), ptr(newEntry("import.start", imp.ID))))
	_, err := tx.Enqueue(w.ctx(), store.Job{Format: store.JobFormat, WS: w.ws})
	w.ok(err)
}

// contents is what a workspace holds, read through a store's read methods.
type contents struct {
	Workspaces  []store.Workspace
	Keys        []store.Key
	Users       []store.User
	Audit       []store.AuditEntry
	Imports     []store.Import
	Batches     []store.Batch
	Pages       []ledger.Page
	Corrections []store.Correction
	Fixes       []store.Fix
	Items       []catalog.Item
	Stalled     []store.StalledBatch
	Size        store.LedgerSize
}

func (w *world) digest(s store.Store) (c contents) {
	w.Helper()
	var err error
	c.Workspaces, err = s.Workspaces(w.ctx())
	w.ok(err)
	c.Keys, err = s.Keys(w.ctx(), w.ws)
	w.ok(err)
	c.Users, err = s.Users(w.ctx(), w.ws)
	w.ok(err)
	c.Audit, err = s.Audit(w.ctx(), w.ws, store.AuditFilter{}, 0)
	w.ok(err)
	c.Imports, _, err = s.Imports(w.ctx(), w.ws, store.ImportFilter{}, store.Range{})
	w.ok(err)
	c.Stalled, err = s.Stalled(w.ctx(), after(100*time.Hour), after(100*time.Hour))
	w.ok(err)
	for _, imp := range c.Imports {
		batches, err := s.Batches(w.ctx(), w.ws, imp.No, "")
		w.ok(err)
		c.Batches = append(c.Batches, batches...)
		corrections, err := s.Corrections(w.ctx(), w.ws, imp.No, 0, 0)
		w.ok(err)
		c.Corrections = append(c.Corrections, corrections...)
		fixes, err := s.Fixes(w.ctx(), w.ws, imp.No)
		w.ok(err)
		c.Fixes = append(c.Fixes, fixes...)
		for _, pass := range []ledger.Pass{ledger.PassPlan, ""} {
			w.ok(s.Pages(w.ctx(), w.ws, imp.No, store.PageFilter{Pass: pass, Outcomes: true, Images: true}, func(p ledger.Page) error {
				c.Pages = append(c.Pages, p)
				return nil
			}))
		}
	}
	c.Items = w.all(s, w.ws)
	c.Size, err = s.LedgerSize(w.ctx(), w.ws)
	w.ok(err)
	return c
}
