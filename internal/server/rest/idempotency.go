package rest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"tallyman/internal/account"
	"tallyman/internal/catalog"
	"tallyman/internal/server"
	"tallyman/internal/store"
)

const (
	keyHeader      = "Idempotency-Key"
	replayedHeader = "Idempotent-Replayed"
)

const (
	maxKey = 255
	// defaultKeepRequests is how long a key is good where Config says nothing.
	defaultKeepRequests = 24 * time.Hour
	// A request says at each beat that it is in flight; one that has not for so
	// long has died with its process.
	requestBeat = 10 * time.Second
	requestDead = 30 * time.Second
)

// once reports whether the request asks to be done once only.
func once(r *http.Request) bool {
	return r.Method != http.MethodGet && r.Method != http.MethodHead && len(r.Header.Values(keyHeader)) > 0
}

// doOnce answers a request with an Idempotency-Key: the first of its kind by doing
// it, every later one by the first one's answer.
func (d *door) doOnce(w http.ResponseWriter, r *http.Request, p account.Principal) {
	key, err := keyOf(r)
	if err != nil {
		d.fail(w, r, err)
		return
	}
	now := d.now()
	// The key is the client's own, not its workspace's: another client may use the
	// same words for something else.
	q := store.Request{Key: p.KeyID + "\n" + key, At: now, Beat: now}
	// What has begun is recorded to its end, whether or not its sender waits.
	ctx := context.WithoutCancel(r.Context())
	known, first, err := d.cfg.Requests.BeginRequest(ctx, p.WS.WS, q, now.Add(-requestDead))
	switch {
	case err != nil:
		d.fail(w, r, err)
	case first:
		// A try that died may have left what it was asked for.
		q.Hash = known.Hash
		d.doFirst(w, r, &flight{d: d, ctx: ctx, ws: p.WS.WS, request: q, resumed: q.Hash != ""})
	case known.Status == 0:
		d.fail(w, r, inFlight())
	default:
		d.repeat(w, r, &known)
	}
}

// now is the clock in the precision that stores keep.
func (d *door) now() time.Time { return d.cfg.Now().UTC().Truncate(time.Millisecond) }

// keyOf returns the request's key.
func keyOf(r *http.Request) (string, error) {
	keys := r.Header.Values(keyHeader)
	if len(keys) > 1 {
		return "", invalidField(keyHeader, "The key is given twice; give it once.")
	}
	key := keys[0]
	ok := key != "" && len(key) <= maxKey
	for i := 0; ok && i < len(key); i++ {
		ok = key[i] >= ' ' && key[i] <= '~'
	}
	if !ok {
		return "", invalidField(keyHeader, "The key must be 1 to 255 printable ASCII characters.")
	}
	return key, nil
}

func inFlight() *catalog.Fault {
	return catalog.Faultf(catalog.KindConflict, codeRequestInFlight, "The first request with this key is still being done; ask again in a moment.")
}

func keyReused() *catalog.Fault {
	return catalog.Faultf(catalog.KindConflict, codeKeyReused,
		"Another request came under this key; give each request a key of its own, and send the same one again unchanged.")
}

// doFirst does the request and keeps its answer.
func (d *door) doFirst(w http.ResponseWriter, r *http.Request, f *flight) {
	stop := f.beat()
	body := digestBody(r)
	defer body.close()
	try := &attempt{flight: f, r: r, body: body}
	a := &heldAnswer{ResponseWriter: w}
	defer func() { // also when the handler panics; nothing is forgotten that is kept
		stop()
		f.leave(a.status)
	}()
	same := r.WithContext(context.WithValue(r.Context(), attemptKey{}, try))
	same.Body = body
	d.keyed.ServeHTTP(a, same)
	if a.keepable() {
		if hash, err := try.asked(); err == nil && f.isOf(hash) {
			f.keep(hash, a)
		}
	}
	stop()
	f.leave(a.status)
	a.send()
}

// repeat answers a request whose answer is known.
func (d *door) repeat(w http.ResponseWriter, r *http.Request, known *store.Request) {
	parts, err := readParts(r.Header.Get("Content-Type"), d.bounded(r.Body))
	if err == nil && hashRequest(r, parts) != known.Hash {
		err = keyReused()
	}
	var header map[string]string
	if err == nil {
		err = json.Unmarshal(known.Header, &header)
	}
	if err != nil {
		d.fail(w, r, err)
		return
	}
	for name, value := range header {
		w.Header().Set(name, value)
	}
	w.Header().Set(replayedHeader, "true")
	w.WriteHeader(known.Status)
	_, _ = w.Write(known.Body) // a client that has gone is no error
}

// flight is a request with a key while it is being done.
type flight struct {
	d       *door
	ctx     context.Context
	ws      store.WS
	request store.Request // with the hash of what is asked for, once it is known
	// resumed says that a try which died had left the hash.
	resumed bool
	over    bool
}

// isOf reports whether what is asked for is what the key stands for.
func (f *flight) isOf(hash string) bool { return f.request.Hash == "" || f.request.Hash == hash }

// claim makes the key stand for what is asked for.
func (f *flight) claim(hash string) error {
	if !f.isOf(hash) {
		return keyReused()
	}
	if f.request.Hash == hash {
		return nil
	}
	q := f.request
	q.Hash = hash
	err := f.d.cfg.Requests.EndRequest(f.ctx, f.ws, q) // without a status it is in flight as before
	switch {
	case errors.Is(err, store.ErrNotFound):
		return inFlight() // taken over: it is the other one's to do
	case err != nil:
		return fmt.Errorf("note what is asked for: %w", err)
	}
	f.request.Hash = hash
	return nil
}

// beat says from time to time that the request is in flight. The function it
// returns ends that.
func (f *flight) beat() (stop func()) {
	ctx, cancel := context.WithCancel(f.ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		tick := time.NewTicker(requestBeat)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
			if err := f.d.cfg.Requests.BeatRequest(ctx, f.ws, f.request.Key, f.request.At, f.d.now()); err != nil && ctx.Err() == nil {
				f.log("beat request", err)
			}
		}
	}()
	return func() {
		cancel()
		<-done
	}
}

// keep stores the answer.
func (f *flight) keep(hash string, a *heldAnswer) {
	q := f.request
	q.Hash, q.Status, q.Body = hash, a.status, a.body.Bytes()
	var err error
	if q.Header, err = json.Marshal(a.kept()); err == nil {
		err = f.d.cfg.Requests.EndRequest(f.ctx, f.ws, q)
	}
	switch {
	case err == nil:
		f.over = true
	case errors.Is(err, store.ErrNotFound):
		f.over = true // taken over: it is the other one's answer that counts
	default:
		f.log("keep answer", err)
	}
}

// leave ends the flight without an answer that is kept, so that the request can
// be sent again. The key stands for it as before where it may have been done: by
// a try that died, or by one that could not say so.
func (f *flight) leave(status int) {
	if f.over {
		return
	}
	f.over = true
	refused := status >= http.StatusBadRequest && status < http.StatusInternalServerError
	var err error
	if f.request.Hash != "" && (f.resumed || !refused) {
		// Without a beat it is taken over by whoever comes next.
		err = f.d.cfg.Requests.BeatRequest(f.ctx, f.ws, f.request.Key, f.request.At, time.UnixMilli(0))
	} else {
		err = f.d.cfg.Requests.DropRequest(f.ctx, f.ws, f.request.Key, f.request.At)
	}
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		f.log("leave request", err)
	}
}

func (f *flight) log(what string, err error) {
	f.d.cfg.Log.LogAttrs(f.ctx, slog.LevelWarn, what, slog.String(server.LogRequest, server.RequestID(f.ctx)), slog.Any("error", err))
}
