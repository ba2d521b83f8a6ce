package telemetry

import (
	"context"
	"net/http"
	"runtime"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"tallyman/internal/catalog"
	"tallyman/internal/importer"
	"tallyman/internal/ledger"
	"tallyman/internal/store"
)

const namespace = "tallyman"

// MetricsConfig is what Metrics are made of.
type MetricsConfig struct {
	Version string
	// Workers is how many batches this node works on at once.
	Workers int
	// Load and Nodes are store.Operation's; StoreHealth and FilesHealth say why the
	// database and the file store cannot be used just now, or nil. All are asked only
	// when somebody asks for the metrics.
	Load                     func(ctx context.Context) (store.Load, error)
	Nodes                    func(ctx context.Context, since time.Time) ([]store.Node, error)
	StoreHealth, FilesHealth func(ctx context.Context) error
	// HeldBy, where set, names what keeps this node from working just now;
	// HeldReasons are all that it may name.
	HeldBy      func() []string
	HeldReasons []string
	// Now is the clock that beats and batches are dated by.
	Now func() time.Time
}

// Metrics are what a node counts, in a registry of their own. A label never has
// values that a user makes: no workspace, no import, no path, no file name.
type Metrics struct {
	registry *prometheus.Registry

	rows             [passKinds][len(outcomes)]prometheus.Counter
	decide, write    prometheus.Observer
	chunkRetries     prometheus.Counter
	received, read   prometheus.Counter
	uploads, refused prometheus.Counter
	started          *prometheus.CounterVec
	ended            *prometheus.CounterVec
	importTime       prometheus.Histogram
	jobs             prometheus.Gauge
	requests         *prometheus.CounterVec
	requestTime      *prometheus.HistogramVec
}

var _ importer.Observer = (*Metrics)(nil)

// outcomes are those that a row may have, as their label says them.
var outcomes = [...]string{"created", "updated", "unchanged", "deleted", "failed", "skipped", "held"}

// byOutcome are a tally's rows in the order of outcomes.
func byOutcome(t *catalog.Tally) [len(outcomes)]int64 {
	return [...]int64{t.Created, t.Updated, t.Unchanged, t.Deleted, t.Failed, t.Skipped, t.Held}
}

// Kinds of passes that rows are counted by. A pass's own name has the number of its
// round, and so is no label.
const (
	planPass = iota
	applyPass
	retryPass
	passKinds
)

var passNames = [passKinds]string{planPass: "plan", applyPass: "apply", retryPass: "retry"}

func kindOf(p ledger.Pass) int {
	switch {
	case p == ledger.PassApply:
		return applyPass
	case p.Planning():
		return planPass
	case p.Round() > 0:
		return retryPass
	}
	return applyPass
}

// Buckets in seconds: a chunk takes milliseconds to seconds, a request may be an
// upload of minutes, an import may take hours.
var (
	chunkBuckets   = []float64{.005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30}
	requestBuckets = []float64{.005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 120}
	importBuckets  = []float64{.1, .5, 1, 5, 15, 60, 300, 900, 3600, 14400}
)

// NewMetrics returns metrics that stand at zero.
func NewMetrics(cfg MetricsConfig) *Metrics {
	m := &Metrics{registry: prometheus.NewRegistry()}
	m.registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	m.countImports()
	m.countRequests()
	m.registry.MustRegister(newStanding(cfg))
	m.gauge("workers", "Batches that this node works on at once.").Set(float64(cfg.Workers))
	build := prometheus.NewGaugeVec(opts("build_info", "The program's version, as labels; always 1."), []string{"version", "goversion"})
	build.WithLabelValues(cfg.Version, runtime.Version()).Set(1)
	m.registry.MustRegister(build)
	return m
}

func (m *Metrics) countImports() {
	rows := m.counters("rows_total", "Rows that came to an outcome on this node, by outcome and kind of pass; of a retry, those whose outcome is another one than before.", "outcome", "pass")
	for kind := range m.rows {
		for i, outcome := range outcomes {
			m.rows[kind][i] = rows.WithLabelValues(outcome, passNames[kind])
		}
	}
	chunks := prometheus.NewHistogramVec(prometheus.HistogramOpts{Namespace: namespace, Name: "chunk_duration_seconds", Buckets: chunkBuckets,
		Help: "How long chunks of rows took: to decode and decide ahead, and to write in their transaction."}, []string{"step"})
	m.registry.MustRegister(chunks)
	m.decide, m.write = chunks.WithLabelValues("decide"), chunks.WithLabelValues("write")
	m.chunkRetries = m.counter("chunk_retries_total", "Transactions of chunks that were made again because others wrote the same items.")
	m.received = m.counter("received_bytes_total", "Bytes of files that were received and stored.")
	m.read = m.counter("read_bytes_total", "Bytes of files whose rows were committed.")
	m.uploads = m.counter("uploads_total", "Files that were received and stored.")
	m.refused = m.counter("uploads_refused_total", "Files that were refused: they cannot be imported.")
	m.started = m.counters("imports_started_total", "Imports that this node recorded, undos and edits among them, by door.", "door")
	m.ended = m.counters("imports_ended_total", "Imports that came to their end on this node, by the state that they ended in; again after a retry.", "state")
	for _, state := range endStates {
		m.ended.WithLabelValues(string(state))
	}
	m.importTime = prometheus.NewHistogram(prometheus.HistogramOpts{Namespace: namespace, Name: "import_duration_seconds", Buckets: importBuckets,
		Help: "How long imports took that ended on this node, from their being recorded."})
	m.registry.MustRegister(m.importTime)
	m.jobs = m.gauge("jobs_running", "Batches that this node works on just now.")
}

// endStates are those that jobs and requests bring imports to; a refused upload
// never was one.
var endStates = []store.State{store.Done, store.Stopped, store.Terminated, store.RolledBack, store.FailedState}

func (m *Metrics) countRequests() {
	m.requests = m.counters("http_requests_total", "HTTP requests that were answered, by door, route and class of status.", "door", "route", "status")
	m.requestTime = prometheus.NewHistogramVec(prometheus.HistogramOpts{Namespace: namespace, Name: "http_request_duration_seconds", Buckets: requestBuckets,
		Help: "How long HTTP requests took, uploads and downloads included, by door and route."}, []string{"door", "route"})
	m.registry.MustRegister(m.requestTime)
}

func opts(name, help string) prometheus.GaugeOpts {
	return prometheus.GaugeOpts{Namespace: namespace, Name: name, Help: help}
}

func (m *Metrics) counter(name, help string) prometheus.Counter {
	c := prometheus.NewCounter(prometheus.CounterOpts(opts(name, help)))
	m.registry.MustRegister(c)
	return c
}

func (m *Metrics) counters(name, help string, labels ...string) *prometheus.CounterVec {
	c := prometheus.NewCounterVec(prometheus.CounterOpts(opts(name, help)), labels)
	m.registry.MustRegister(c)
	return c
}

func (m *Metrics) gauge(name, help string) prometheus.Gauge {
	g := prometheus.NewGauge(opts(name, help))
	m.registry.MustRegister(g)
	return g
}

// maxScrapes bounds how many ask at once.
const maxScrapes = 4

// Handler answers with the metrics in Prometheus' text form.
func (m *Metrics) Handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{ErrorHandling: promhttp.ContinueOnError, MaxRequestsInFlight: maxScrapes})
}

// Request counts an HTTP request. door and route are of a small set, status is an
// HTTP status, 0 for an answer that was cut off.
func (m *Metrics) Request(door, route string, status int, took time.Duration) {
	m.requests.WithLabelValues(door, route, classOf(status)).Inc()
	m.requestTime.WithLabelValues(door, route).Observe(took.Seconds())
}

func classOf(status int) string {
	if status < 100 || status > 599 {
		return "none"
	}
	return strconv.Itoa(status/100) + "xx"
}

// BatchClaimed implements importer.Observer.
func (m *Metrics) BatchClaimed(ctx context.Context, _ *store.Import, _ *store.Batch) (context.Context, func(error)) {
	m.jobs.Inc()
	return ctx, func(error) { m.jobs.Dec() }
}

// ChunkCommitted implements importer.Observer.
func (m *Metrics) ChunkCommitted(_ context.Context, c importer.CommittedChunk) {
	counters := &m.rows[kindOf(c.Batch.Pass)]
	for i, n := range byOutcome(&c.Tally) {
		// A counter never falls: what a retry counts down was counted before.
		if n > 0 {
			counters[i].Add(float64(n))
		}
	}
	if c.Decide > 0 {
		m.decide.Observe(c.Decide.Seconds())
	}
	m.write.Observe(c.Write.Seconds())
	m.chunkRetries.Add(float64(c.Tries - 1))
	m.read.Add(float64(c.Bytes))
}

// UploadReceived implements importer.Observer.
func (m *Metrics) UploadReceived(_ context.Context, r importer.Reception) {
	m.uploads.Inc()
	m.received.Add(float64(r.Bytes))
}

// UploadRefused implements importer.Observer.
func (m *Metrics) UploadRefused(context.Context, string) { m.refused.Inc() }

// UploadTaken implements importer.Observer.
func (m *Metrics) UploadTaken(context.Context, *store.Import, importer.Reception) {}

// ImportStarted implements importer.Observer.
func (m *Metrics) ImportStarted(_ context.Context, imp *store.Import) {
	m.started.WithLabelValues(doorOf(imp.Door)).Inc()
}

// doors are what an import may have come through. A record says it in a free text,
// which a label must not be.
var doors = map[string]bool{"rest": true, "pcm": true, "commerce": true, "web": true, "cli": true}

func doorOf(door string) string {
	if doors[door] {
		return door
	}
	return "other"
}

// ImportEnded implements importer.Observer.
func (m *Metrics) ImportEnded(_ context.Context, imp *store.Import) {
	m.ended.WithLabelValues(string(imp.State)).Inc()
	if imp.CompletedAt != nil && imp.Round == 0 {
		m.importTime.Observe(max(imp.CompletedAt.Sub(imp.CreatedAt), 0).Seconds())
	}
}
