package main

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"time"

	"tallyman/internal/importer"
	"tallyman/internal/server"
	"tallyman/internal/store"
	"tallyman/internal/telemetry"
)

// instruments are what a node tells those who run it, beside its log.
type instruments struct {
	metrics *telemetry.Metrics // nil: none
	traces  *telemetry.Traces  // nil: none
}

// lastTraces bounds how long a node that ends waits for its last traces to be taken.
const lastTraces = 3 * time.Second

// openTelemetry makes the instruments that the settings ask for.
func (n *node) openTelemetry(ctx context.Context) error {
	cfg := n.settings.config.Telemetry
	if cfg.HasMetrics() {
		n.metrics = telemetry.NewMetrics(telemetry.MetricsConfig{Version: version(), Workers: n.batchJobs(),
			Load: n.store.Load, Nodes: n.store.Nodes, StoreHealth: n.store.Health, FilesHealth: n.checkFiles,
			HeldBy: n.heldBy, HeldReasons: []string{heldByDatabase, heldByFiles, heldByDisk}, Now: n.now})
	}
	if !cfg.HasTraces() {
		return nil
	}
	host, _ := os.Hostname()
	var err error
	n.traces, err = telemetry.NewTraces(ctx, telemetry.TraceConfig{Endpoint: cfg.OTLPEndpoint, Address: cfg.TracesAt(), Version: version(), Host: host, Node: n.name,
		Ratio: cfg.TraceRatio, Chunks: cfg.TraceChunks, Log: n.settings.log})
	if err != nil {
		return err
	}
	n.onClose("close traces", func() error {
		ctx, cancel := context.WithTimeout(context.Background(), lastTraces)
		defer cancel()
		if err := n.traces.Close(ctx); err != nil {
			n.settings.log.Warn("the last traces are lost", slog.Any("error", err))
		}
		return nil
	})
	return nil
}

// observer is told what the importer does.
func (n *node) observer() importer.Observer {
	var all []importer.Observer
	if n.metrics != nil {
		all = append(all, n.metrics)
	}
	if n.traces != nil {
		all = append(all, n.traces)
	}
	return requestLog{telemetry.Together(all...)}
}

// requestLog notes in a request's line of the log which import it has made.
type requestLog struct{ importer.Observer }

// ImportStarted implements importer.Observer.
func (l requestLog) ImportStarted(ctx context.Context, imp *store.Import) {
	server.AboutImport(ctx, imp.ID)
	l.Observer.ImportStarted(ctx, imp)
}

// answered is told of every request.
func (n *node) answered(ctx context.Context, a server.Answer) {
	if n.metrics != nil {
		n.metrics.Request(a.Door, a.Route, a.Status, a.Took)
	}
	if n.traces != nil {
		n.traces.Request(ctx, a.Route)
	}
}

// traced gives requests their spans.
func (n *node) traced(h http.Handler) http.Handler {
	if n.traces == nil {
		return h
	}
	return n.traces.Handler(h)
}

// metricsHere answers GET /metrics beside everything else; nil where there are
// none, or they have an address of their own.
func (n *node) metricsHere() http.Handler {
	if n.metrics == nil || n.settings.config.MetricsListen != "" {
		return nil
	}
	return n.metrics.Handler()
}

// serveMetrics serves the metrics on their own address, where they have one, until
// the node is closed.
func (n *node) serveMetrics() error {
	listen := n.settings.config.MetricsListen
	if n.metrics == nil || listen == "" {
		return nil
	}
	ln, err := net.Listen("tcp", listen)
	if err != nil {
		return fmt.Errorf("listen for metrics on %s: %w", listen, err)
	}
	n.settings.log.Info("metrics are served", slog.String("url", localURL(ln.Addr())+"/metrics"))
	srv := server.NewServer(server.New(server.Config{Ready: n.ready, Holding: n.heldBy, Log: n.settings.log, Now: n.now, Metrics: n.metrics.Handler()}), n.settings.log)
	srv.Grace = lastTraces
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- srv.Serve(ctx, ln) }()
	n.onClose("stop serving metrics", func() error {
		stop()
		return <-ended
	})
	return nil
}
