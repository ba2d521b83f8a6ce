package s3

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/minio/minio-go/v7"

	"tallyman/internal/files"
)

// How long one attempt may take, by what is asked. A server that puts a large
// file together may copy all of it.
const (
	requestTime  = 30 * time.Second
	transferTime = time.Minute
	publishTime  = 10 * time.Minute
)

// The pause after the first failure, and the longest one.
const (
	firstPause = 100 * time.Millisecond
	maxPause   = 2 * time.Second
)

// try makes a request until it succeeds, fails for good, or has failed for the
// moment for as long as the store's patience. call may run several times. The
// error says what to do where that is known; if the context ended, it is the
// context's.
func (s *Store) try(ctx context.Context, limit time.Duration, call func(context.Context) error) error {
	var since time.Time
	if s.longest > 0 {
		limit = min(limit, s.longest)
	}
	for failed := 0; ; failed++ {
		err := attempt(ctx, limit, call)
		if err == nil || ctx.Err() != nil {
			return ctxOr(ctx, err)
		}
		if noRoom(err) {
			return fmt.Errorf("%w: %w: %w", files.ErrUnavailable, files.ErrNoRoom, s.explain(err))
		}
		if !temporary(err) {
			return s.explain(err)
		}
		now, pause := s.opts.Now(), pauseAfter(failed)
		if failed == 0 {
			since = now
			s.opts.Log.Warn("the file store does not answer as it should; trying again", "store", s.cfg.String(), "for", s.opts.Patience, "error", err)
		}
		if now.Add(pause).Sub(since) > s.opts.Patience {
			return fmt.Errorf("%w: gave up after %d attempts in %s: %w", files.ErrUnavailable, failed+1, now.Sub(since).Round(time.Second), s.explain(err))
		}
		if err := s.opts.Wait(ctx, pause); err != nil {
			return err
		}
	}
}

// ctxOr returns the error, or the context's if that has ended.
func ctxOr(ctx context.Context, err error) error {
	if err != nil && ctx.Err() != nil {
		return ctx.Err()
	}
	return err
}

// errSlow is not the context's error, which would look as if the caller's own
// time was over.
var errSlow = errors.New("the server did not answer")

func attempt(ctx context.Context, limit time.Duration, call func(context.Context) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	bounded, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	err := call(bounded)
	if err != nil && ctx.Err() == nil && bounded.Err() != nil {
		return fmt.Errorf("%w within %s", errSlow, limit)
	}
	return err
}

// pauseAfter grows with the number of failures. The random half keeps many
// callers from coming back at one moment.
func pauseAfter(failed int) time.Duration {
	pause := min(firstPause<<min(failed, 10), maxPause)
	return pause/2 + rand.N(pause/2)
}

func wait(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// passing are the answers that say "not now", by status and by code; some have
// the status of a bad request, and one comes after an answer that began well.
// versitygw says ExistingObjectIsDirectory also where the last other file of a
// folder is removed at that moment.
var (
	passingStatus = []int{
		http.StatusRequestTimeout, http.StatusTooManyRequests, http.StatusInternalServerError,
		http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout,
	}
	passingCode = []string{
		"InternalError", "ServiceUnavailable", "SlowDown", "SlowDownRead", "SlowDownWrite", "RequestTimeout", "OperationAborted", "ExistingObjectIsDirectory",
		"Throttling", "ThrottlingException", "RequestThrottled", "RequestLimitExceeded", "BandwidthLimitExceeded",
	}
)

// noRoom tells a server that can take nothing more until somebody makes room.
func noRoom(err error) bool {
	res, ok := errors.AsType[minio.ErrorResponse](err)
	return ok && (res.StatusCode == http.StatusInsufficientStorage || res.Code == "QuotaExceeded" || res.Code == "XMinioStorageFull")
}

// temporary says whether the same request may succeed a moment later.
func temporary(err error) bool {
	if res, ok := errors.AsType[minio.ErrorResponse](err); ok {
		return slices.Contains(passingStatus, res.StatusCode) || slices.Contains(passingCode, res.Code)
	}
	if wrongTLS(err) {
		return false
	}
	_, isURL := errors.AsType[*url.Error](err)
	_, isNet := errors.AsType[net.Error](err)
	_, isCut := errors.AsType[*xml.SyntaxError](err) // an answer that ends in its middle
	return isURL || isNet || isCut || errors.Is(err, errSlow) ||
		errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) ||
		errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE)
}

// wrongTLS tells a server that is not the right one from one that is gone.
func wrongTLS(err error) bool {
	_, isCert := errors.AsType[*tls.CertificateVerificationError](err)
	_, isUnknown := errors.AsType[x509.UnknownAuthorityError](err)
	_, isRecord := errors.AsType[tls.RecordHeaderError](err)
	return isCert || isUnknown || isRecord || strings.Contains(err.Error(), "server gave HTTP response to HTTPS client")
}
