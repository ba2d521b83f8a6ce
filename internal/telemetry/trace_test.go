package telemetry_test

import (
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/oklog/ulid/v2"
	"go.opentelemetry.io/otel/trace"
	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	common "go.opentelemetry.io/proto/otlp/common/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"

	"tallyman/internal/config"
	"tallyman/internal/importer"
	"tallyman/internal/store"
	"tallyman/internal/telemetry"
)

// span is a span as it arrived, with the node that sent it.
type span struct {
	*tracepb.Span
	node, version string
}

// receiver is a collector that keeps what it is sent.
type receiver struct {
	t   *testing.T
	url string

	mu    sync.Mutex
	spans []span
}

func newReceiver(t *testing.T) *receiver {
	t.Helper()
	r := &receiver{t: t}
	srv := httptest.NewServer(http.HandlerFunc(r.take))
	t.Cleanup(srv.Close)
	r.url = srv.URL
	return r
}

func (r *receiver) take(w http.ResponseWriter, req *http.Request) {
	body, err := io.ReadAll(req.Body)
	var sent collector.ExportTraceServiceRequest
	if err == nil {
		err = proto.Unmarshal(body, &sent)
	}
	if err != nil || req.URL.Path != "/v1/traces" {
		r.t.Errorf("the collector was sent %s %s, %v", req.Method, req.URL, err)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, of := range sent.GetResourceSpans() {
		node := text(of.GetResource().GetAttributes(), "tallyman.node")
		if text(of.GetResource().GetAttributes(), "service.name") != "tallyman" || text(of.GetResource().GetAttributes(), "host.name") != "host" {
			r.t.Errorf("the resource is %v", of.GetResource())
		}
		for _, scope := range of.GetScopeSpans() {
			for _, s := range scope.GetSpans() {
				r.spans = append(r.spans, span{s, node, text(of.GetResource().GetAttributes(), "service.version")})
			}
		}
	}
	w.Header().Set("Content-Type", "application/x-protobuf")
}

func text(attrs []*common.KeyValue, key string) string {
	for _, a := range attrs {
		if a.GetKey() == key {
			return a.GetValue().GetStringValue()
		}
	}
	return ""
}

func number(attrs []*common.KeyValue, key string) int64 {
	for _, a := range attrs {
		if a.GetKey() == key {
			return a.GetValue().GetIntValue()
		}
	}
	return -1
}

// named returns the spans of one name.
func (r *receiver) named(name string) (of []span) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, s := range r.spans {
		if s.GetName() == name {
			of = append(of, s)
		}
	}
	return of
}

// traces are those of a node that sends to the receiver. flush sends what there is.
func (r *receiver) traces(node string, mod func(*telemetry.TraceConfig)) (traces *telemetry.Traces, flush func()) {
	r.t.Helper()
	cfg := telemetry.TraceConfig{Endpoint: r.url + "/", Version: "v1", Host: "host", Node: node, Ratio: 1, Log: slog.New(slog.DiscardHandler)}
	if mod != nil {
		mod(&cfg)
	}
	traces, err := telemetry.NewTraces(context.Background(), cfg)
	must(r.t, err)
	flush = sync.OnceFunc(func() {
		ctx, cancel := context.WithTimeout(context.Background(), wait)
		defer cancel()
		if err := traces.Close(ctx); err != nil {
			r.t.Errorf("close traces: %v", err)
		}
	})
	r.t.Cleanup(flush)
	return traces, flush
}

// traceOf is the trace of an import, in hex.
func traceOf(t *testing.T, imp store.Import) string {
	t.Helper()
	id, err := ulid.Parse(strings.TrimPrefix(imp.ID, "imp_"))
	must(t, err)
	return hex.EncodeToString(id[:])
}

// TestOneTraceOfTwoNodes: what two nodes do to one import stands in one trace, whose
// id is the import's, below one span that is made when it ends.
func TestOneTraceOfTwoNodes(t *testing.T) {
	r := newReceiver(t)
	a, flushA := r.traces("a", nil)
	b, flushB := r.traces("b", nil)
	g := newGround(t, slog.New(slog.DiscardHandler), a, b)
	imp := g.end(g.ws, g.begin(context.Background(), g.ws, items(4400, "Chair"), importer.Options{}).ID, store.State.Ended)
	g.stop() // the job that ended the import may still be telling so
	flushA()
	flushB()
	roots := r.named("import")
	if len(roots) != 1 {
		t.Fatalf("%d spans are the import's", len(roots))
	}
	root := roots[0]
	if got := hex.EncodeToString(root.GetTraceId()); got != traceOf(t, imp) || len(root.GetParentSpanId()) != 0 {
		t.Errorf("the import's span is in trace %s below %x, want %s", got, root.GetParentSpanId(), traceOf(t, imp))
	}
	if text(root.GetAttributes(), "tallyman.state") != "done" || number(root.GetAttributes(), "tallyman.rows.created") != imp.Tally.Created ||
		number(root.GetAttributes(), "tallyman.rows.failed") != imp.Tally.Failed || root.version != "v1" {
		t.Errorf("the import's span says %v of %+v", root.GetAttributes(), imp.Tally)
	}
	nodes := make(map[string]bool)
	var rows int64
	for name, least := range map[string]int{"receive": 1, "slice": 1, "apply batch": 1, "finish": 1} {
		spans := r.named(name)
		if len(spans) < least {
			t.Errorf("there are %d spans %q", len(spans), name)
		}
		for _, s := range spans {
			nodes[s.node] = true
			if !bytes.Equal(s.GetTraceId(), root.GetTraceId()) || !bytes.Equal(s.GetParentSpanId(), root.GetSpanId()) {
				t.Errorf("%s is in trace %x below %x, the import in %x with %x", name, s.GetTraceId(), s.GetParentSpanId(), root.GetTraceId(), root.GetSpanId())
			}
			if text(s.GetAttributes(), "tallyman.import") != imp.ID || text(s.GetAttributes(), "tallyman.node") != s.node {
				t.Errorf("%s of node %s says %v", name, s.node, s.GetAttributes())
			}
			if name == "apply batch" {
				rows += number(s.GetAttributes(), "tallyman.rows")
			}
		}
	}
	if !nodes["a"] || !nodes["b"] {
		t.Errorf("the trace is of nodes %v, want a and b", nodes)
	}
	if rows != imp.Tally.Rows() {
		t.Errorf("the batches' spans have %d rows, the import %d", rows, imp.Tally.Rows())
	}
	if got := r.named("chunk"); len(got) > 0 {
		t.Errorf("nobody asked for %d spans of chunks", len(got))
	}
}

func TestChunksAreTracedOnDemand(t *testing.T) {
	r := newReceiver(t)
	a, flush := r.traces("a", func(c *telemetry.TraceConfig) { c.Chunks = true })
	g := newGround(t, slog.New(slog.DiscardHandler), a)
	g.end(g.ws, g.begin(context.Background(), g.ws, items(1200, "Chair"), importer.Options{}).ID, store.State.Ended)
	g.stop()
	flush()
	var rows int64
	for _, s := range r.named("chunk") {
		rows += number(s.GetAttributes(), "tallyman.rows")
		of := slices.IndexFunc(r.named("apply batch"), func(b span) bool { return bytes.Equal(b.GetSpanId(), s.GetParentSpanId()) })
		if of < 0 || s.GetStartTimeUnixNano() >= s.GetEndTimeUnixNano() {
			t.Errorf("a chunk's span is below %x, from %d to %d", s.GetParentSpanId(), s.GetStartTimeUnixNano(), s.GetEndTimeUnixNano())
		}
	}
	if rows != 1200 {
		t.Errorf("the chunks' spans have %d rows of 1200", rows)
	}
}

// TestARequestLeadsToItsImport: a request is in the trace that it came with, named
// by its route, and linked to the import that it started, which links back.
func TestARequestLeadsToItsImport(t *testing.T) {
	r := newReceiver(t)
	a, flush := r.traces("a", nil)
	g := newGround(t, slog.New(slog.DiscardHandler), a)
	var imp store.Import
	h := a.Handler(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		if req.URL.Path == "/readyz" {
			return
		}
		imp = g.begin(req.Context(), g.ws, items(10, "Chair"), importer.Options{})
		a.Request(req.Context(), "POST /api/v1/imports")
		w.WriteHeader(http.StatusAccepted)
	}))
	const caller = "0af7651916cd43dd8448eb211c80319c"
	req := httptest.NewRequest(http.MethodPost, "/api/v1/imports?secret=hidden", strings.NewReader("x"))
	req.Header.Set("Traceparent", "00-"+caller+"-b7ad6b7169203331-01")
	h.ServeHTTP(httptest.NewRecorder(), req)
	h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/readyz", nil))
	g.end(g.ws, imp.ID, store.State.Ended)
	g.stop()
	flush()
	asked := r.named("POST /api/v1/imports")
	if len(asked) != 1 {
		t.Fatalf("%d spans are the request's", len(asked))
	}
	if got := hex.EncodeToString(asked[0].GetTraceId()); got != caller || text(asked[0].GetAttributes(), "http.route") != "/api/v1/imports" {
		t.Errorf("the request is in trace %s with %v", got, asked[0].GetAttributes())
	}
	if links := asked[0].GetLinks(); len(links) != 1 || hex.EncodeToString(links[0].GetTraceId()) != traceOf(t, imp) {
		t.Errorf("the request leads to %v, want trace %s", links, traceOf(t, imp))
	}
	if probes := r.named("GET"); len(probes) > 0 {
		t.Errorf("a probe is traced: %v", probes)
	}
	received := r.named("receive")
	if len(received) != 1 || len(received[0].GetLinks()) != 1 || !bytes.Equal(received[0].GetLinks()[0].GetSpanId(), asked[0].GetSpanId()) {
		t.Errorf("the import does not lead to its request: %v", received)
	}
}

// The ratio is of requests. An import is traced whatever it is.
func TestImportsAreAlwaysTraced(t *testing.T) {
	r := newReceiver(t)
	a, flush := r.traces("a", func(c *telemetry.TraceConfig) { c.Ratio = 0 })
	g := newGround(t, slog.New(slog.DiscardHandler), a)
	h := a.Handler(http.HandlerFunc(func(_ http.ResponseWriter, req *http.Request) {
		imp := g.begin(req.Context(), g.ws, items(10, "Chair"), importer.Options{})
		g.end(g.ws, imp.ID, store.State.Ended)
		a.Request(req.Context(), "POST /api/v1/imports")
	}))
	h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodPost, "/api/v1/imports", nil))
	flush()
	if n := len(r.named("POST /api/v1/imports")); n != 0 {
		t.Errorf("%d of no requests are traced", n)
	}
	if n := len(r.named("slice")); n != 1 {
		t.Errorf("%d slice steps of the import are traced", n)
	}
}

// A collector that is away costs nobody anything but a line in the log.
func TestACollectorThatIsAway(t *testing.T) {
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadRequest) }))
	defer srv.Close()
	var log bytes.Buffer
	traces, err := telemetry.NewTraces(context.Background(), telemetry.TraceConfig{Endpoint: srv.URL, Ratio: 1, Log: slog.New(slog.NewTextHandler(&log, nil))})
	must(t, err)
	imp := store.Import{ID: "imp_" + ulid.Make().String(), State: store.Done, CreatedAt: time.Now()}
	imp.CompletedAt = &imp.CreatedAt
	traces.ImportEnded(context.Background(), &imp)
	if err := traces.Close(context.Background()); err != nil {
		t.Errorf("close: %v", err)
	}
	if n := strings.Count(log.String(), "traces cannot be sent"); n != 1 {
		t.Errorf("the log says %q", log.String())
	}
}

// TestNoAddressIsTold: what a collector's address has in its path stands in no error,
// whether the collector is away, refuses, or sends it back.
func TestNoAddressIsTold(t *testing.T) {
	refuses := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.Error(w, "there is no "+r.URL.Path+" at http://"+r.Host+r.RequestURI, http.StatusNotFound)
	}))
	defer refuses.Close()
	busy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.Error(w, r.RequestURI, http.StatusServiceUnavailable)
	}))
	defer busy.Close()
	for _, host := range []string{"http://127.0.0.1:1", refuses.URL, busy.URL} {
		for _, path := range []string{"/geheim", "/a/geheim/", "/ge%2Fheim"} {
			var log bytes.Buffer
			traces, err := telemetry.NewTraces(context.Background(), telemetry.TraceConfig{Endpoint: host + path, Ratio: 1, Log: slog.New(slog.NewTextHandler(&log, nil))})
			must(t, err)
			imp := store.Import{ID: "imp_" + ulid.Make().String(), State: store.Done, CreatedAt: time.Now()}
			imp.CompletedAt = &imp.CreatedAt
			traces.ImportEnded(context.Background(), &imp)
			ctx, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
			said := log.String()
			if err := traces.Close(ctx); err != nil {
				said += err.Error()
			}
			cancel()
			said += log.String()
			if said == "" {
				t.Errorf("%s: nothing was said", host+path)
			}
			if strings.Contains(said, "heim") {
				t.Errorf("%s: the log says %q", host+path, said)
			}
		}
	}
}

// TestAnAddressOfTheEnvironmentIsNotTold: an address is as secret where OpenTelemetry's
// own variable has it.
func TestAnAddressOfTheEnvironmentIsNotTold(t *testing.T) {
	collector := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.Error(w, r.URL.Path, http.StatusNotFound)
	}))
	defer collector.Close()
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.URL+"/geheim")
	var log bytes.Buffer
	traces, err := telemetry.NewTraces(context.Background(), telemetry.TraceConfig{Address: config.Telemetry{}.TracesAt(), Ratio: 1, Log: slog.New(slog.NewTextHandler(&log, nil))})
	must(t, err)
	imp := store.Import{ID: "imp_" + ulid.Make().String(), State: store.Done, CreatedAt: time.Now()}
	imp.CompletedAt = &imp.CreatedAt
	traces.ImportEnded(context.Background(), &imp)
	must(t, traces.Close(context.Background()))
	if said := log.String(); !strings.Contains(said, "404") || strings.Contains(said, "geheim") {
		t.Errorf("the log says %q", said)
	}
}

// TestLinesOfATraceNameIt: with a trace in the context a line has its id.
func TestLinesOfATraceNameIt(t *testing.T) {
	var out bytes.Buffer
	log := slog.New(telemetry.WithTraces(slog.NewJSONHandler(&out, nil))).With("node", "a")
	sc := trace.NewSpanContext(trace.SpanContextConfig{TraceID: trace.TraceID{1}, SpanID: trace.SpanID{1}, TraceFlags: trace.FlagsSampled})
	log.InfoContext(trace.ContextWithSpanContext(context.Background(), sc), "in")
	log.InfoContext(context.Background(), "out")
	dec := json.NewDecoder(&out)
	for _, want := range []string{sc.TraceID().String(), ""} {
		var line struct {
			Trace string `json:"trace_id"`
			Node  string
		}
		must(t, dec.Decode(&line))
		if line.Trace != want || line.Node != "a" {
			t.Errorf("the line has %+v, want trace %q", line, want)
		}
	}
}

// TestLogKeys: what is logged of an import names it, and the node, in the same words.
func TestLogKeys(t *testing.T) {
	r := newReceiver(t)
	a, _ := r.traces("a", nil)
	var out bytes.Buffer
	g := newGround(t, slog.New(telemetry.WithTraces(slog.NewJSONHandler(&lines{w: &out}, nil))), a)
	imp := g.end(g.ws, g.begin(context.Background(), g.ws, items(10, "Chair"), importer.Options{}).ID, store.State.Ended)
	g.stop()
	dec := json.NewDecoder(&out)
	for _, want := range []map[string]any{
		{"msg": "import started", "import": imp.ID},
		{"msg": "import ended", "import": imp.ID, "node": "a", "pass": "apply", "state": "done", "trace_id": traceOf(t, imp)},
	} {
		var line map[string]any
		must(t, dec.Decode(&line))
		for key, v := range want {
			if line[key] != v {
				t.Errorf("%s is %v, want %v, in %v", key, line[key], v, line)
			}
		}
	}
}

// lines is a writer for several goroutines.
type lines struct {
	mu sync.Mutex
	w  io.Writer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.w.Write(p)
}
