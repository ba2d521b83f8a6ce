package telemetry

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"time"

	"go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/metric/noop"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"tallyman/internal/importer"
)

// TraceConfig is what Traces are made of.
type TraceConfig struct {
	// Endpoint is the address that takes OTLP over HTTP, such as
	// http://collector:4318; "" for what OpenTelemetry's own environment variables
	// say.
	Endpoint string
	// Address is where traces go in the end: its path is told nobody. "" is Endpoint.
	Address             string
	Version, Host, Node string
	// Ratio is the share of requests that are traced, 0 to 1, of those that come
	// without a trace of their own. Imports always are.
	Ratio float64
	// Chunks asks for a span for every transaction of rows.
	Chunks bool
	Log    *slog.Logger
}

// Traces sends spans of imports and requests to a collector. Whatever the collector
// does, nobody waits for it: spans that it does not take in time are lost.
type Traces struct {
	provider *sdktrace.TracerProvider
	tracer   trace.Tracer
	endpoint string
	node     string
	chunks   bool
}

var _ importer.Observer = (*Traces)(nil)

// NewTraces returns traces that are sent from now on. It does not wait for the
// collector.
func NewTraces(ctx context.Context, cfg TraceConfig) (*Traces, error) {
	address := cmp.Or(cfg.Address, cfg.Endpoint)
	var opts []otlptracehttp.Option
	if cfg.Endpoint != "" {
		opts = append(opts, otlptracehttp.WithEndpointURL(strings.TrimRight(cfg.Endpoint, "/")+"/v1/traces"))
	}
	exporter, err := otlptracehttp.New(ctx, opts...)
	if err != nil {
		return nil, fmt.Errorf("open traces: %s", unaddressed(err, address))
	}
	provider := sdktrace.NewTracerProvider(
		sdktrace.WithBatcher(&loggedExporter{SpanExporter: exporter, endpoint: address, log: cfg.Log}),
		sdktrace.WithSampler(sampler{requests: sdktrace.ParentBased(sdktrace.TraceIDRatioBased(cfg.Ratio))}),
		sdktrace.WithIDGenerator(idGenerator{}),
		sdktrace.WithResource(resource.NewSchemaless(
			attribute.String("service.name", "tallyman"),
			attribute.String("service.version", cfg.Version),
			attribute.String("service.instance.id", cfg.Node),
			attribute.String("host.name", cfg.Host),
			attribute.String(attrNode, cfg.Node),
		)),
	)
	return &Traces{provider: provider, tracer: provider.Tracer("tallyman"), endpoint: address, node: cfg.Node, chunks: cfg.Chunks}, nil
}

// Close sends what is left, as long as ctx lasts.
func (t *Traces) Close(ctx context.Context) error {
	if err := t.provider.Shutdown(ctx); err != nil {
		return fmt.Errorf("send last traces: %s", unaddressed(err, t.endpoint))
	}
	return nil
}

// Handler gives every request but those of probes a span, in the trace that it
// came with where it came with one.
func (t *Traces) Handler(next http.Handler) http.Handler {
	return otelhttp.NewHandler(next, "request",
		otelhttp.WithTracerProvider(t.provider),
		otelhttp.WithMeterProvider(noop.NewMeterProvider()),
		otelhttp.WithPropagators(propagation.TraceContext{}),
		otelhttp.WithSpanNameFormatter(func(_ string, r *http.Request) string { return r.Method }),
		otelhttp.WithFilter(func(r *http.Request) bool { return !unwatched[r.URL.Path] }),
	)
}

// unwatched are asked again and again by whoever watches the program.
var unwatched = map[string]bool{"/livez": true, "/readyz": true, "/metrics": true}

// Request names the span of a request, which ctx is of, by its route: a method and
// a path pattern.
func (t *Traces) Request(ctx context.Context, route string) {
	span := trace.SpanFromContext(ctx)
	if _, path, ok := strings.Cut(route, " "); ok && span.IsRecording() {
		span.SetName(route)
		span.SetAttributes(attribute.String("http.route", path))
	}
}

// loggedExporter logs what cannot be sent. Left to itself, the SDK tells a logger
// that belongs to the whole process.
type loggedExporter struct {
	sdktrace.SpanExporter
	endpoint string
	log      *slog.Logger
	// said is when the log was last told; a collector that is away is away for many
	// batches of spans. Only one export is under way at a time.
	said time.Time
}

const sayAgain = time.Minute

// ExportSpans implements trace.SpanExporter.
func (e *loggedExporter) ExportSpans(ctx context.Context, spans []sdktrace.ReadOnlySpan) error {
	if err := e.SpanExporter.ExportSpans(ctx, spans); err != nil && time.Since(e.said) >= sayAgain {
		e.said = time.Now()
		e.log.Warn("traces cannot be sent", slog.Int("spans", len(spans)), slog.String("error", unaddressed(err, e.endpoint)))
	}
	return nil
}

// unaddressed is an error's text without addresses: that of a collector may hold a
// secret, and a collector may send its path back.
func unaddressed(err error, endpoint string) string {
	text := err.Error()
	if u, err := url.Parse(endpoint); err == nil && strings.Trim(u.Path, "/") != "" {
		for _, path := range []string{u.EscapedPath(), u.Path} {
			text = strings.ReplaceAll(text, strings.Trim(path, "/"), "…")
		}
	}
	for _, scheme := range []string{"http://", "https://"} {
		for {
			before, rest, found := strings.Cut(text, scheme)
			if !found {
				break
			}
			end := strings.IndexAny(rest, " \t\n\"'`<>")
			if end < 0 {
				end = len(rest)
			}
			text = before + "the collector" + rest[end:]
		}
	}
	return text
}

// sampler takes every span of an import, and of requests those that it is to.
type sampler struct{ requests sdktrace.Sampler }

// ShouldSample implements trace.Sampler.
func (s sampler) ShouldSample(p sdktrace.SamplingParameters) sdktrace.SamplingResult {
	if _, ok := p.ParentContext.Value(spanIDsKey{}).(spanIDs); ok {
		return sdktrace.AlwaysSample().ShouldSample(p)
	}
	return s.requests.ShouldSample(p)
}

// Description implements trace.Sampler.
func (s sampler) Description() string { return "Tallyman{" + s.requests.Description() + "}" }
