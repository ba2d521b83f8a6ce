package move

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"
	"iter"
	"maps"
	"slices"

	"tallyman/internal/store"
)

// digest sums a dump up.
type digest struct {
	lines  store.Lines
	line   []byte
	sum    hash.Hash
	counts map[string]int64
	n      int64
}

func newDigest() digest { return digest{sum: sha256.New(), counts: map[string]int64{}} }

func (d *digest) add(r *store.Record) {
	d.line = d.lines.Append(d.line[:0], r)
	d.sum.Write(d.line)
	d.counts[r.What()]++
	d.n++
}

func (d *digest) same(other *digest) bool {
	return slices.Equal(d.sum.Sum(nil), other.sum.Sum(nil))
}

// progressEvery is how many records are between two reports of progress.
const progressEvery = 5000

// recognise finds out whether an earlier move filled the new database, and came
// to its end but for saying so.
func (m *mover) recognise(ctx context.Context) error {
	var sums [2]digest
	for i, s := range []store.Store{m.from.Store, m.to.Store} {
		sums[i] = newDigest()
		if err := m.each(ctx, s, StepCheck, &sums[i], nothing); err != nil {
			return fmt.Errorf("compare the databases: %w", err)
		}
	}
	if !sums[0].same(&sums[1]) {
		return fmt.Errorf("%w: its database has records of its own; name an empty one", ErrInUse)
	}
	m.report.Records, m.report.There = sums[1].counts, true
	return nil
}

func nothing(store.Record) error { return nil }

// copyRecords fills the new database.
func (m *mover) copyRecords(ctx context.Context) error {
	if m.report.There {
		return nil
	}
	m.sent = newDigest()
	var failed error
	next, stop := iter.Pull(func(yield func(store.Record) bool) {
		failed = m.each(ctx, m.from.Store, StepRecords, &m.sent, func(r store.Record) error {
			if !yield(r) {
				return errEnough
			}
			return nil
		})
	})
	defer stop()
	err := m.to.Store.Restore(ctx, func() (store.Record, error) {
		r, ok := next()
		if !ok && failed == nil {
			failed = io.EOF
		}
		if !ok {
			return r, failed
		}
		return r, nil
	})
	if err != nil {
		return fmt.Errorf("fill the new database: %w", err)
	}
	return nil
}

// each sums a store's dump up and hands its records on.
func (m *mover) each(ctx context.Context, s store.Store, step Step, d *digest, fn func(store.Record) error) error {
	err := s.Dump(ctx, func(r store.Record) error {
		d.add(&r)
		if d.n%progressEvery == 0 {
			m.opt.Progress(Progress{Step: step, Done: d.n})
		}
		return fn(r)
	})
	if err == nil {
		m.opt.Progress(Progress{Step: step, Done: d.n})
	}
	return err
}

// compare makes sure that the new database holds what was sent.
func (m *mover) compare(ctx context.Context) error {
	if m.report.There {
		return nil
	}
	got := newDigest()
	if err := m.each(ctx, m.to.Store, StepCheck, &got, nothing); err != nil {
		return fmt.Errorf("check the new database: %w", err)
	}
	if !m.sent.same(&got) {
		return fmt.Errorf("check the new database: %w: %s", ErrDiffers, difference(m.sent.counts, got.counts))
	}
	m.report.Records = got.counts
	return nil
}

// difference says which counts differ.
func difference(sent, got map[string]int64) string {
	var errs []error
	for _, what := range slices.Sorted(maps.Keys(sent)) {
		if sent[what] != got[what] {
			errs = append(errs, fmt.Errorf("%d of %d %s records arrived", got[what], sent[what], what))
		}
	}
	if len(errs) == 0 {
		return "all records arrived, but not all as they were"
	}
	return errors.Join(errs...).Error()
}
