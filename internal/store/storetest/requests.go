package storetest

import (
	"time"

	"tallyman/internal/store"
)

// begin begins a request at a time, taking over whoever has not been heard of
// since dead.
func (w *world) begin(key string, at, dead time.Time) (store.Request, bool) {
	w.Helper()
	r, begun, err := w.s.BeginRequest(w.ctx(), w.ws, store.Request{Key: key, At: at, Beat: at}, dead)
	w.ok(err)
	return r, begun
}

// answer is the answer to the request that began at a time.
func answer(key string, at time.Time) store.Request {
	return store.Request{Key: key, Hash: "h", Status: 202, Header: []byte(`{"Location":"/x"}`), Body: []byte{0, '{', 0xff}, At: at, Beat: at}
}

var requestTrials = []trial{
	{"request/begun once, answered once", func(w *world) {
		r, begun := w.begin("k", start, start)
		w.same("begun", begun, true)
		w.same("request", r, store.Request{Key: "k", At: start, Beat: start})
		again, begun := w.begin("k", after(time.Minute), start)
		w.same("begun again", begun, false)
		w.same("the one in flight", again, r)
		w.ok(w.s.EndRequest(w.ctx(), w.ws, answer("k", start)))
		again, begun = w.begin("k", after(time.Minute), after(time.Hour))
		w.same("begun after the answer", begun, false)
		w.same("the answered one", again, answer("k", start))
		for name, err := range map[string]error{
			"end":  w.s.EndRequest(w.ctx(), w.ws, answer("k", start)),
			"beat": w.s.BeatRequest(w.ctx(), w.ws, "k", start, after(time.Minute)),
		} {
			if err == nil {
				w.Errorf("%s: an answered request is still in flight", name)
			}
			w.want(err, store.ErrNotFound)
		}
		w.ok(w.s.DropRequest(w.ctx(), w.ws, "k", start))
		again, _ = w.begin("k", after(time.Minute), after(time.Hour))
		w.same("after it was to be dropped", again, answer("k", start))
	}},
	{"request/an answer without header and body", func(w *world) {
		w.begin("k", start, start)
		want := store.Request{Key: "k", Hash: "h", Status: 204, At: start, Beat: start}
		w.ok(w.s.EndRequest(w.ctx(), w.ws, want))
		got, _ := w.begin("k", start, start)
		w.same("request", got, want)
	}},
	{"request/taken over from the dead", func(w *world) {
		w.begin("k", start, start)
		w.ok(w.s.BeatRequest(w.ctx(), w.ws, "k", start, after(time.Minute)))
		old, begun := w.begin("k", after(time.Hour), after(time.Minute))
		w.same("taken over from one that lives", begun, false)
		w.same("the one that lives", old, store.Request{Key: "k", At: start, Beat: after(time.Minute)})
		r, begun := w.begin("k", after(time.Hour), after(time.Minute+time.Millisecond))
		w.same("taken over", begun, true)
		w.same("request", r, store.Request{Key: "k", At: after(time.Hour), Beat: after(time.Hour)})
		// Whoever was thought dead finds out, and leaves the other alone.
		w.want(w.s.BeatRequest(w.ctx(), w.ws, "k", start, after(2*time.Hour)), store.ErrNotFound)
		w.want(w.s.EndRequest(w.ctx(), w.ws, answer("k", start)), store.ErrNotFound)
		w.ok(w.s.DropRequest(w.ctx(), w.ws, "k", start))
		again, begun := w.begin("k", after(2*time.Hour), start)
		w.same("begun", begun, false)
		w.same("request after all that", again, r)
		w.ok(w.s.EndRequest(w.ctx(), w.ws, answer("k", after(time.Hour))))
	}},
	{"request/a hash noted while in flight is there for who takes it over", func(w *world) {
		w.begin("k", start, start)
		w.ok(w.s.EndRequest(w.ctx(), w.ws, store.Request{Key: "k", Hash: "h", At: start, Beat: start}))
		r, begun := w.begin("k", after(time.Hour), after(time.Minute))
		w.same("taken over", begun, true)
		w.same("hash", r.Hash, "h")
	}},
	{"request/dropped and unknown", func(w *world) {
		w.begin("k", start, start)
		w.ok(w.s.DropRequest(w.ctx(), w.ws, "k", start))
		w.want(w.s.BeatRequest(w.ctx(), w.ws, "k", start, start), store.ErrNotFound)
		w.want(w.s.EndRequest(w.ctx(), w.ws, answer("k", start)), store.ErrNotFound)
		w.ok(w.s.DropRequest(w.ctx(), w.ws, "k", start))
		_, begun := w.begin("k", after(time.Minute), start)
		w.same("begun", begun, true)
	}},
	{"request/keys are a workspace's own, byte by byte", func(w *world) {
		for _, ws := range []store.WS{w.ws, w.other} {
			for _, key := range bytewise {
				_, begun, err := w.s.BeginRequest(w.ctx(), ws, store.Request{Key: key, At: start, Beat: start}, start)
				w.ok(err)
				w.same("begun "+key, begun, true)
			}
		}
	}},
	{"request/one of many begins", func(w *world) {
		const callers = 6
		won := make(chan bool, callers)
		errs := make(chan error, callers)
		for range callers {
			go func() {
				_, begun, err := w.s.BeginRequest(w.ctx(), w.ws, store.Request{Key: "k", At: start, Beat: start}, start)
				won <- begun
				errs <- err
			}()
		}
		winners := 0
		for range callers {
			w.ok(<-errs)
			if <-won {
				winners++
			}
		}
		w.same("winners", winners, 1)
	}},
	{"request/purged by age, of all workspaces", func(w *world) {
		for _, ws := range []store.WS{w.ws, w.other} {
			for i, key := range []string{"old", "new"} {
				at := after(time.Duration(i) * time.Hour)
				_, _, err := w.s.BeginRequest(w.ctx(), ws, store.Request{Key: key, At: at, Beat: at}, start)
				w.ok(err)
			}
			w.ok(w.s.EndRequest(w.ctx(), ws, answer("old", start)))
		}
		w.ok(w.s.PurgeRequests(w.ctx(), start))
		for i, want := range []int64{2, 1, 1} {
			for _, ws := range []store.WS{w.ws, w.other} {
				z, err := w.s.LedgerSize(w.ctx(), ws)
				w.ok(err)
				w.same("requests left", z.Requests, want)
			}
			w.ok(w.s.PurgeRequests(w.ctx(), after(time.Duration(i)*time.Millisecond+time.Millisecond)))
		}
		_, begun := w.begin("old", start, start)
		w.same("begun anew", begun, true)
	}},
}
