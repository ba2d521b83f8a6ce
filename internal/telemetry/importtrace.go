package telemetry

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"strings"
	"sync/atomic"
	"time"

	"github.com/oklog/ulid/v2"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"

	"tallyman/internal/importer"
	"tallyman/internal/jobs"
	"tallyman/internal/ledger"
	"tallyman/internal/store"
)

// Attributes of spans. Those of the log have the same names.
const (
	attrImport = "tallyman.import"
	attrPass   = "tallyman.pass"
	attrBatch  = "tallyman.batch"
	attrNode   = "tallyman.node"
	attrRows   = "tallyman.rows"
	attrChunks = "tallyman.chunks"
	attrState  = "tallyman.state"
	attrDoor   = "tallyman.door"
	attrBytes  = "tallyman.bytes"
	attrTries  = "tallyman.tries"
	attrUndoOf = "tallyman.undo_of"
)

// rootOf is the span that all spans of an import are below. Both of its ids follow
// from the import's own, so that every node knows them and nobody has to be told:
// the trace's is the import's ULID. The span itself is made when the import ends.
// ok is false for an id that is none.
func rootOf(importID string) (root trace.SpanContext, ok bool) {
	id, err := ulid.ParseStrict(strings.TrimPrefix(importID, "imp_"))
	if err != nil {
		return root, false
	}
	sum := sha256.Sum256(id[:])
	root = trace.NewSpanContext(trace.SpanContextConfig{
		TraceID: trace.TraceID(id), SpanID: trace.SpanID(sum[:8]), TraceFlags: trace.FlagsSampled, Remote: true})
	return root, root.IsValid()
}

// spanIDs are ids that a span is to have, in the context that it is started with.
type spanIDs struct {
	trace trace.TraceID
	span  trace.SpanID
}

type spanIDsKey struct{}

// idGenerator makes ids by chance, but for spans that are to have certain ones.
type idGenerator struct{}

// NewIDs implements trace.IDGenerator.
func (g idGenerator) NewIDs(ctx context.Context) (trace.TraceID, trace.SpanID) {
	if ids, ok := ctx.Value(spanIDsKey{}).(spanIDs); ok {
		return ids.trace, ids.span
	}
	var id trace.TraceID
	for !id.IsValid() {
		binary.NativeEndian.PutUint64(id[:8], rand.Uint64())
		binary.NativeEndian.PutUint64(id[8:], rand.Uint64())
	}
	return id, g.NewSpanID(ctx, id)
}

// NewSpanID implements trace.IDGenerator.
func (idGenerator) NewSpanID(context.Context, trace.TraceID) trace.SpanID {
	var id trace.SpanID
	for !id.IsValid() {
		binary.NativeEndian.PutUint64(id[:], rand.Uint64())
	}
	return id
}

// below returns a context whose spans stand in the import's trace.
func below(ctx context.Context, importID string) context.Context {
	root, ok := rootOf(importID)
	if !ok {
		return ctx
	}
	return trace.ContextWithRemoteSpanContext(ctx, root)
}

// stretch is what a job does to one batch between claiming and leaving it.
type stretch struct{ rows, chunks atomic.Int64 }

type stretchKey struct{}

// BatchClaimed implements importer.Observer.
func (t *Traces) BatchClaimed(ctx context.Context, imp *store.Import, b *store.Batch) (context.Context, func(error)) {
	done, pass := &stretch{}, b.Pass
	ctx = context.WithValue(below(ctx, imp.ID), stretchKey{}, done)
	ctx, span := t.tracer.Start(ctx, stepName(b.Pass), trace.WithAttributes(
		attribute.String(attrImport, imp.ID), attribute.String(attrPass, string(b.Pass)),
		attribute.Int(attrBatch, b.No), attribute.String(attrNode, t.node)))
	return ctx, func(err error) {
		if pass != ledger.PassSlice && pass != ledger.PassFinish {
			span.SetAttributes(attribute.Int64(attrRows, done.rows.Load()), attribute.Int64(attrChunks, done.chunks.Load()))
		}
		noteError(span, err)
		span.End()
	}
}

// stepName names a span of a pass. The names are few: a retry's number is an
// attribute.
func stepName(p ledger.Pass) string {
	if p == ledger.PassSlice || p == ledger.PassFinish {
		return string(p)
	}
	return passNames[kindOf(p)] + " batch"
}

// noteError says how a span failed. To lose a batch to another job is no failure,
// nor is to leave it to another node.
func noteError(span trace.Span, err error) {
	switch {
	case err == nil:
	case errors.Is(err, store.ErrStale), errors.Is(err, store.ErrFenced):
		span.AddEvent("batch is another job's")
	case errors.Is(err, jobs.ErrGivenBack):
		span.AddEvent("batch is given back")
	default:
		span.RecordError(err)
		span.SetStatus(codes.Error, "")
	}
}

// ChunkCommitted implements importer.Observer.
func (t *Traces) ChunkCommitted(ctx context.Context, c importer.CommittedChunk) {
	if s, ok := ctx.Value(stretchKey{}).(*stretch); ok {
		s.rows.Add(int64(c.Rows))
		s.chunks.Add(1)
	}
	if !t.chunks || !trace.SpanContextFromContext(ctx).IsSampled() {
		return
	}
	now := time.Now()
	_, span := t.tracer.Start(ctx, "chunk", trace.WithTimestamp(now.Add(-c.Write)), trace.WithAttributes(
		attribute.Int(attrRows, c.Rows), attribute.Int(attrTries, c.Tries),
		attribute.Int64("tallyman.decide_ms", c.Decide.Milliseconds())))
	span.End(trace.WithTimestamp(now))
}

// UploadReceived implements importer.Observer.
func (t *Traces) UploadReceived(context.Context, importer.Reception) {}

// UploadRefused implements importer.Observer.
func (t *Traces) UploadRefused(ctx context.Context, code string) {
	trace.SpanFromContext(ctx).AddEvent("upload refused", trace.WithAttributes(attribute.String("code", code)))
}

// UploadTaken implements importer.Observer.
func (t *Traces) UploadTaken(ctx context.Context, imp *store.Import, r importer.Reception) {
	if r.Began.IsZero() {
		return
	}
	attrs := trace.WithAttributes(attribute.String(attrImport, imp.ID), attribute.String(attrNode, t.node), attribute.Int64(attrBytes, r.Bytes))
	_, span := t.tracer.Start(below(ctx, imp.ID), "receive", trace.WithTimestamp(r.Began), attrs, trace.WithLinks(linksTo(ctx)...))
	span.End(trace.WithTimestamp(r.Began.Add(r.Took)))
}

// linksTo links to the span that ctx is of, where there is one.
func linksTo(ctx context.Context) []trace.Link {
	if sc := trace.SpanContextFromContext(ctx); sc.IsValid() {
		return []trace.Link{{SpanContext: sc}}
	}
	return nil
}

// ImportStarted implements importer.Observer. The request that asked for the import
// leads to it.
func (t *Traces) ImportStarted(ctx context.Context, imp *store.Import) {
	if root, ok := rootOf(imp.ID); ok {
		asked := trace.SpanFromContext(ctx)
		asked.AddLink(trace.Link{SpanContext: root, Attributes: []attribute.KeyValue{attribute.String(attrImport, imp.ID)}})
		asked.SetAttributes(attribute.String(attrImport, imp.ID))
	}
}

// ImportEnded implements importer.Observer: it makes the span that the others are
// below. A retry's end is a moment below it, for it has been made by then.
func (t *Traces) ImportEnded(ctx context.Context, imp *store.Import) {
	root, ok := rootOf(imp.ID)
	if !ok || imp.CompletedAt == nil {
		return
	}
	ctx = context.WithoutCancel(ctx)
	attrs := trace.WithAttributes(endAttrs(imp)...)
	if imp.Round > 0 && imp.UndoOf == "" {
		_, span := t.tracer.Start(below(ctx, imp.ID), "retry ended", trace.WithTimestamp(*imp.CompletedAt), attrs)
		span.End(trace.WithTimestamp(*imp.CompletedAt))
		return
	}
	ctx = context.WithValue(ctx, spanIDsKey{}, spanIDs{trace: root.TraceID(), span: root.SpanID()})
	_, span := t.tracer.Start(ctx, "import", trace.WithNewRoot(), trace.WithTimestamp(imp.CreatedAt), attrs)
	if imp.State == store.FailedState {
		span.SetStatus(codes.Error, imp.FaultCode)
	}
	span.End(trace.WithTimestamp(*imp.CompletedAt))
}

// endAttrs say what an import came to.
func endAttrs(imp *store.Import) []attribute.KeyValue {
	attrs := []attribute.KeyValue{attribute.String(attrImport, imp.ID), attribute.String(attrState, string(imp.State)),
		attribute.String(attrDoor, imp.Door), attribute.Int64(attrBytes, imp.FileSize)}
	if imp.UndoOf != "" {
		attrs = append(attrs, attribute.String(attrUndoOf, imp.UndoOf))
	}
	for i, n := range byOutcome(&imp.Tally) {
		attrs = append(attrs, attribute.Int64("tallyman.rows."+outcomes[i], n))
	}
	return attrs
}
