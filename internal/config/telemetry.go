package config

import (
	"errors"
	"net/url"
)

// Telemetry is what the program tells those who run it, beside its log.
type Telemetry struct {
	// Metrics is on or off.
	Metrics string `name:"metrics" env:"TALLYMAN_METRICS" default:"on" placeholder:"on|off" help:"Whether GET /metrics answers with metrics for Prometheus, to anybody who can reach it (${default})."`
	// MetricsListen is an address for the metrics alone, "" for where everything else
	// is served.
	MetricsListen string `name:"metrics-listen" env:"TALLYMAN_METRICS_LISTEN" placeholder:"HOST:PORT" help:"Address to serve the metrics on, and only there; without it, the address that everything is served on."`
	// OTLPEndpoint is where traces are sent, "" for what OpenTelemetry's own variables
	// say. It may hold a secret in its path.
	OTLPEndpoint string `name:"otlp-endpoint" env:"TALLYMAN_OTLP_ENDPOINT" secret:"path" placeholder:"URL" help:"Where traces are sent by OTLP over HTTP, such as http://localhost:4318; without it, and without OTEL_EXPORTER_OTLP_ENDPOINT, there are none."`
	// TraceRatio is the share of requests that are traced, 0 to 1. Imports always are.
	TraceRatio float64 `name:"trace-ratio" env:"TALLYMAN_TRACE_RATIO" default:"1" placeholder:"0..1" help:"Share of the HTTP requests that are traced (${default}); imports always are."`
	// TraceChunks asks for a span of every transaction of rows.
	TraceChunks bool `name:"trace-chunks" env:"TALLYMAN_TRACE_CHUNKS" default:"false" help:"Trace every transaction of rows too: some hundred spans for a million rows."`
}

// HasMetrics reports whether there are metrics.
func (t Telemetry) HasMetrics() bool { return t.Metrics == "on" }

// HasTraces reports whether traces are sent somewhere.
func (t Telemetry) HasTraces() bool { return t.TracesAt() != "" }

// Validate checks the group.
func (t Telemetry) Validate() error {
	return errors.Join(checkMetrics(t.Metrics), checkMetricsListen(t), checkOTLP(t.OTLPEndpoint), checkOTEL(t), checkRatio(t.TraceRatio))
}

func checkMetrics(metrics string) error {
	if metrics != "on" && metrics != "off" {
		return notAllowed("metrics", metrics, "it must be on or off")
	}
	return nil
}

func checkMetricsListen(t Telemetry) error {
	switch {
	case t.MetricsListen == "":
		return nil
	case t.Metrics == "off":
		return notAllowed("metrics-listen", t.MetricsListen, "there are no metrics to serve while --metrics is off")
	}
	return checkAddress("metrics-listen", t.MetricsListen)
}

func checkOTLP(endpoint string) error {
	if endpoint == "" {
		return nil
	}
	u, err := url.Parse(endpoint)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return notAllowed("otlp-endpoint", withoutPath(endpoint), "it must be an address such as http://localhost:4318, without user, query or fragment; headers are given in OTEL_EXPORTER_OTLP_HEADERS")
	}
	return nil
}

// checkRatio refuses what is no number, too.
func checkRatio(ratio float64) error {
	if ratio >= 0 && ratio <= 1 {
		return nil
	}
	return notAllowed("trace-ratio", ratio, "it must be 0 to 1")
}
