package postgres

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"

	"github.com/jackc/pgx/v5"
)

// analyzer tells the planner how large the table of items has become, while it
// grows from nothing: PostgreSQL's own analysis comes a minute later, and until
// then lists and counts are planned for an empty table. The chunks' own
// statements do not depend on it.
type analyzer struct {
	conn *pgx.ConnConfig
	log  *slog.Logger
	rows atomic.Int64 // inserted by this process
	next atomic.Int64 // number of rows at which to analyze
	wake chan struct{}
	stop context.CancelFunc
	done sync.WaitGroup
}

// The table is analyzed when this many rows were inserted, and then each time
// they have grown fourfold; what is larger PostgreSQL looks after by itself.
const (
	firstAnalysis = 10_000
	lastAnalysis  = 1_000_000
)

// analyzeItems looks at few rows: it is the size that matters, and the import
// whose rows they are goes on beside it.
const analyzeItems = `SET default_statistics_target = 10; ANALYZE item (ws, nid, kind, id, sku, slug, ref, gtin)`

func newAnalyzer(conn *pgx.ConnConfig, log *slog.Logger) *analyzer {
	ctx, stop := context.WithCancel(context.Background())
	a := &analyzer{conn: conn, log: log, wake: make(chan struct{}, 1), stop: stop}
	a.next.Store(firstAnalysis)
	a.done.Go(func() { a.run(ctx) })
	return a
}

// inserted notes that a transaction inserted items.
func (a *analyzer) inserted(rows int) {
	due := a.next.Load()
	if rows == 0 || a.rows.Add(int64(rows)) < due || due > lastAnalysis || !a.next.CompareAndSwap(due, 4*due) {
		return
	}
	select {
	case a.wake <- struct{}{}:
	default: // one is due already
	}
}

func (a *analyzer) run(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-a.wake:
		}
		if err := a.analyze(ctx); err != nil && ctx.Err() == nil {
			a.log.WarnContext(ctx, "analyze failed", "error", err)
		}
	}
}

func (a *analyzer) analyze(ctx context.Context) error {
	conn, err := pgx.ConnectConfig(ctx, a.conn.Copy())
	if err != nil {
		return err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	_, err = conn.Exec(ctx, analyzeItems)
	return err
}

// close ends an analysis under way.
func (a *analyzer) close() {
	a.stop()
	a.done.Wait()
}
