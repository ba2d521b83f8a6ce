package telemetry_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil/promlint"
	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"tallyman/internal/importer"
	"tallyman/internal/store"
	"tallyman/internal/telemetry"
)

// settings are those of metrics of a node that has nothing to do.
func settings() telemetry.MetricsConfig {
	return telemetry.MetricsConfig{Version: "test", Workers: 2, Now: time.Now,
		Load:        func(context.Context) (store.Load, error) { return store.Load{}, nil },
		Nodes:       func(context.Context, time.Time) ([]store.Node, error) { return nil, nil },
		StoreHealth: func(context.Context) error { return nil }, FilesHealth: func(context.Context) error { return nil }}
}

// scrape asks for the metrics over HTTP, as Prometheus does.
func scrape(t *testing.T, m *telemetry.Metrics) (text string, families map[string]*dto.MetricFamily) {
	t.Helper()
	srv := httptest.NewServer(m.Handler())
	defer srv.Close()
	res, err := http.Get(srv.URL)
	must(t, err)
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	must(t, err)
	if kind := res.Header.Get("Content-Type"); res.StatusCode != http.StatusOK || !strings.HasPrefix(kind, "text/plain; version=0.0.4") {
		t.Fatalf("the metrics are answered with %d, %s: %s", res.StatusCode, kind, body)
	}
	parser := expfmt.NewTextParser(model.LegacyValidation)
	families, err = parser.TextToMetricFamilies(strings.NewReader(string(body)))
	must(t, err)
	return string(body), families
}

// value is the value of one series of ours; labels are pairs. ok is false where
// there is none.
func value(families map[string]*dto.MetricFamily, name string, labels ...string) (v float64, ok bool) {
	f := families["tallyman_"+name]
	if f == nil {
		return 0, false
	}
	for _, m := range f.GetMetric() {
		got := make(map[string]string)
		for _, l := range m.GetLabel() {
			got[l.GetName()] = l.GetValue()
		}
		want := make(map[string]string)
		for i := 0; i < len(labels); i += 2 {
			want[labels[i]] = labels[i+1]
		}
		if !maps.Equal(got, want) {
			continue
		}
		switch {
		case m.Counter != nil:
			return m.GetCounter().GetValue(), true
		case m.Histogram != nil:
			return float64(m.GetHistogram().GetSampleCount()), true
		}
		return m.GetGauge().GetValue(), true
	}
	return 0, false
}

func expect(t *testing.T, families map[string]*dto.MetricFamily, want float64, name string, labels ...string) {
	t.Helper()
	if got, ok := value(families, name, labels...); !ok || got != want {
		t.Errorf("tallyman_%s%v is %v, %v; want %v", name, labels, got, ok, want)
	}
}

// Rows are counted by outcome as the imports' own tallies count them, in the plan
// and in the pass that writes; a retry counts the rows that came to something else.
func TestRowsAreCountedAsTalliesAre(t *testing.T) {
	m := telemetry.NewMetrics(settings())
	g := newGround(t, slog.New(slog.DiscardHandler), m)
	ctx := context.Background()
	file := items(2600, "Chair")
	first := g.end(g.ws, g.begin(ctx, g.ws, file, importer.Options{}).ID, store.State.Ended)
	planned := g.begin(ctx, g.ws, items(2600, "Table"), importer.Options{Plan: true})
	g.end(g.ws, planned.ID, func(s store.State) bool { return s == store.Planned })
	_, err := g.nodes[0].Terminate(ctx, g.ws, planned.ID)
	must(t, err)
	if first.State != store.Done || first.Tally.Failed != 260 || first.Tally.Created != 2340 {
		t.Fatalf("the import is %s with %+v", first.State, first.Tally)
	}
	g.stop()
	_, got := scrape(t, m)
	expect(t, got, 2340, "rows_total", "outcome", "created", "pass", "apply")
	expect(t, got, 260, "rows_total", "outcome", "failed", "pass", "apply")
	expect(t, got, 0, "rows_total", "outcome", "updated", "pass", "apply")
	expect(t, got, 2340, "rows_total", "outcome", "updated", "pass", "plan")
	expect(t, got, 260, "rows_total", "outcome", "failed", "pass", "plan")
	expect(t, got, 0, "rows_total", "outcome", "created", "pass", "retry")
	expect(t, got, 2, "imports_started_total", "door", "rest")
	expect(t, got, 1, "imports_ended_total", "state", "done")
	expect(t, got, 1, "imports_ended_total", "state", "terminated")
	expect(t, got, 2, "import_duration_seconds")
	expect(t, got, 2, "uploads_total")
	expect(t, got, float64(2*len(file)), "received_bytes_total")
	expect(t, got, 0, "jobs_running")
	expect(t, got, 0, "uploads_refused_total")
	// The rows of the file without its header, once by each pass.
	expect(t, got, float64(2*(len(file)-len("SKU,Title,Price\n"))), "read_bytes_total")
	if n, ok := value(got, "chunk_duration_seconds", "step", "write"); !ok || n < 10 {
		t.Errorf("%v transactions of chunks were measured, want one for each 500 rows at least", n)
	}
}

func TestRefusedUploadsAreCounted(t *testing.T) {
	m := telemetry.NewMetrics(settings())
	g := newGround(t, slog.New(slog.DiscardHandler), m)
	for range 2 {
		if _, err := g.nodes[0].Receive(context.Background(), g.ws, "rest", "", "empty.csv", strings.NewReader("")); err == nil {
			t.Fatal("an empty file was taken")
		}
	}
	_, got := scrape(t, m)
	expect(t, got, 2, "uploads_refused_total")
	expect(t, got, 0, "imports_ended_total", "state", "done")
}

// The retry's own counts go up only: a page counts what its rows were before down.
func TestARetryCountsUp(t *testing.T) {
	m := telemetry.NewMetrics(settings())
	g := newGround(t, slog.New(slog.DiscardHandler), m)
	ctx := context.Background()
	imp := g.end(g.ws, g.begin(ctx, g.ws, items(40, "Chair"), importer.Options{}).ID, store.State.Ended)
	_, err := g.nodes[0].Correct(ctx, g.ws, imp.ID, 11, map[string]string{"Price": "9"}, "")
	must(t, err)
	_, err = g.nodes[0].Retry(ctx, g.ws, imp.ID, importer.RetryOptions{Failed: true})
	must(t, err)
	g.end(g.ws, imp.ID, store.State.Ended)
	g.stop()
	_, got := scrape(t, m)
	expect(t, got, 1, "rows_total", "outcome", "created", "pass", "retry")
	expect(t, got, 36, "rows_total", "outcome", "created", "pass", "apply")
	expect(t, got, 4, "rows_total", "outcome", "failed", "pass", "apply")
	expect(t, got, 2, "imports_ended_total", "state", "done")
}

// TestCardinality: however many workspaces, imports, files and paths there are,
// there are no more series than with one, and none of their names is in a label.
func TestCardinality(t *testing.T) {
	m := telemetry.NewMetrics(settings())
	g := newGround(t, slog.New(slog.DiscardHandler), m)
	ctx := context.Background()
	run := func(ws store.Workspace) store.Import {
		return g.end(ws, g.begin(ctx, ws, items(20, "Chair"), importer.Options{}).ID, store.State.Ended)
	}
	names := []string{g.ws.Name, run(g.ws).ID, "items.csv", "SKU-000001"}
	m.Request("rest", "GET /api/v1/imports/{id}", 200, time.Second)
	_, before := scrape(t, m)
	for _, name := range []string{"secretive", "another-shop"} {
		names = append(names, name, run(g.workspace(name)).ID)
		m.Request("rest", "GET /api/v1/imports/{id}", 204, time.Second)
	}
	text, after := scrape(t, m)
	count := func(families map[string]*dto.MetricFamily) (n int) {
		for name, f := range families {
			if strings.HasPrefix(name, "tallyman_") {
				n += len(f.GetMetric())
			}
		}
		return n
	}
	if a, b := count(before), count(after); a != b {
		t.Errorf("%d series became %d", a, b)
	}
	for _, name := range names {
		if strings.Contains(text, name) {
			t.Errorf("%q is in the metrics", name)
		}
	}
	allowed := []string{"outcome", "pass", "step", "state", "door", "route", "status", "version", "goversion", "le"}
	for name, f := range after {
		for _, series := range f.GetMetric() {
			for _, l := range series.GetLabel() {
				if strings.HasPrefix(name, "tallyman_") && !slices.Contains(allowed, l.GetName()) {
					t.Errorf("%s has the label %s; enter it here if its values are few", name, l.GetName())
				}
			}
		}
	}
}

func TestDoorsAreAFewWords(t *testing.T) {
	m := telemetry.NewMetrics(settings())
	for _, door := range []string{"rest", "cli", "x1", "x2"} {
		m.ImportStarted(context.Background(), &store.Import{Door: door})
	}
	_, got := scrape(t, m)
	expect(t, got, 1, "imports_started_total", "door", "rest")
	expect(t, got, 2, "imports_started_total", "door", "other")
}

// TestNamesKeepTheRules: Prometheus' own rules for names, units and help.
func TestNamesKeepTheRules(t *testing.T) {
	m := telemetry.NewMetrics(settings())
	m.Request("rest", "GET /api/v1/imports", 200, time.Second)
	m.ImportStarted(context.Background(), &store.Import{Door: "cli"})
	text, _ := scrape(t, m)
	problems, err := promlint.New(strings.NewReader(text)).Lint()
	must(t, err)
	for _, p := range problems {
		t.Errorf("%s: %s", p.Metric, p.Text)
	}
}

func TestHowThingsStand(t *testing.T) {
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	cfg := settings()
	cfg.Now = func() time.Time { return now }
	oldest := now.Add(-90 * time.Second)
	cfg.Load = func(context.Context) (store.Load, error) {
		return store.Load{Imports: map[store.State]int64{store.Running: 3, store.Planned: 1},
			Batches: map[store.BatchState]int64{store.BatchWaiting: 40, store.BatchQueued: 8}, Oldest: &oldest}, nil
	}
	cfg.Nodes = func(_ context.Context, since time.Time) ([]store.Node, error) {
		if age := now.Sub(since); age < 5*time.Second || age > time.Minute {
			t.Errorf("nodes are asked for that beat within %s", age)
		}
		return []store.Node{{Name: "a"}, {Name: "b", Held: "disk full"}}, nil
	}
	cfg.FilesHealth = func(context.Context) error { return errors.New("no bucket") }
	cfg.HeldReasons, cfg.HeldBy = []string{"disk", "files"}, func() []string { return []string{"files"} }
	_, got := scrape(t, telemetry.NewMetrics(cfg))
	expect(t, got, 3, "imports", "state", "running")
	expect(t, got, 1, "imports", "state", "planned")
	expect(t, got, 0, "imports", "state", "paused")
	expect(t, got, 40, "batches", "state", "waiting")
	expect(t, got, 8, "batches", "state", "queued")
	expect(t, got, 90, "queue_oldest_age_seconds")
	expect(t, got, 2, "nodes")
	expect(t, got, 1, "nodes_held")
	expect(t, got, 0, "node_held", "reason", "disk")
	expect(t, got, 1, "node_held", "reason", "files")
	expect(t, got, 1, "store_healthy")
	expect(t, got, 0, "files_healthy")
	expect(t, got, 2, "workers")
	expect(t, got, 1, "build_info", "version", "test", "goversion", goVersion(got))
}

func goVersion(families map[string]*dto.MetricFamily) string {
	for _, l := range families["go_info"].GetMetric()[0].GetLabel() {
		return l.GetValue()
	}
	return ""
}

// A database that is away takes its own series away, and nothing else.
func TestADatabaseThatIsAway(t *testing.T) {
	gone := errors.New("connection refused")
	cfg := settings()
	cfg.Load = func(context.Context) (store.Load, error) { return store.Load{}, gone }
	cfg.Nodes = func(context.Context, time.Time) ([]store.Node, error) { return nil, gone }
	cfg.StoreHealth = func(context.Context) error { return gone }
	_, got := scrape(t, telemetry.NewMetrics(cfg))
	expect(t, got, 0, "store_healthy")
	expect(t, got, 1, "files_healthy")
	expect(t, got, 0, "rows_total", "outcome", "created", "pass", "apply")
	for _, name := range []string{"tallyman_imports", "tallyman_batches", "tallyman_queue_oldest_age_seconds", "tallyman_nodes"} {
		if got[name] != nil {
			t.Errorf("%s is told though nobody knows it", name)
		}
	}
}

func TestStatusClasses(t *testing.T) {
	m := telemetry.NewMetrics(settings())
	for _, status := range []int{200, 204, 404, 499, 503, 0, 1000} {
		m.Request("rest", "GET /x", status, time.Millisecond)
	}
	_, got := scrape(t, m)
	for class, want := range map[string]float64{"2xx": 2, "4xx": 2, "5xx": 1, "none": 2} {
		expect(t, got, want, "http_requests_total", "door", "rest", "route", "GET /x", "status", class)
	}
	expect(t, got, 7, "http_request_duration_seconds", "door", "rest", "route", "GET /x")
}

// What is told of a chunk is counted without a note in memory for each.
func TestAChunkCostsNoMemory(t *testing.T) {
	m := telemetry.NewMetrics(settings())
	imp := &store.Import{ID: "imp_01JQ0000000000000000000000"}
	c := importer.CommittedChunk{Import: imp, Batch: store.BatchRef{Pass: "apply", No: 1}, Rows: 500, Bytes: 1, Decide: 1, Write: 1, Tries: 1}
	c.Tally.Created = 500
	ctx := context.Background()
	if n := testing.AllocsPerRun(100, func() { m.ChunkCommitted(ctx, c) }); n > 0 {
		t.Errorf("a chunk costs %v allocations", n)
	}
}
