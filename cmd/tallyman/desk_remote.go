package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"tallyman/internal/catalog"
	"tallyman/internal/importer"
)

// remoteDesk runs imports at a server, over its REST door.
type remoteDesk struct {
	base string // the server's URL, without a slash at the end
	key  string
	// tenant is the workspace that the key must be for; "" for whichever it is.
	tenant string
	client *http.Client
	sights sights
	now    func() time.Time
	// rest waits before a request that was one too many is sent again.
	rest func(context.Context, time.Duration) error
	// began is when the file began to be sent. The server's times are in whole
	// seconds; how long a short import took is better told from here.
	began time.Time
}

var _ desk = (*remoteDesk)(nil)

// sightsAt are the addresses at a server of which no more is known.
func sightsAt(base string) sights {
	base = strings.TrimRight(base, "/")
	imports := base + "/api/v1/imports/"
	return sights{
		imp:    func(id string) string { return imports + id },
		errors: func(id string) string { return imports + id + "/errors" },
		changes: func(id string, f importer.ChangeFilter) string {
			return strings.TrimSuffix(imports+id+"/changes?"+changesQuery(f).Encode(), "?")
		},
		kept: func(id string) string { return imports + id + "/rows?outcome=held" },
		failed: func(id string, plan bool) string {
			if plan {
				return imports + id + "/failed-rows.csv?plan=true"
			}
			return imports + id + "/failed-rows.csv"
		},
		command: func(words string) string { return "tallyman " + words + " --server " + quoted(base) },
	}
}

func newRemoteDesk(base, key string, s sights, now func() time.Time) *remoteDesk {
	return &remoteDesk{base: strings.TrimRight(base, "/"), key: key, client: &http.Client{}, sights: s, now: now, rest: pause}
}

// start streams the file as it is read: it is never whole in memory. The fields
// go before it, so that the server knows them when the file is there.
func (d *remoteDesk) start(ctx context.Context, up upload) (view, error) {
	d.began = d.now()
	body, pipe := io.Pipe()
	form := multipart.NewWriter(pipe)
	sent := make(chan error, 1)
	go func() {
		err := up.writeForm(form)
		pipe.CloseWithError(err)
		sent <- err
	}()
	object, err := d.call(ctx, http.MethodPost, "/imports", form.FormDataContentType(), body)
	body.Close()
	// A refusal in the middle of the file cuts the pipe: the answer says why,
	// not the writer. Only what could not be read here is told instead.
	if werr := <-sent; err != nil && catalog.AsFault(err) == nil && werr != nil && !errors.Is(werr, io.ErrClosedPipe) {
		return view{}, fmt.Errorf("send file: %w", werr)
	}
	if err != nil {
		return d.refusal(ctx, err)
	}
	v, err := viewOf(object)
	if err != nil {
		return view{}, err
	}
	return d.show(ctx, v.ID)
}

// writeForm writes the upload as a form: its options, then the file.
func (up *upload) writeForm(form *multipart.Writer) error {
	fields := []struct{ name, value string }{
		{"source", up.source}, {"mode", up.mode}, {"format", up.format}, {"delimiter", up.delimiter},
		{"encoding", up.encoding}, {"currency", up.currency}, {"decimal", up.decimal},
		{"blank", up.blank}, {"gtin_check", up.gtinCheck},
		{"plan", ifTrue(up.plan)}, {"policy", policyWords[up.policy]}, {"stop_after", ifAbove(up.stopAfter)},
		{"max_changed_percent", ifSet(up.rails.changed)}, {"max_price_move_percent", ifSet(up.rails.priceMove)},
		{"max_cleared_or_deleted", ifSet(up.rails.cleared)}, {"max_rows_down_percent", ifSet(up.rails.rowsDown)},
		{"feed", up.feed}, {"missing", up.missing},
	}
	for _, f := range fields {
		if f.value == "" {
			continue
		}
		if err := form.WriteField(f.name, f.value); err != nil {
			return err
		}
	}
	if len(up.mapping) > 0 {
		mapping := make(map[string]string, len(up.mapping))
		for _, m := range up.mapping {
			mapping[m.column] = m.field
		}
		text, err := json.Marshal(mapping)
		if err != nil {
			return err
		}
		if err := form.WriteField("mapping", string(text)); err != nil {
			return err
		}
	}
	part, err := form.CreateFormFile("file", up.name)
	if err != nil {
		return err
	}
	if _, err := io.Copy(part, up.body); err != nil {
		return err
	}
	return form.Close()
}

// policyWords are the REST door's names of policies; the usual one has none.
var policyWords = map[importer.Policy]string{importer.PolicyStop: "stop", importer.PolicyAll: "all_or_nothing"}

func ifTrue(b bool) string {
	if b {
		return "true"
	}
	return ""
}

func ifAbove(n int64) string {
	if n > 0 {
		return strconv.FormatInt(n, 10)
	}
	return ""
}

func ifSet[T float64 | int64](n *T) string {
	if n == nil {
		return ""
	}
	return fmt.Sprint(*n)
}

// apiError is the body of the REST door's errors.
type apiError struct {
	Code       string              `json:"error"`
	Message    string              `json:"message"`
	Details    map[string][]string `json:"details"`
	ImportID   string              `json:"import_id"`
	RetryAfter int                 `json:"retry_after"`
}

// remoteFault is a refusal in the words of the server.
type remoteFault struct {
	*catalog.Fault
	importID string
	// retryAfter is how long the server wants to be left alone; 0 for no matter.
	retryAfter time.Duration
}

func (f *remoteFault) Unwrap() error { return f.Fault }

// refusal returns the recorded import of a refused upload with the refusal.
func (d *remoteDesk) refusal(ctx context.Context, err error) (view, error) {
	var f *remoteFault
	if !errors.As(err, &f) || f.importID == "" {
		return view{}, err
	}
	v, verr := d.show(ctx, f.importID)
	if verr != nil {
		return view{}, err
	}
	return v, err
}

// call makes a request under /api/v1 and returns the body of its answer; an
// answer that is an error is returned as a *remoteFault. A question that was one
// too many for the server's rate limit is asked again when it may be; an upload
// is not, for its file may be a pipe that is read by then.
func (d *remoteDesk) call(ctx context.Context, method, path, contentType string, body io.Reader) (json.RawMessage, error) {
	for {
		object, err := d.callOnce(ctx, method, path, contentType, body)
		var f *remoteFault
		text, again := body.(io.Seeker)
		if body != nil && !again || !errors.As(err, &f) || f.Kind != catalog.KindRateLimited || f.retryAfter <= 0 {
			return object, err
		}
		if err := d.rest(ctx, f.retryAfter); err != nil {
			return nil, err
		}
		if again {
			if _, err := text.Seek(0, io.SeekStart); err != nil {
				return nil, fmt.Errorf("ask server: %w", err)
			}
		}
	}
}

func (d *remoteDesk) callOnce(ctx context.Context, method, path, contentType string, body io.Reader) (json.RawMessage, error) {
	req, err := http.NewRequestWithContext(ctx, method, d.base+"/api/v1"+path, body)
	if err != nil {
		return nil, fmt.Errorf("ask server: %w", err)
	}
	req.Header.Set("Authorization", "Bearer "+d.key)
	req.Header.Set("Accept", "application/json")
	if d.tenant != "" {
		req.Header.Set("X-Tenant-ID", d.tenant)
	}
	if contentType != "" {
		req.Header.Set("Content-Type", contentType)
	}
	resp, err := d.client.Do(req)
	if err != nil {
		return nil, fmt.Errorf("ask server: %w", err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, fmt.Errorf("read answer: %w", err)
	}
	if resp.StatusCode >= 400 {
		return nil, answered(resp, text)
	}
	var line bytes.Buffer
	if err := json.Compact(&line, text); err != nil {
		return nil, fmt.Errorf("read answer: %w", err)
	}
	return line.Bytes(), nil
}

// answered turns an error answer into a fault of the kind that its status means.
func answered(resp *http.Response, text []byte) error {
	var e apiError
	if err := json.Unmarshal(text, &e); err != nil || e.Code == "" {
		return fmt.Errorf("the server answered %s", resp.Status)
	}
	kind := catalog.KindInternal
	switch resp.StatusCode {
	case http.StatusUnprocessableEntity, http.StatusBadRequest:
		kind = catalog.KindInvalid
	case http.StatusRequestEntityTooLarge:
		kind = catalog.KindTooLarge
	case http.StatusNotFound:
		kind = catalog.KindNotFound
	case http.StatusConflict:
		kind = catalog.KindConflict
	case http.StatusTooManyRequests:
		kind = catalog.KindRateLimited
	case http.StatusServiceUnavailable:
		kind = catalog.KindUnavailable
	}
	return &remoteFault{
		Fault:    &catalog.Fault{Kind: kind, Code: e.Code, Message: e.Message, Fields: e.Details},
		importID: e.ImportID, retryAfter: time.Duration(e.RetryAfter) * time.Second,
	}
}

func (d *remoteDesk) get(ctx context.Context, path string) (view, error) {
	object, err := d.call(ctx, http.MethodGet, path, "", nil)
	if err != nil {
		return view{}, err
	}
	return viewOf(object)
}

func (d *remoteDesk) show(ctx context.Context, id string) (view, error) {
	return d.get(ctx, "/imports/"+url.PathEscape(id))
}

func (d *remoteDesk) wait(ctx context.Context, v view) (view, error) {
	last := v
	v, err := d.get(ctx, "/imports/"+url.PathEscape(v.ID)+"?wait=1s")
	if away := (*remoteFault)(nil); errors.As(err, &away) && away.Kind == catalog.KindUnavailable {
		// The import goes on when the server can again, and so does this.
		last.WaitingFor = away.Message
		return last, d.rest(ctx, max(away.retryAfter, time.Second))
	}
	if gone := (*url.Error)(nil); errors.As(err, &gone) {
		return v, fmt.Errorf("the server is gone; the import goes on when it is back: %w", err)
	}
	if err == nil && v.ended() && !d.began.IsZero() {
		now := d.now()
		v.StartedAt, v.CompletedAt = &d.began, &now
	}
	return v, err
}

func (d *remoteDesk) resume(ctx context.Context, id string) (view, error) {
	return d.post(ctx, id, "resume", nil)
}

// applying and retrying are the bodies of the requests of those names.
type applying struct {
	Fingerprint string `json:"fingerprint"`
	Confirm     bool   `json:"confirm"`
}

type retrying struct {
	Plan        bool `json:"plan"`
	Held        bool `json:"held"`
	Failed      bool `json:"failed"`
	Unprocessed bool `json:"unprocessed"`
}

func (d *remoteDesk) replan(ctx context.Context, id string) (view, error) {
	return d.post(ctx, id, "plan", nil)
}

func (d *remoteDesk) apply(ctx context.Context, id string, opt importer.ApplyOptions) (view, error) {
	return d.post(ctx, id, "apply", applying(opt))
}

func (d *remoteDesk) undo(ctx context.Context, id string, opt undoing) (view, error) {
	return d.post(ctx, id, "undo", opt)
}

func (d *remoteDesk) retry(ctx context.Context, id string, opt importer.RetryOptions) (view, error) {
	return d.post(ctx, id, "retry", retrying{Plan: opt.Plan, Held: opt.Held, Failed: opt.Failed, Unprocessed: opt.Unprocessed})
}

// post asks for something to be done about an import; body is nil for none.
func (d *remoteDesk) post(ctx context.Context, id, verb string, body any) (view, error) {
	contentType, text := "", io.Reader(nil)
	if body != nil {
		object, err := json.Marshal(body)
		if err != nil {
			return view{}, fmt.Errorf("write request: %w", err)
		}
		contentType, text = "application/json", bytes.NewReader(object)
	}
	d.began = d.now()
	object, err := d.call(ctx, http.MethodPost, "/imports/"+url.PathEscape(id)+"/"+verb, contentType, text)
	if err != nil {
		return view{}, err
	}
	return viewOf(object)
}

// list reads one page of a listing, and how many there are on all pages.
func list[T any](ctx context.Context, d *remoteDesk, path string, query url.Values) ([]T, int, error) {
	text, err := d.call(ctx, http.MethodGet, path+"?"+query.Encode(), "", nil)
	if err != nil {
		return nil, 0, err
	}
	var page struct {
		Data []T `json:"data"`
		Meta struct {
			Total int `json:"total"`
		} `json:"meta"`
	}
	if err := json.Unmarshal(text, &page); err != nil {
		return nil, 0, fmt.Errorf("read answer: %w", err)
	}
	return page.Data, page.Meta.Total, nil
}

// perPage is the most entries that a page of the REST door has.
const perPage = 100

// sameContent reads as many pages as it takes: imports that wrote nothing may be
// the newest.
func (d *remoteDesk) sameContent(ctx context.Context, sha256, source string) (view, bool, error) {
	query := url.Values{"sha256": {sha256}, "per_page": {strconv.Itoa(perPage)}}
	if source != "" {
		query.Set("source", source)
	}
	for page, seen := 1, 0; ; page++ {
		query.Set("page", strconv.Itoa(page))
		objects, total, err := list[json.RawMessage](ctx, d, "/imports", query)
		if err != nil {
			return view{}, false, err
		}
		for _, object := range objects {
			v, err := viewOf(object)
			if err != nil {
				return view{}, false, err
			}
			if v.SHA256 == sha256 && v.wrote() {
				return v, true, nil
			}
		}
		if seen += len(objects); len(objects) == 0 || seen >= total {
			return view{}, false, nil
		}
	}
}

func (d *remoteDesk) summary(ctx context.Context, id string) (sum summary, err error) {
	text, err := d.call(ctx, http.MethodGet, "/imports/"+url.PathEscape(id)+"/summary?plan=true", "", nil)
	if err != nil {
		return sum, err
	}
	if err := json.Unmarshal(text, &sum); err != nil {
		return sum, fmt.Errorf("read summary: %w", err)
	}
	return sum, nil
}

// changes reads as many pages as it takes.
func (d *remoteDesk) changes(ctx context.Context, id string, f importer.ChangeFilter, limit int) (all []change, total int, err error) {
	query := changesQuery(f)
	query.Set("per_page", strconv.Itoa(min(limit, perPage)))
	for page := 1; len(all) < limit; page++ {
		query.Set("page", strconv.Itoa(page))
		var found []change
		found, total, err = list[change](ctx, d, "/imports/"+url.PathEscape(id)+"/changes", query)
		if err != nil {
			return nil, 0, err
		}
		all = append(all, found...)
		if len(found) == 0 || len(all) >= total {
			break
		}
	}
	return all[:min(limit, len(all))], total, nil
}

func (d *remoteDesk) causes(ctx context.Context, id string, examples int) ([]cause, error) {
	found, _, err := list[cause](ctx, d, "/imports/"+url.PathEscape(id)+"/causes", url.Values{"plan": {"true"}, "examples": {strconv.Itoa(examples)}})
	return found, err
}

func (d *remoteDesk) problems(ctx context.Context, id string, f problemFilter, limit int) ([]rowError, error) {
	query := url.Values{"per_page": {strconv.Itoa(limit)}}
	if f.warnings {
		query.Set("severity", "warning")
	}
	if f.code != "" {
		query.Set("code", string(f.code))
	}
	found, _, err := list[rowError](ctx, d, "/imports/"+url.PathEscape(id)+"/errors", query)
	return found, err
}

// leave lets the import go on: it is the server's.
func (d *remoteDesk) leave(_ context.Context, v view) (string, error) {
	return fmt.Sprintf("Import %s goes on at %s.", v.ID, d.base), nil
}

func (d *remoteDesk) see() sights { return d.sights }

func (d *remoteDesk) close() error {
	d.client.CloseIdleConnections()
	return nil
}
