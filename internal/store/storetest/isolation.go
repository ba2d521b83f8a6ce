package storetest

import (
	"errors"
	"fmt"
	"io"
	"reflect"
	"slices"
	"time"

	"tallyman/internal/catalog"
	"tallyman/internal/ledger"
	"tallyman/internal/store"
)

var isolationTrials = []trial{
	{"isolation/every method has its line", func(w *world) {
		want := append(methods("Store", reflect.TypeFor[store.Store]()), methods("Tx", reflect.TypeFor[store.Tx]())...)
		var got []string
		for _, c := range intrusions {
			got = append(got, c.method)
		}
		slices.Sort(want)
		slices.Sort(got)
		w.same("methods tried from another workspace", slices.Compact(got), want)
	}},
	{"isolation/another workspace finds and changes nothing", func(w *world) {
		v := w.furnish()
		before := w.digest(w.s)
		for _, c := range intrusions {
			if err := c.call(v); err != nil {
				w.Errorf("%s from another workspace: %v", c.method, err)
			}
			w.same("the first workspace after "+c.method, w.digest(w.s), before)
		}
	}},
}

// victim is a furnished workspace and what an intruder from another one may
// have learned of it.
type victim struct {
	*world
	imp    store.Import
	ref    store.BatchRef
	handle int64
	key    store.Key
	user   store.User
	// request is in flight.
	request store.Request
	// stranger is a workspace into which no intrusion writes anything.
	stranger store.WS
}

// furnish fills the first workspace with one of each.
func (w *world) furnish() *victim {
	w.Helper()
	v := &victim{world: w, key: store.Key{ID: "key_1", WS: w.ws, Name: "n", Role: "admin", Hash: "secret", CreatedAt: start}}
	w.ok(w.s.CreateKey(w.ctx(), w.ws, v.key))
	v.user = newUser("jo")
	w.ok(w.s.CreateUser(w.ctx(), w.ws, v.user))
	v.stranger = w.workspace("gamma")
	w.write(func(tx store.Tx) error { w.everything(tx); return nil })
	var begun bool
	var err error
	v.request, begun, err = w.s.BeginRequest(w.ctx(), w.ws, store.Request{Key: "key_1/a", At: start, Beat: start}, start)
	w.ok(err)
	w.same("request begun", begun, true)
	v.imp, err = w.s.Import(w.ctx(), w.ws, newImport(1).ID)
	w.ok(err)
	v.ref = apply(v.imp, 1)
	w.write(func(tx store.Tx) error {
		v.handle = w.read(tx, newItem(1).ID)[0].Handle
		return nil
	})
	return v
}

// untouched complains unless the request is as it was.
func (v *victim) untouched(err error) error {
	if err != nil {
		return err
	}
	now, begun, err := v.s.BeginRequest(v.ctx(), v.ws, v.request, time.Time{})
	if err == nil && (begun || !reflect.DeepEqual(now, v.request)) {
		return fmt.Errorf("the request is %+v", now)
	}
	return err
}

// intrude runs fn in a transaction of the other workspace that commits if fn
// has no complaint.
func (v *victim) intrude(fn func(store.Tx) error) error {
	return v.s.Write(v.ctx(), v.other, false, fn)
}

// intrusion calls a method from another workspace; it returns a complaint.
type intrusion struct {
	method string
	call   func(*victim) error
}

// refused complains unless err is the one that says there is no such thing.
func refused(err, want error) error {
	if !errors.Is(err, want) {
		return fmt.Errorf("got %v, want %v", err, want)
	}
	return nil
}

// nothing complains if something was found.
func nothing(n int, err error) error {
	if err == nil && n != 0 {
		return fmt.Errorf("found %d", n)
	}
	return err
}

// within makes an intrusion of a transaction's method that must find nothing.
func within(method string, want error, call func(*victim, store.Tx) error) intrusion {
	return intrusion{"Tx." + method, func(v *victim) error {
		return refused(v.intrude(func(tx store.Tx) error { return call(v, tx) }), want)
	}}
}

// intrusions has a line for every method of a store and of a transaction.
// Those that have no workspace are here too, and say why that is safe.
var intrusions = []intrusion{
	// They list and make workspaces: their names are no secret of a tenant's.
	{"Store.Workspaces", func(v *victim) error { _, err := v.s.Workspaces(v.ctx()); return err }},
	{"Store.Workspace", func(v *victim) error { _, err := v.s.Workspace(v.ctx(), "beta"); return err }},
	{"Store.CreateWorkspace", func(v *victim) error {
		_, err := v.s.CreateWorkspace(v.ctx(), store.Workspace{Name: "alpha", CreatedAt: start})
		return refused(err, store.ErrExists)
	}},

	{"Store.SetCurrency", func(v *victim) error {
		before, err := v.s.Workspaces(v.ctx())
		if err != nil {
			return err
		}
		if err := v.s.SetCurrency(v.ctx(), v.other, "JPY"); err != nil {
			return err
		}
		after, err := v.s.Workspaces(v.ctx())
		if err != nil {
			return err
		}
		for i := range before {
			if before[i].WS == v.ws && after[i] != before[i] {
				return errors.New("another workspace's currency was set")
			}
			if before[i].WS == v.other {
				err = v.s.SetCurrency(v.ctx(), v.other, before[i].Currency)
			}
		}
		return err
	}},
	{"Store.CreateKey", func(v *victim) error {
		return v.s.CreateKey(v.ctx(), v.other, store.Key{ID: v.key.ID, WS: v.ws, Hash: "another", CreatedAt: start})
	}},
	{"Store.Keys", func(v *victim) error {
		keys, err := v.s.Keys(v.ctx(), v.other)
		for _, k := range keys {
			if k.WS != v.other || k.Hash == v.key.Hash {
				return fmt.Errorf("found %+v", k)
			}
		}
		return err
	}},
	{"Store.RevokeKey", func(v *victim) error {
		at := after(time.Hour)
		err := v.s.RevokeKey(v.ctx(), v.other, v.key.ID, at)
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return err
		}
		k, err := v.s.KeyByHash(v.ctx(), v.key.Hash)
		if err == nil && k.RevokedAt != nil {
			return errors.New("the key was revoked")
		}
		return err
	}},
	// It finds out which workspace a secret belongs to.
	{"Store.KeyByHash", func(v *victim) error {
		k, err := v.s.KeyByHash(v.ctx(), v.key.Hash)
		if err == nil && k.WS != v.ws {
			return fmt.Errorf("the key is of workspace %d", k.WS)
		}
		return err
	}},

	{"Store.Import", func(v *victim) error {
		_, err := v.s.Import(v.ctx(), v.other, v.imp.ID)
		return refused(err, store.ErrNotFound)
	}},
	{"Store.ImportNo", func(v *victim) error {
		_, err := v.s.ImportNo(v.ctx(), v.other, v.imp.No)
		return refused(err, store.ErrNotFound)
	}},
	{"Store.ImportByRequest", func(v *victim) error {
		_, err := v.s.ImportByRequest(v.ctx(), v.other, v.imp.RequestKey)
		return refused(err, store.ErrNotFound)
	}},
	{"Store.Imports", func(v *victim) error {
		list, n, err := v.s.Imports(v.ctx(), v.other, store.ImportFilter{}, store.Range{})
		return nothing(n+len(list), err)
	}},
	{"Store.Batches", func(v *victim) error {
		list, err := v.s.Batches(v.ctx(), v.other, v.imp.No, "")
		return nothing(len(list), err)
	}},
	{"Store.Pages", func(v *victim) error {
		n := 0
		err := v.s.Pages(v.ctx(), v.other, v.imp.No, store.PageFilter{}, func(ledger.Page) error { n++; return nil })
		return nothing(n, err)
	}},
	{"Store.Corrections", func(v *victim) error {
		list, err := v.s.Corrections(v.ctx(), v.other, v.imp.No, 0, 0)
		return nothing(len(list), err)
	}},
	{"Store.CountCorrections", func(v *victim) error {
		n, err := v.s.CountCorrections(v.ctx(), v.other, v.imp.No)
		return nothing(int(n), err)
	}},
	{"Store.Fixes", func(v *victim) error {
		list, err := v.s.Fixes(v.ctx(), v.other, v.imp.No)
		return nothing(len(list), err)
	}},
	{"Store.BeginRequest", func(v *victim) error {
		own := store.Request{Key: v.request.Key, At: after(time.Hour), Beat: after(time.Hour)}
		now, begun, err := v.s.BeginRequest(v.ctx(), v.other, own, after(time.Hour))
		if err == nil && (!begun || !reflect.DeepEqual(now, own)) {
			return fmt.Errorf("found %+v", now)
		}
		if err == nil {
			err = v.s.DropRequest(v.ctx(), v.other, own.Key, own.At)
		}
		return v.untouched(err)
	}},
	{"Store.BeatRequest", func(v *victim) error {
		err := v.s.BeatRequest(v.ctx(), v.other, v.request.Key, v.request.At, after(time.Hour))
		return v.untouched(refused(err, store.ErrNotFound))
	}},
	{"Store.EndRequest", func(v *victim) error {
		answered := v.request
		answered.Status = 200
		return v.untouched(refused(v.s.EndRequest(v.ctx(), v.other, answered), store.ErrNotFound))
	}},
	{"Store.DropRequest", func(v *victim) error {
		return v.untouched(v.s.DropRequest(v.ctx(), v.other, v.request.Key, v.request.At))
	}},
	// They go by age, whoever the owner is.
	{"Store.PurgeRequests", func(v *victim) error { return v.untouched(v.s.PurgeRequests(v.ctx(), v.request.At)) }},
	{"Store.Expired", func(v *victim) error {
		list, err := v.s.Expired(v.ctx(), before(after(100*time.Hour)), 10)
		for _, imp := range list {
			if imp.WS != v.ws {
				return fmt.Errorf("found %+v", imp)
			}
		}
		return err
	}},
	{"Store.FileKeys", func(v *victim) error {
		list, err := v.s.FileKeys(v.ctx(), v.other, []string{v.imp.FileKey})
		return nothing(len(list), err)
	}},
	{"Store.LedgerSize", func(v *victim) error {
		z, err := v.s.LedgerSize(v.ctx(), v.other)
		if err == nil && z != (store.LedgerSize{}) {
			return fmt.Errorf("found %+v", z)
		}
		return err
	}},
	{"Store.Item", func(v *victim) error {
		for _, f := range []catalog.KeyField{catalog.KeyID, catalog.KeySKU, catalog.KeyGTIN, catalog.KeyRef, catalog.KeySlug} {
			it := newItem(1)
			_, err := v.s.Item(v.ctx(), v.other, it.Kind, catalog.Key{Field: f, Value: it.Get(f)})
			if err := refused(err, store.ErrNotFound); err != nil {
				return err
			}
		}
		return nil
	}},
	{"Store.Items", func(v *victim) error {
		for _, f := range []store.ItemFilter{{}, {Kind: catalog.KindProduct}, {Query: "title"}, {Equal: map[string]string{"brand": "Acme"}}, {AfterID: "a"}} {
			list, err := v.s.Items(v.ctx(), v.other, f, store.Range{})
			if err := nothing(len(list), err); err != nil {
				return err
			}
		}
		return nil
	}},
	{"Store.CountItems", func(v *victim) error {
		for _, f := range []store.ItemFilter{{}, {Kind: catalog.KindProduct}, {Query: "title"}} {
			n, err := v.s.CountItems(v.ctx(), v.other, f)
			if err := nothing(n, err); err != nil {
				return err
			}
		}
		return nil
	}},
	{"Store.Snapshot", func(v *victim) error {
		return v.s.Snapshot(v.ctx(), func(still store.Store) error {
			list, err := still.Items(v.ctx(), v.other, store.ItemFilter{}, store.Range{})
			return nothing(len(list), err)
		})
	}},
	// The sweep acts for every workspace and says which.
	{"Store.Stalled", func(v *victim) error {
		list, err := v.s.Stalled(v.ctx(), after(100*time.Hour), after(100*time.Hour))
		for _, sb := range list {
			if sb.WS != v.ws {
				return fmt.Errorf("found %+v", sb)
			}
		}
		return err
	}},
	{"Store.ReadItems", func(v *victim) error {
		return v.s.ReadItems(v.ctx(), v.other, func(items store.ItemReader) error {
			found, err := items.Find(v.ctx(), catalog.KindProduct, catalog.KeySKU, []string{newItem(1).SKU})
			if err := nothing(len(found), err); err != nil {
				return err
			}
			list, err := items.Read(v.ctx(), catalog.KindProduct, []int64{v.handle})
			return nothing(len(list), err)
		})
	}},
	{"Store.Prepare", func(v *victim) error {
		p := v.s.Prepare(v.ws, newItems(50, 51))
		if err := v.intrude(func(tx store.Tx) error { return tx.Insert(v.ctx(), p) }); err == nil {
			return errors.New("items prepared for one workspace went into another")
		}
		return nil
	}},
	{"Store.Write", func(v *victim) error { return v.intrude(func(store.Tx) error { return nil }) }},

	{"Store.CreateUser", func(v *victim) error {
		u := v.user
		u.Role = "reader"
		return v.s.CreateUser(v.ctx(), v.other, u) // ids and names are a workspace's own
	}},
	{"Store.Users", func(v *victim) error {
		list, err := v.s.Users(v.ctx(), v.other)
		for _, u := range list {
			if u.WS != v.other || u.Role == v.user.Role {
				return fmt.Errorf("found %+v", u)
			}
		}
		return err
	}},
	{"Store.User", func(v *victim) error {
		_, err := v.s.User(v.ctx(), v.stranger, v.user.Name)
		return refused(err, store.ErrNotFound)
	}},
	{"Store.UpdateUser", func(v *victim) error {
		u := v.user
		u.Password = "stolen"
		return refused(v.s.UpdateUser(v.ctx(), v.stranger, v.user, u), store.ErrNotFound)
	}},
	{"Store.AppendAudit", func(v *victim) error {
		return v.s.AppendAudit(v.ctx(), v.other, ptr(newEntry("import.undo", v.imp.ID)))
	}},
	{"Store.Audit", func(v *victim) error {
		for _, f := range []store.AuditFilter{{}, {Action: "import."}, {Actor: "Jo"}, {Object: v.imp.ID}} {
			list, err := v.s.Audit(v.ctx(), v.stranger, f, 0)
			if err := nothing(len(list), err); err != nil {
				return err
			}
		}
		return nil
	}},
	// It goes by age, whoever the owner is.
	{"Store.PurgeAudit", func(v *victim) error { _, err := v.s.PurgeAudit(v.ctx(), start, 10); return err }},

	// The program runs for all workspaces; these say how it does, and nothing of
	// what is in them.
	{"Store.BeatNode", func(v *victim) error { return v.s.BeatNode(v.ctx(), newNode("n", start)) }},
	{"Store.LeaveNode", func(v *victim) error { return v.s.LeaveNode(v.ctx(), "n") }},
	{"Store.Nodes", func(v *victim) error { _, err := v.s.Nodes(v.ctx(), start); return err }},
	{"Store.Load", func(v *victim) error { _, err := v.s.Load(v.ctx()); return err }},
	{"Store.Installation", func(v *victim) error { _, err := v.s.Installation(v.ctx()); return err }},
	{"Store.Clock", func(v *victim) error { _, err := v.s.Clock(v.ctx()); return err }},
	{"Store.Writable", func(v *victim) error { return v.s.Writable(v.ctx()) }},

	// They tell nothing. Close comes with the end of every test.
	{"Store.DecidesAhead", func(v *victim) error { v.s.DecidesAhead(); return nil }},
	{"Store.Health", func(v *victim) error { return v.s.Health(v.ctx()) }},
	{"Store.Close", func(*victim) error { return nil }},

	within("LockImport", store.ErrNotFound, func(v *victim, tx store.Tx) error { _, err := tx.LockImport(v.ctx(), v.imp.No); return err }),
	within("LockImportID", store.ErrNotFound, func(v *victim, tx store.Tx) error { _, err := tx.LockImportID(v.ctx(), v.imp.ID); return err }),
	within("InsertImport", errRollback, func(v *victim, tx store.Tx) error {
		imp := newImport(1)
		imp.WS = v.ws
		if err := tx.InsertImport(v.ctx(), &imp); err != nil {
			return err
		}
		if imp.WS != v.other {
			return fmt.Errorf("the import went to workspace %d", imp.WS)
		}
		return errRollback
	}),
	within("UpdateImport", store.ErrNotFound, func(v *victim, tx store.Tx) error {
		imp := v.imp
		imp.State = store.FailedState
		return tx.UpdateImport(v.ctx(), &imp)
	}),
	within("InsertBatches", errRollback, func(v *victim, tx store.Tx) error {
		if err := tx.InsertBatches(v.ctx(), []store.Batch{newBatch(v.ref)}); err != nil {
			return err
		}
		return errRollback
	}),
	within("Batch", store.ErrNotFound, func(v *victim, tx store.Tx) error { _, err := tx.Batch(v.ctx(), v.ref); return err }),
	within("StartBatch", store.ErrNotFound, func(v *victim, tx store.Tx) error {
		_, err := tx.StartBatch(v.ctx(), v.ref, 42, "node", start)
		return err
	}),
	within("CheckBatch", store.ErrNotFound, func(v *victim, tx store.Tx) error { return tx.CheckBatch(v.ctx(), v.ref, 0) }),
	within("SaveBatch", store.ErrNotFound, func(v *victim, tx store.Tx) error {
		b := newBatch(v.ref)
		b.State = store.BatchFailed
		return tx.SaveBatch(v.ctx(), &b)
	}),
	within("DeletePass", nil, func(v *victim, tx store.Tx) error { return tx.DeletePass(v.ctx(), v.imp.No, ledger.PassApply) }),
	within("StopBatches", nil, func(v *victim, tx store.Tx) error {
		n, err := tx.StopBatches(v.ctx(), v.imp.No, store.BatchTerminated)
		return nothing(n, err)
	}),
	within("UnfinishedBatches", nil, func(v *victim, tx store.Tx) error {
		n, err := tx.UnfinishedBatches(v.ctx(), v.imp.No, ledger.PassApply)
		return nothing(n, err)
	}),
	within("HeldBatch", store.ErrNotFound, func(v *victim, tx store.Tx) error {
		_, err := tx.HeldBatch(v.ctx(), v.imp.No, ledger.PassApply, 42)
		return err
	}),
	within("NextBatches", nil, func(v *victim, tx store.Tx) error {
		list, err := tx.NextBatches(v.ctx(), v.imp.No, ledger.PassApply, 10)
		return nothing(len(list), err)
	}),
	within("Find", nil, func(v *victim, tx store.Tx) error {
		for _, f := range []catalog.KeyField{catalog.KeyID, catalog.KeySKU, catalog.KeyGTIN, catalog.KeyRef, catalog.KeySlug} {
			it := newItem(1)
			found, err := tx.Find(v.ctx(), it.Kind, f, []string{it.Get(f)})
			if err := nothing(len(found), err); err != nil {
				return err
			}
		}
		return nil
	}),
	within("Read", nil, func(v *victim, tx store.Tx) error {
		list, err := tx.Read(v.ctx(), catalog.KindProduct, []int64{v.handle})
		return nothing(len(list), err)
	}),
	within("Insert", errRollback, func(v *victim, tx store.Tx) error {
		if err := tx.Insert(v.ctx(), v.s.Prepare(v.other, newItems(1, 2))); err != nil {
			return err // another workspace's keys are free here
		}
		return errRollback
	}),
	within("Update", store.ErrRetry, func(v *victim, tx store.Tx) error {
		it := newItem(1)
		it.Handle, it.Version, it.Doc = v.handle, 2, `{"title":"stolen"}`
		return tx.Update(v.ctx(), []catalog.Item{it})
	}),
	within("Update", store.ErrRetry, func(v *victim, tx store.Tx) error {
		it := newItem(1)
		it.Handle, it.Version, it.SKU = v.handle, 2, "stolen"
		return tx.Update(v.ctx(), []catalog.Item{it})
	}),
	within("Delete", store.ErrRetry, func(v *victim, tx store.Tx) error {
		return tx.Delete(v.ctx(), catalog.KindProduct, []store.Locator{{Handle: v.handle, Version: 1}})
	}),
	within("InsertPage", errRollback, func(v *victim, tx store.Tx) error {
		p := newPage(v.imp.No, ledger.PassApply, 1, 1)
		if err := tx.InsertPage(v.ctx(), &p); err != nil {
			return err
		}
		return errRollback
	}),
	within("DropBodies", nil, func(v *victim, tx store.Tx) error {
		n, err := tx.DropBodies(v.ctx(), v.imp.No, true, true, 10)
		return nothing(n, err)
	}),
	within("SaveCorrections", errRollback, func(v *victim, tx store.Tx) error {
		if err := tx.SaveCorrections(v.ctx(), v.imp.No, []store.Correction{newCorrection(2)}); err != nil {
			return err
		}
		return errRollback
	}),
	within("Correction", store.ErrNotFound, func(v *victim, tx store.Tx) error {
		_, err := tx.Correction(v.ctx(), v.imp.No, 2)
		return err
	}),
	within("DeleteCorrection", store.ErrNotFound, func(v *victim, tx store.Tx) error { return tx.DeleteCorrection(v.ctx(), v.imp.No, 2) }),
	within("InsertFix", errRollback, func(v *victim, tx store.Tx) error {
		f := newFix("b")
		if err := tx.InsertFix(v.ctx(), v.imp.No, &f); err != nil {
			return err
		}
		if f.No != 1 {
			return fmt.Errorf("the fix has number %d", f.No)
		}
		return errRollback
	}),
	within("DeleteFix", store.ErrNotFound, func(v *victim, tx store.Tx) error { return tx.DeleteFix(v.ctx(), v.imp.No, 1) }),
	within("AppendAudit", errRollback, func(v *victim, tx store.Tx) error {
		if err := tx.AppendAudit(v.ctx(), ptr(newEntry("import.undo", v.imp.ID))); err != nil {
			return err
		}
		return errRollback
	}),
	// They are of all workspaces, for whoever may see the whole database.
	{"Store.Dump", func(v *victim) error { return v.s.Dump(v.ctx(), func(store.Record) error { return nil }) }},
	{"Store.Restore", func(v *victim) error {
		return refused(v.s.Restore(v.ctx(), func() (store.Record, error) { return store.Record{}, io.EOF }), store.ErrExists)
	}},
	{"Store.Abandon", func(v *victim) error { return v.s.Abandon(v.ctx()) }},
	{"Tx.Enqueue", func(v *victim) error {
		err := v.intrude(func(tx store.Tx) error {
			_, err := tx.Enqueue(v.ctx(), store.Job{Format: store.JobFormat, WS: v.ws})
			return err
		})
		if err == nil {
			return errors.New("a job for another workspace was enqueued")
		}
		return nil
	}},
}
