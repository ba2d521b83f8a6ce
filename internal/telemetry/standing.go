package telemetry

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"tallyman/internal/importer"
	"tallyman/internal/store"
)

// standing tells how things stand for all nodes together: what the database says,
// at the moment when somebody asks. Every node says the same of it.
type standing struct {
	now   func() time.Time
	load  *polled[store.Load]
	nodes *polled[[]store.Node]
	db    *polled[struct{}]
	files *polled[struct{}]
	// heldBy is MetricsConfig's, reasons its HeldReasons.
	heldBy  func() []string
	reasons []string
	series  series
}

// series describe what standing tells.
type series struct {
	imports, batches, oldest, nodes, held, heldBy, db, files *prometheus.Desc
}

// Labels that are always told, with zero where there is nothing.
var (
	movingStates = []store.State{store.Received, store.Slicing, store.Planning, store.Planned, store.Running,
		store.Pausing, store.Paused, store.Terminating, store.RollingBack}
	batchStates = []store.BatchState{store.BatchWaiting, store.BatchQueued, store.BatchRunning, store.BatchPaused}
)

func newStanding(cfg MetricsConfig) *standing {
	desc := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc(prometheus.BuildFQName(namespace, "", name), help, labels, nil)
	}
	return &standing{
		now:  cfg.Now,
		load: newPolled(cfg.Load),
		nodes: newPolled(func(ctx context.Context) ([]store.Node, error) {
			return cfg.Nodes(ctx, cfg.Now().Add(-importer.NodeLife))
		}),
		db: newPolled(check(cfg.StoreHealth)), files: newPolled(check(cfg.FilesHealth)),
		heldBy: cfg.HeldBy, reasons: cfg.HeldReasons,
		series: series{
			imports: desc("imports", "Imports that have not ended, of all workspaces, by state. All nodes tell the same.", "state"),
			batches: desc("batches", "Batches that are not finished, of imports that move, by state. All nodes tell the same.", "state"),
			oldest:  desc("queue_oldest_age_seconds", "For how long the batch that waits longest has been waiting; 0 where none waits."),
			nodes:   desc("nodes", "Nodes that are alive."),
			held:    desc("nodes_held", "Nodes that are alive and take no work just now."),
			heldBy:  desc("node_held", "Whether this node takes no work just now for that reason: 1 yes, 0 no.", "reason"),
			db:      desc("store_healthy", "Whether the database answers this node: 1 yes, 0 no."),
			files:   desc("files_healthy", "Whether the file store answers this node: 1 yes, 0 no."),
		},
	}
}

func check(ask func(context.Context) error) func(context.Context) (struct{}, error) {
	return func(ctx context.Context) (struct{}, error) { return struct{}{}, ask(ctx) }
}

// Describe implements prometheus.Collector.
func (s *standing) Describe(to chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{s.series.imports, s.series.batches, s.series.oldest, s.series.nodes, s.series.held, s.series.heldBy, s.series.db, s.series.files} {
		to <- d
	}
}

// Collect implements prometheus.Collector. What cannot be found out just now is
// left out; whether the stores answer is always told.
func (s *standing) Collect(to chan<- prometheus.Metric) {
	s.collectHeld(to)
	var wg sync.WaitGroup
	for _, part := range []func(chan<- prometheus.Metric){s.collectLoad, s.collectNodes, s.collectHealth} {
		wg.Go(func() { part(to) })
	}
	wg.Wait()
}

func gauge(to chan<- prometheus.Metric, d *prometheus.Desc, value float64, labels ...string) {
	to <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, value, labels...)
}

func (s *standing) collectLoad(to chan<- prometheus.Metric) {
	load, err := s.load.get()
	if err != nil {
		return
	}
	for _, state := range movingStates {
		gauge(to, s.series.imports, float64(load.Imports[state]), string(state))
	}
	for _, state := range batchStates {
		gauge(to, s.series.batches, float64(load.Batches[state]), string(state))
	}
	age := 0.0
	if load.Oldest != nil {
		age = max(s.now().Sub(*load.Oldest).Seconds(), 0)
	}
	gauge(to, s.series.oldest, age)
}

func (s *standing) collectNodes(to chan<- prometheus.Metric) {
	nodes, err := s.nodes.get()
	if err != nil {
		return
	}
	held := 0
	for i := range nodes {
		if nodes[i].Held != "" {
			held++
		}
	}
	gauge(to, s.series.nodes, float64(len(nodes)))
	gauge(to, s.series.held, float64(held))
}

// collectHeld tells why this node holds: of itself, so that it is told at once.
func (s *standing) collectHeld(to chan<- prometheus.Metric) {
	if s.heldBy == nil {
		return
	}
	held := s.heldBy()
	for _, reason := range s.reasons {
		value := 0.0
		if slices.Contains(held, reason) {
			value = 1
		}
		gauge(to, s.series.heldBy, value, reason)
	}
}

func (s *standing) collectHealth(to chan<- prometheus.Metric) {
	var wg sync.WaitGroup
	wg.Go(func() { gauge(to, s.series.db, healthy(s.db)) })
	wg.Go(func() { gauge(to, s.series.files, healthy(s.files)) })
	wg.Wait()
}

func healthy(p *polled[struct{}]) float64 {
	if _, err := p.get(); err != nil {
		return 0
	}
	return 1
}
