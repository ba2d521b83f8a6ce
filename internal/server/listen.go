package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"
)

// Limits of a connection. Bodies have none here: see Config.StallTimeout.
const (
	readHeaderTimeout = 10 * time.Second
	idleTimeout       = 2 * time.Minute
	maxHeaderBytes    = 64 << 10
)

// DefaultGrace is how long requests under way may take to end at shutdown.
const DefaultGrace = 20 * time.Second

// Server serves a handler on a listener until it is told to stop.
type Server struct {
	// Grace is how long requests under way may take to end at shutdown.
	Grace   time.Duration
	http    *http.Server
	log     *slog.Logger
	closing chan struct{}
}

// NewServer returns a server of h, which New made.
func NewServer(h http.Handler, log *slog.Logger) *Server {
	s := &Server{Grace: DefaultGrace, log: log, closing: make(chan struct{})}
	s.http = &http.Server{
		Handler:           h,
		ReadHeaderTimeout: readHeaderTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeaderBytes,
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelDebug),
		BaseContext: func(net.Listener) context.Context {
			return context.WithValue(context.Background(), closingKey{}, s.closing)
		},
	}
	return s
}

type closingKey struct{}

// Closing returns a channel that is closed when the server that the request
// came through is told to stop, nil where there is none. A request that only
// waits for something to happen answers then.
func Closing(ctx context.Context) <-chan struct{} {
	c, _ := ctx.Value(closingKey{}).(chan struct{})
	return c
}

// Serve serves ln until ctx ends, then lets requests under way end within Grace
// and cuts off the rest. It closes ln, may be called once, and returns nil after
// an end that ctx asked for.
func (s *Server) Serve(ctx context.Context, ln net.Listener) error {
	failed := make(chan error, 1)
	go func() { failed <- s.http.Serve(ln) }()
	select {
	case err := <-failed:
		return fmt.Errorf("serve %s: %w", ln.Addr(), err)
	case <-ctx.Done():
	}
	close(s.closing)
	grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.Grace)
	defer cancel()
	if err := s.http.Shutdown(grace); err != nil {
		s.log.Warn("requests cut off at shutdown", slog.Any("error", err))
		_ = s.http.Close()
	}
	if err := <-failed; !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve %s: %w", ln.Addr(), err)
	}
	return nil
}
