package storetest

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"tallyman/internal/store"
)

// newEntry is an entry with everything set but its number.
func newEntry(action, object string) store.AuditEntry {
	return store.AuditEntry{At: start, Actor: store.Actor{Name: "Jo", ID: "key_1", Door: "rest", RequestID: "req_1"}, Action: action, Object: object, Detail: []byte(`{"rows": 7, "b":1, "a":1}`)}
}

// note adds an entry to a workspace's audit log.
func (w *world) note(ws store.WS, e store.AuditEntry) store.AuditEntry {
	w.Helper()
	w.ok(w.s.AppendAudit(w.ctx(), ws, &e))
	return e
}

func (w *world) audit(ws store.WS, f store.AuditFilter, limit int) []store.AuditEntry {
	w.Helper()
	list, err := w.s.Audit(w.ctx(), ws, f, limit)
	w.ok(err)
	return list
}

// acts lists actions, newest first.
func (w *world) acts(f store.AuditFilter, limit int) (list []string) {
	w.Helper()
	for _, e := range w.audit(w.ws, f, limit) {
		list = append(list, e.Action)
	}
	return list
}

var auditTrials = []trial{
	{"audit/round trip, newest first", func(w *world) {
		w.same("none", w.audit(w.ws, store.AuditFilter{}, 0), []store.AuditEntry(nil))
		first := w.note(w.ws, newEntry("import.start", "imp_1"))
		second := w.note(w.ws, store.AuditEntry{At: after(-time.Hour), Action: "import.age"}) // the program itself
		elsewhere := w.note(w.other, newEntry("key.create", "key_2"))
		w.same("log", w.audit(w.ws, store.AuditFilter{}, 0), []store.AuditEntry{second, first})
		w.same("another's", w.audit(w.other, store.AuditFilter{}, 0), []store.AuditEntry{elsewhere})
		if first.No <= 0 || second.No <= first.No {
			w.Fatalf("the numbers %d and %d do not rise", first.No, second.No)
		}
	}},
	{"audit/part of what was done", func(w *world) {
		e := newEntry("import.start", "imp_1")
		w.want(w.s.Write(w.ctx(), w.ws, false, func(tx store.Tx) error {
			w.ok(tx.AppendAudit(w.ctx(), ptr(newEntry("import.start", "imp_0"))))
			return errRollback
		}), errRollback)
		w.write(func(tx store.Tx) error {
			w.ok(tx.AppendAudit(w.ctx(), &e))
			w.same("before the commit", len(w.audit(w.ws, store.AuditFilter{}, 0)), 0)
			return nil
		})
		w.same("log", w.audit(w.ws, store.AuditFilter{}, 0), []store.AuditEntry{e})
	}},
	{"audit/filters", func(w *world) {
		for i, e := range []store.AuditEntry{
			{Actor: store.Actor{Name: "jo", ID: "key_1"}, Action: "import.start", Object: "imp_1"},
			{Actor: store.Actor{Name: "kim", ID: "usr_1"}, Action: "import.undo", Object: "imp_1"},
			{Actor: store.Actor{Name: "usr_1"}, Action: "importer.x", Object: "imp_2"},
			{Actor: store.Actor{Name: "Jo", ID: "key_2"}, Action: "Import.start", Object: "IMP_1"},
			{Action: "key.create", Object: "key_1"},
		} {
			e.At = after(time.Duration(i) * time.Minute)
			w.note(w.ws, e)
		}
		all := []string{"key.create", "Import.start", "importer.x", "import.undo", "import.start"}
		at := func(n int) time.Time { return after(time.Duration(n) * time.Minute) }
		for name, c := range map[string]struct {
			f    store.AuditFilter
			want []string
		}{
			"all":          {store.AuditFilter{}, all},
			"action":       {store.AuditFilter{Action: "import.start"}, all[4:]},
			"part of one":  {store.AuditFilter{Action: "import"}, nil},
			"noun":         {store.AuditFilter{Action: "import."}, all[3:]},
			"no wildcard":  {store.AuditFilter{Action: "%."}, nil},
			"actor's name": {store.AuditFilter{Actor: "jo"}, all[4:]},
			"name or id":   {store.AuditFilter{Actor: "usr_1"}, all[2:4]},
			"object":       {store.AuditFilter{Object: "imp_1"}, all[3:]},
			"from":         {store.AuditFilter{From: at(3)}, all[:2]},
			"until":        {store.AuditFilter{Until: at(3)}, all[2:]},
			"between":      {store.AuditFilter{From: at(1), Until: at(3)}, all[2:4]},
			"together":     {store.AuditFilter{Action: "import.", Actor: "kim", Object: "imp_1", From: at(1), Until: at(2)}, all[3:4]},
			"anything":     {store.AuditFilter{Action: "\x00\xff.", Actor: "\x00", Object: "\xff"}, nil},
		} {
			w.same(name, w.acts(c.f, 0), c.want)
		}
		w.same("first two", w.acts(store.AuditFilter{}, 2), all[:2])
		third := w.audit(w.ws, store.AuditFilter{}, 3)[2]
		w.same("before", w.acts(store.AuditFilter{Before: third.No}, 1), all[3:4])
	}},
	{"audit/any text", func(w *world) {
		for _, text := range bytewise {
			e := newEntry("key.create", text)
			e.Actor = store.Actor{Name: text, ID: text, Door: "web", RequestID: text}
			e = w.note(w.ws, e)
			w.same("by object", w.audit(w.ws, store.AuditFilter{Object: text}, 0), []store.AuditEntry{e})
			w.same("by actor", w.audit(w.ws, store.AuditFilter{Actor: text}, 0), []store.AuditEntry{e})
		}
	}},
	{"audit/many at once", func(w *world) {
		const writers, each = 4, 10
		errs := make(chan error, writers)
		for n := range writers {
			go func() {
				var err error
				for i := 0; i < each && err == nil; i++ {
					err = w.s.AppendAudit(w.ctx(), w.ws, ptr(newEntry("import.start", fmt.Sprintf("imp_%d_%d", n, i))))
				}
				errs <- err
			}()
		}
		for range writers {
			w.ok(<-errs)
		}
		list := w.audit(w.ws, store.AuditFilter{}, 0)
		w.same("entries", len(list), writers*each)
		falling := slices.IsSortedFunc(list, func(a, b store.AuditEntry) int { return cmp.Compare(b.No, a.No) })
		w.same("in order of their numbers", falling, true)
	}},
	{"audit/purged by age, a few at a time, of all workspaces", func(w *world) {
		for _, ws := range []store.WS{w.ws, w.other} {
			for i := range 3 {
				e := newEntry("import.start", fmt.Sprint(i))
				e.At = after(time.Duration(i) * time.Hour)
				w.note(ws, e)
			}
		}
		newest := w.audit(w.ws, store.AuditFilter{}, 1)[0].No
		purge := func(before time.Time, limit int) int {
			n, err := w.s.PurgeAudit(w.ctx(), before, limit)
			w.ok(err)
			return n
		}
		w.same("of before", purge(start, 10), 0)
		w.same("at most none", purge(after(time.Hour), 0), 0)
		w.same("first", purge(after(2*time.Hour), 3), 3)
		w.same("second", purge(after(2*time.Hour), 3), 1)
		w.same("third", purge(after(2*time.Hour), 3), 0)
		for _, ws := range []store.WS{w.ws, w.other} {
			left := w.audit(ws, store.AuditFilter{}, 0)
			w.same("entries left", len(left), 1)
			w.same("entry left", left[0].Object, "2")
		}
		w.same("all", purge(after(100*time.Hour), 10), 2)
		if next := w.note(w.ws, newEntry("import.start", "3")); next.No <= newest {
			w.Fatalf("number %d was used again: %d", newest, next.No)
		}
	}},
}
