package store

import (
	"context"
	"time"
)

type lockWaitKey struct{}

// WithLockWait returns a context under which a transaction waits for a row that
// another one has locked for so long at most; ErrRetry then. A store with one writer
// has no such rows.
func WithLockWait(ctx context.Context, most time.Duration) context.Context {
	return context.WithValue(ctx, lockWaitKey{}, most)
}

// LockWait returns what WithLockWait set; 0 for nothing.
func LockWait(ctx context.Context) time.Duration {
	most, _ := ctx.Value(lockWaitKey{}).(time.Duration)
	return most
}
