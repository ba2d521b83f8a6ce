// Package telemetry is how the program tells those who run it what it does: counts
// and durations for Prometheus, traces for OpenTelemetry, and the trace in every
// line of the log.
//
// What does not belong here: what is logged and counted for a user (packages
// importer and ledger: an import's own tally is exact, and survives the process),
// where it is asked for (package server and cmd), and anything that an import
// depends on. Nothing here blocks what it is told by, and nothing fails for it.
package telemetry

import (
	"context"

	"tallyman/internal/importer"
	"tallyman/internal/store"
)

// Together returns an observer that tells all of these, in order.
func Together(all ...importer.Observer) importer.Observer {
	if len(all) == 1 {
		return all[0]
	}
	return together(all)
}

type together []importer.Observer

// BatchClaimed implements importer.Observer.
func (all together) BatchClaimed(ctx context.Context, imp *store.Import, b *store.Batch) (context.Context, func(error)) {
	done := make([]func(error), len(all))
	for i, o := range all {
		ctx, done[i] = o.BatchClaimed(ctx, imp, b)
	}
	return ctx, func(err error) {
		for i := range done {
			done[len(done)-1-i](err)
		}
	}
}

// ChunkCommitted implements importer.Observer.
func (all together) ChunkCommitted(ctx context.Context, c importer.CommittedChunk) {
	for _, o := range all {
		o.ChunkCommitted(ctx, c)
	}
}

// UploadReceived implements importer.Observer.
func (all together) UploadReceived(ctx context.Context, r importer.Reception) {
	for _, o := range all {
		o.UploadReceived(ctx, r)
	}
}

// UploadRefused implements importer.Observer.
func (all together) UploadRefused(ctx context.Context, code string) {
	for _, o := range all {
		o.UploadRefused(ctx, code)
	}
}

// UploadTaken implements importer.Observer.
func (all together) UploadTaken(ctx context.Context, imp *store.Import, r importer.Reception) {
	for _, o := range all {
		o.UploadTaken(ctx, imp, r)
	}
}

// ImportStarted implements importer.Observer.
func (all together) ImportStarted(ctx context.Context, imp *store.Import) {
	for _, o := range all {
		o.ImportStarted(ctx, imp)
	}
}

// ImportEnded implements importer.Observer.
func (all together) ImportEnded(ctx context.Context, imp *store.Import) {
	for _, o := range all {
		o.ImportEnded(ctx, imp)
	}
}
