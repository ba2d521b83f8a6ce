package importer_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"tallyman/internal/importer"
	"tallyman/internal/store"
)

// stuck is a store in which some imports stand still, and nobody can lock them.
type stuck struct {
	store.Store
	tries int
}

func (l *stuck) Stalled(context.Context, time.Time, time.Time) ([]store.StalledBatch, error) {
	var all []store.StalledBatch
	for no := range int64(20) {
		all = append(all, store.StalledBatch{WS: 1, Batch: store.Batch{BatchRef: store.BatchRef{ImportNo: 1 + no%2, Pass: "apply", No: int(no) + 1}, State: store.BatchRunning}, State: store.Running})
	}
	return all, nil
}

func (l *stuck) Write(context.Context, store.WS, bool, func(store.Tx) error) error {
	l.tries++
	return fmt.Errorf("try %d: %w", l.tries, errors.New("its row is locked"))
}

// Every sweep tries again to revive what stands still; the log hears of each import
// once a minute.
func TestWhatCannotBeRevivedIsSaidOnceAMinute(t *testing.T) {
	s, cfg := nodesStack(t, nil)
	var log bytes.Buffer
	now := time.Now()
	broken := &stuck{Store: s.db}
	cfg.Store, cfg.Log, cfg.Now = broken, slog.New(slog.NewTextHandler(&log, nil)), func() time.Time { return now }
	svc, err := importer.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	for range 60 {
		sweep(t, svc)
		now = now.Add(2 * time.Second)
	}
	if said := strings.Count(log.String(), "revive import"); said != 2*2 || broken.tries < 60*20 {
		t.Errorf("%d lines in two minutes of %d tries, want one a minute for each of two imports:\n%.2000s", said, broken.tries, &log)
	}
}
