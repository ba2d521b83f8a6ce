package storetest

import (
	"errors"
	"io"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"tallyman/internal/catalog"
	"tallyman/internal/ledger"
	"tallyman/internal/store"
)

// runDumps runs the trials that need a second store.
func runDumps(t *testing.T, open func(t *testing.T) store.Store) {
	for _, tr := range []struct {
		name string
		run  func(w *world, other store.Store)
	}{
		{"dump/what is loaded into another store is equal", dumpLoads},
		{"dump/what comes after a load counts on", dumpCountsOn},
		{"dump/numbers that are missing stay so", dumpKeepsGaps},
		{"dump/a load that broke off is known, refused and cleared", dumpBreaksOff},
	} {
		t.Run(tr.name, func(t *testing.T) { tr.run(newWorld(t, open(t)), open(t)) })
	}
}

var dumpTrials = []trial{
	{"dump/it is complete and in order", func(w *world) {
		w.fill()
		var got []string
		w.ok(w.s.Dump(w.ctx(), func(r store.Record) error {
			if n := len(got); n == 0 || got[n-1] != r.What() {
				got = append(got, r.What())
			}
			return nil
		}))
		all := []string{"installation", "workspace", "key", "user", "import", "batch", "page", "correction", "fix", "request", "audit", "item"}
		w.same("records", got, append(all, "workspace", "item", "workspace"))
	}},
	{"dump/records have no job, no handle and no request in flight", func(w *world) {
		w.fill()
		w.ok(w.s.Dump(w.ctx(), func(r store.Record) error {
			switch {
			case r.Batch != nil && r.Batch.JobID != 0, r.Item != nil && r.Item.Handle != 0, r.Request != nil && r.Request.Status == 0:
				w.Errorf("dumped %+v", r)
			}
			return nil
		}))
	}},
	{"installation/it stays", func(w *world) {
		id, err := w.s.Installation(w.ctx())
		w.ok(err)
		if !installationID.MatchString(id) {
			w.Errorf("the installation is %q", id)
		}
		w.ok(w.s.Snapshot(w.ctx(), func(still store.Store) error {
			again, err := still.Installation(w.ctx())
			w.same("the installation of a moment", again, id)
			return err
		}))
	}},
	{"dump/it is of one moment", func(w *world) {
		w.fill()
		before, first := w.dump(w.s), true
		var during []string
		lines := &store.Lines{}
		w.ok(w.s.Dump(w.ctx(), func(r store.Record) error {
			if first {
				w.insert(newItem(9000))
				first = false
			}
			during = append(during, string(lines.Append(nil, &r)))
			return nil
		}))
		w.same("dump", during, before)
	}},
	{"dump/it stops where it is told to", func(w *world) {
		w.fill()
		n := 0
		err := w.s.Dump(w.ctx(), func(store.Record) error { n++; return errRollback })
		w.want(err, errRollback)
		w.same("records", n, 1)
	}},
	{"dump/a snapshot dumps its moment", func(w *world) {
		w.fill()
		before := w.dump(w.s)
		w.ok(w.s.Snapshot(w.ctx(), func(s store.Store) error {
			w.insert(newItem(9000))
			w.same("dump", w.dump(s), before)
			return nil
		}))
	}},
	{"dump/a store in use is not loaded into", func(w *world) {
		w.fill()
		before := w.dump(w.s)
		w.want(w.s.Restore(w.ctx(), recordsOf(nil, io.EOF)), store.ErrExists)
		w.ok(w.s.Abandon(w.ctx()))
		w.same("dump", w.dump(w.s), before)
	}},
}

// Fill puts one and more of everything into an empty store, with text that is
// hard to keep and numbers that are missing.
func Fill(t *testing.T, s store.Store) { newWorld(t, s).fill() }

// Digest is a store's dump, a line a record.
func Digest(t *testing.T, s store.Store) []string { return (&world{T: t, s: s}).dump(s) }

func (w *world) fill() {
	w.Helper()
	w.furnish()
	w.ok(w.s.RevokeKey(w.ctx(), w.ws, "key_1", after(time.Hour)))
	u := newUser("gone")
	u.DisabledAt = ptr(after(time.Hour))
	w.ok(w.s.CreateUser(w.ctx(), w.ws, u))
	w.finishRequest("key_1/done\x00", []byte(`{"ok":true}`))
	w.finishRequest("key_1/empty", nil)
	moving := w.addImport(2, store.Running)
	w.addBatches(newBatch(apply(moving, 1)), newBatch(apply(moving, 2)))
	w.write(func(tx store.Tx) error { return w.odd(tx, moving) })
	w.insert(keyless("prd_keyless"))
	w.insert(newItems(100, 2300)...) // more than is read at once, or loaded
	// Another workspace may have the same ids.
	w.ok(w.s.Write(w.ctx(), w.other, false, func(tx store.Tx) error {
		return tx.Insert(w.ctx(), w.s.Prepare(w.other, newItems(100, 102)))
	}))
}

func (w *world) finishRequest(key string, body []byte) {
	w.Helper()
	r, _, err := w.s.BeginRequest(w.ctx(), w.ws, store.Request{Key: key, At: start, Beat: start}, start)
	w.ok(err)
	r.Hash, r.Status, r.Header, r.Body = "hash", 200, []byte(`{"Content-Type":"application/json"}`), body
	w.ok(w.s.EndRequest(w.ctx(), w.ws, r))
}

// odd stores what is hard to keep: a fix whose number is not the next, pages
// without bodies, and text that is none.
func (w *world) odd(tx store.Tx, imp store.Import) error {
	for _, from := range []string{"a", "b"} {
		f := newFix(from)
		f.Column, f.To = "Größe\x00", "\xff\x01"
		w.ok(tx.InsertFix(w.ctx(), imp.No, &f))
	}
	w.ok(tx.DeleteFix(w.ctx(), imp.No, 1))
	c := newCorrection(3)
	c.Cells = map[int]string{0: "\x00", 2: "a\xffb", 10: "ten"}
	w.ok(tx.SaveCorrections(w.ctx(), imp.No, []store.Correction{c}))
	for seq := range 70 { // more than is read at once
		p := newPage(imp.No, ledger.PassApply, 1, seq)
		w.ok(tx.InsertPage(w.ctx(), &p))
	}
	bare := newPage(imp.No, ledger.PassPlan, 1, 1)
	bare.Causes, bare.Fields, bare.Digest, bare.Outcomes, bare.Images = nil, nil, nil, nil, nil
	w.ok(tx.InsertPage(w.ctx(), &bare))
	long := newPage(imp.No, ledger.ApplyOf(2), 1, 2)
	long.Outcomes, long.Images = []byte(strings.Repeat("\x00\xfe", 1<<16)), nil
	w.ok(tx.InsertPage(w.ctx(), &long))
	it := keyless("prd_odd")
	it.SKU, it.Slug, it.Ref = "a\x00b", "\x01", "\xff\xfe"
	it.GTIN, it.GTINShared, it.CreatedNo = newItem(1).GTIN, true, 7
	it.Live = catalog.Live{State: catalog.LiveOlder, Doc: `{"title":"old"}`}
	return tx.Insert(w.ctx(), w.s.Prepare(w.ws, []catalog.Item{it}))
}

// dump is a store's dump, a line a record.
func (w *world) dump(s store.Store) (list []string) {
	w.Helper()
	lines := &store.Lines{}
	w.ok(s.Dump(w.ctx(), func(r store.Record) error {
		list = append(list, string(lines.Append(nil, &r)))
		return nil
	}))
	return list
}

func (w *world) records() (list []store.Record) {
	w.Helper()
	w.ok(w.s.Dump(w.ctx(), func(r store.Record) error { list = append(list, r); return nil }))
	return list
}

// recordsOf returns records, and the error at their end.
func recordsOf(records []store.Record, end error) func() (store.Record, error) {
	return func() (store.Record, error) {
		if len(records) == 0 {
			return store.Record{}, end
		}
		r := records[0]
		records = records[1:]
		return r, nil
	}
}

var installationID = regexp.MustCompile("^[0-9a-f]{32}$")

// different fails unless two stores are installations of their own.
func (w *world) different(one, other store.Store) {
	w.Helper()
	mine, err := one.Installation(w.ctx())
	w.ok(err)
	theirs, err := other.Installation(w.ctx())
	w.ok(err)
	if mine == theirs || !installationID.MatchString(theirs) {
		w.Errorf("the installations are %q and %q", mine, theirs)
	}
}

func dumpLoads(w *world, other store.Store) {
	w.fill()
	w.ok(other.Restore(w.ctx(), recordsOf(w.records(), io.EOF)))
	w.same("dump", w.dump(other), w.dump(w.s))
	want, got := w.digest(w.s), w.digest(other)
	for _, c := range []*contents{&want, &got} {
		for i := range c.Batches {
			c.Batches[i].JobID = 0
		}
		for i := range c.Stalled {
			c.Stalled[i].Batch.JobID = 0
		}
		c.Size.Requests = 0 // one is in flight
	}
	w.same("what is read from the store", got, want)
	done, begun, err := other.BeginRequest(w.ctx(), w.ws, store.Request{Key: "key_1/done\x00", At: after(time.Hour), Beat: after(time.Hour)}, start)
	w.ok(err)
	w.same("the request is done", begun, false)
	w.same("its answer", string(done.Body), `{"ok":true}`)
}

func dumpCountsOn(w *world, other store.Store) {
	w.fill()
	newest := newEntry("import.end", "imp_1")
	w.ok(w.s.AppendAudit(w.ctx(), w.ws, &newest))
	w.ok(other.Restore(w.ctx(), recordsOf(w.records(), io.EOF)))

	third, err := other.CreateWorkspace(w.ctx(), store.Workspace{Name: "later", CreatedAt: start})
	w.ok(err)
	if third.WS <= max(w.ws, w.other) {
		w.Errorf("the next workspace has the number %d", third.WS)
	}
	next := newEntry("import.start", "imp_9")
	w.ok(other.AppendAudit(w.ctx(), w.ws, &next))
	if next.No <= newest.No {
		w.Errorf("the entry after %d has the number %d", newest.No, next.No)
	}
	w.ok(other.Write(w.ctx(), w.ws, false, func(tx store.Tx) error {
		imp, f := newImport(9), newFix("c")
		w.ok(tx.InsertImport(w.ctx(), &imp))
		w.same("number of the next import", imp.No, int64(3))
		w.ok(tx.InsertFix(w.ctx(), 2, &f))
		w.same("number of the next fix", f.No, 3)
		return tx.Insert(w.ctx(), other.Prepare(w.ws, []catalog.Item{newItem(9000)}))
	}))
	w.ok(other.Write(w.ctx(), w.other, false, func(tx store.Tx) error {
		imp := newImport(9)
		w.ok(tx.InsertImport(w.ctx(), &imp))
		w.same("number of the first import elsewhere", imp.No, int64(1))
		return nil
	}))
}

func dumpKeepsGaps(w *world, other store.Store) {
	first, second := w.addImport(1, store.Done), w.addImport(2, store.Done)
	records := slices.DeleteFunc(w.records(), func(r store.Record) bool { return r.Import != nil && r.Import.No == first.No })
	w.ok(other.Restore(w.ctx(), recordsOf(records, io.EOF)))
	got, err := other.ImportNo(w.ctx(), w.ws, second.No)
	w.ok(err)
	w.same("the import", got.ID, second.ID)
	_, err = other.ImportNo(w.ctx(), w.ws, first.No)
	w.want(err, store.ErrNotFound)
	w.ok(other.Write(w.ctx(), w.ws, false, func(tx store.Tx) error {
		next := newImport(9)
		w.ok(tx.InsertImport(w.ctx(), &next))
		w.same("number of the next import", next.No, second.No+1)
		return nil
	}))
}

func dumpBreaksOff(w *world, other store.Store) {
	w.fill()
	all := w.records()
	broken := errors.New("broken off")
	w.want(other.Restore(w.ctx(), recordsOf(all[:len(all)-1], broken)), broken)
	w.want(other.Restore(w.ctx(), recordsOf(all, io.EOF)), store.ErrUnfinished)
	w.ok(other.Abandon(w.ctx()))
	theirs, err := other.Installation(w.ctx())
	w.ok(err)
	left := string((&store.Lines{}).Append(nil, &store.Record{Installation: &theirs}))
	w.same("what is left", w.dump(other), []string{left})
	w.different(w.s, other)
	if err := other.Restore(w.ctx(), recordsOf([]store.Record{{WS: 1}}, io.EOF)); err == nil {
		w.Error("a record of nothing was loaded")
	}
	w.ok(other.Abandon(w.ctx()))
	w.ok(other.Restore(w.ctx(), recordsOf(all, io.EOF)))
	w.same("dump", w.dump(other), w.dump(w.s))
}
