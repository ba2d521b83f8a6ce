package storetest

import (
	"errors"
	"time"

	"tallyman/internal/store"
)

var workspaceTrials = []trial{
	{"workspace/round trip", func(w *world) {
		made, err := w.s.CreateWorkspace(w.ctx(), store.Workspace{Name: "gamma", Currency: "", CreatedAt: start})
		w.ok(err)
		got, err := w.s.Workspace(w.ctx(), "gamma")
		w.ok(err)
		w.same("workspace", got, made)
		w.same("creation", got.CreatedAt, start)
		if got.WS == w.ws || got.WS == w.other || got.WS == 0 {
			w.Fatalf("the workspace's number %d is not its own", got.WS)
		}
	}},
	{"workspace/listed by name", func(w *world) {
		w.workspace("a")
		w.workspace("b1")
		list, err := w.s.Workspaces(w.ctx())
		w.ok(err)
		var names []string
		for _, ws := range list {
			names = append(names, ws.Name)
		}
		w.same("names", names, []string{"a", "alpha", "b1", "beta"})
	}},
	{"workspace/name taken", func(w *world) {
		_, err := w.s.CreateWorkspace(w.ctx(), store.Workspace{Name: "alpha", CreatedAt: start})
		w.want(err, store.ErrExists)
	}},
	{"workspace/its currency can change", func(w *world) {
		w.ok(w.s.SetCurrency(w.ctx(), w.ws, "GBP"))
		got, err := w.s.Workspace(w.ctx(), "alpha")
		w.ok(err)
		w.same("currency", got.Currency, "GBP")
		w.want(w.s.SetCurrency(w.ctx(), 4711, "GBP"), store.ErrNotFound)
	}},
	{"workspace/unknown", func(w *world) {
		_, err := w.s.Workspace(w.ctx(), "Alpha")
		w.want(err, store.ErrNotFound)
	}},
	{"key/round trip, oldest first", func(w *world) {
		late := store.Key{ID: "key_1", WS: w.ws, Name: "late", Role: "admin", Hash: "h1", CreatedAt: after(time.Minute)}
		early := store.Key{ID: "key_2", WS: w.ws, Name: "early", Role: "read", Hash: "h2", CreatedAt: start, RevokedAt: ptr(after(time.Hour))}
		w.ok(w.s.CreateKey(w.ctx(), w.ws, late))
		w.ok(w.s.CreateKey(w.ctx(), w.ws, early))
		keys, err := w.s.Keys(w.ctx(), w.ws)
		w.ok(err)
		w.same("keys", keys, []store.Key{early, late})
		got, err := w.s.KeyByHash(w.ctx(), "h2")
		w.ok(err)
		w.same("key", got, early)
	}},
	{"key/revoked once", func(w *world) {
		k := store.Key{ID: "key_1", WS: w.ws, Hash: "h1", CreatedAt: start}
		w.ok(w.s.CreateKey(w.ctx(), w.ws, k))
		w.ok(w.s.RevokeKey(w.ctx(), w.ws, "key_1", after(time.Minute)))
		w.ok(w.s.RevokeKey(w.ctx(), w.ws, "key_1", after(time.Hour)))
		got, err := w.s.KeyByHash(w.ctx(), "h1")
		w.ok(err)
		w.same("revocation", got.RevokedAt, ptr(after(time.Minute)))
	}},
	{"key/taken and unknown", func(w *world) {
		w.ok(w.s.CreateKey(w.ctx(), w.ws, store.Key{ID: "key_1", Hash: "h1", CreatedAt: start}))
		w.want(w.s.CreateKey(w.ctx(), w.ws, store.Key{ID: "key_1", Hash: "h2", CreatedAt: start}), store.ErrExists)
		w.want(w.s.CreateKey(w.ctx(), w.other, store.Key{ID: "key_2", Hash: "h1", CreatedAt: start}), store.ErrExists)
		w.want(w.s.RevokeKey(w.ctx(), w.ws, "key_9", start), store.ErrNotFound)
		if _, err := w.s.KeyByHash(w.ctx(), "H1"); !errors.Is(err, store.ErrNotFound) {
			w.Fatalf("got %v for an unknown hash", err)
		}
	}},
}
