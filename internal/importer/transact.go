package importer

import (
	"context"
	"errors"
	"time"

	"tallyman/internal/store"
)

// maxTries is how often a step that is not a chunk is tried before whoever asked
// for it is told.
const maxTries = 10

// transactFunc runs fn in a transaction, which may be durable: transact, or
// observed, which tries once.
type transactFunc func(ctx context.Context, ws store.WS, durable bool, fn func(store.Tx) error) error

// transact runs fn in a transaction, again where the store asks for it: another
// node's transaction held, in another order, what this one needs. fn must set all
// that it leaves behind each time.
func (s *Service) transact(ctx context.Context, ws store.WS, durable bool, fn func(store.Tx) error) error {
	for try := 1; ; try++ {
		err := s.observed(ctx, ws, durable, fn)
		if try == maxTries || !errors.Is(err, store.ErrRetry) {
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(time.Duration(try) * 5 * time.Millisecond):
		}
	}
}
