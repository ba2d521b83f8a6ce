package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"os"

	"tallyman/internal/config"
	"tallyman/internal/server"
	"tallyman/internal/server/rest"
	"tallyman/internal/store"
	"tallyman/internal/telemetry"
)

// serveCommand runs the server on a data folder until it is told to stop.
type serveCommand struct {
	config.Config
}

// Help is the part of the help text that flags cannot say.
func (serveCommand) Help() string {
	return `The server owns the data folder while it runs: it answers the APIs and works on the imports that come in, those that an earlier process left unfinished first. GET /readyz answers 200 once it is ready. SIGINT or SIGTERM let requests and chunks under way end; a second one ends the process at once, which loses nothing: the next start goes on where this one stood.`
}

// Run serves until ctx ends.
func (c *serveCommand) Run(ctx context.Context, p *program) error {
	set, err := newSettings(c.Config, store.DefaultWorkspace, newLog(p.stderr, c.Logging))
	if err != nil {
		return err
	}
	if err := p.warnOfStrangers(set); err != nil {
		return err
	}
	set.noteLocalFiles(p)
	n, err := openOwner(ctx, p, set, "serve")
	if errors.Is(err, errLocked) {
		return fmt.Errorf("%w: %s", err, set.inUse())
	}
	if err != nil {
		return err
	}
	if err = n.start(ctx); err == nil {
		n.stopSoon(ctx)
		err = n.serve(ctx, p.stdout)
	}
	return errors.Join(err, n.close())
}

// inUse says who has the folder.
func (s *settings) inUse() string {
	if o, ok := s.folder.owner(); ok {
		return fmt.Sprintf("tallyman %s (process %d) works on %s", o.Command, o.PID, s.folder)
	}
	return fmt.Sprintf("another process works on %s", s.folder)
}

// newLog is the server's log.
func newLog(w io.Writer, cfg config.Logging) *slog.Logger {
	opt := &slog.HandlerOptions{Level: cfg.LogLevel}
	if cfg.LogFormat == "json" {
		return slog.New(telemetry.WithTraces(slog.NewJSONHandler(w, opt)))
	}
	return slog.New(telemetry.WithTraces(slog.NewTextHandler(w, opt)))
}

// serve answers requests until ctx ends, and tells other commands on this
// machine where it does so.
func (n *node) serve(ctx context.Context, stdout io.Writer) error {
	local := newLocalToken(n.accounts)
	handler, err := n.handler(local)
	if err == nil {
		err = n.serveMetrics()
	}
	if err != nil {
		return err
	}
	ln, err := net.Listen("tcp", n.settings.config.Listen)
	if err != nil {
		return fmt.Errorf("listen on %s: %w", n.settings.config.Listen, err)
	}
	n.noteRefusals()
	srv := server.NewServer(handler, n.settings.log)
	srv.Grace = n.settings.config.ShutdownTimeout
	file := serverFile{URL: localURL(ln.Addr()), PID: os.Getpid(), Token: local.token}
	if err := n.settings.folder.writeServer(file); err != nil {
		return errors.Join(err, ln.Close())
	}
	defer n.settings.folder.removeServer()
	fmt.Fprintf(stdout, "tallyman serves %s at %s\n", n.settings.where(), file.URL)
	return srv.Serve(ctx, ln)
}

// handler puts the doors together.
func (n *node) handler(auth rest.Authenticator) (http.Handler, error) {
	cfg := &n.settings.config
	door, err := rest.New(rest.Config{
		Imports: n.imports, Items: n.store, Accounts: auth, Requests: n.store, Audit: n.store,
		BaseURL:   cfg.PublicURL(),
		Rates:     server.Rates{PerMinute: cfg.RateLimit, PerDay: cfg.RateLimitDay},
		Unlimited: door, MaxUploadBytes: int64(cfg.MaxUpload),
		Log: n.settings.log, Now: n.now, Version: version(),
	})
	if err != nil {
		return nil, err
	}
	return n.traced(server.New(server.Config{Doors: []server.Door{door}, Ready: n.ready, Holding: n.heldBy, Log: n.settings.log, Now: n.now, TrustedProxies: cfg.TrustedProxies,
		Observe: n.answered, Metrics: n.metricsHere()})), nil
}

// localURL is where this machine reaches the address: one that listens
// everywhere is asked on the loopback.
func localURL(addr net.Addr) string {
	tcp, ok := addr.(*net.TCPAddr)
	if !ok {
		return "http://" + addr.String()
	}
	host := tcp.IP.String()
	if tcp.IP.IsUnspecified() {
		host = "127.0.0.1"
	}
	u := url.URL{Scheme: "http", Host: net.JoinHostPort(host, fmt.Sprint(tcp.Port))}
	return u.String()
}
