package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"tallyman/internal/config"
	"tallyman/internal/server"
	"tallyman/internal/store"
)

// workCommand runs a node that works on imports and answers nobody but probes.
type workCommand struct {
	config.Storage
	config.Work
	config.Retention
	config.Logging
	config.Telemetry
	// Listen is where the node answers about itself, "" for nowhere.
	Listen          string        `name:"listen" env:"TALLYMAN_WORK_LISTEN" placeholder:"HOST:PORT" help:"Address for /livez, /readyz and /metrics; without it there are none."`
	ShutdownTimeout time.Duration `name:"shutdown-timeout" env:"TALLYMAN_SHUTDOWN_TIMEOUT" default:"30s" placeholder:"TIME" help:"How long what is under way may take to end at a stop (${default})."`
}

// Help is the part of the help text that flags cannot say.
func (workCommand) Help() string {
	return `A node shares the imports of its --database with every other node there: it takes batches of them, and those of a node that died within seconds. The files must be where all of them see them, in a bucket or a shared folder (--files). SIGINT or SIGTERM let chunks under way end and give the batches to the other nodes; a second one ends the process at once, which loses nothing.`
}

// Run works until ctx ends.
func (c *workCommand) Run(ctx context.Context, p *program) error {
	if !c.Shared() {
		return errors.New("--database is missing: a node that only works needs a database that it shares with those that take imports in")
	}
	if c.Files == "" {
		return errors.New("--files is missing (TALLYMAN_FILES): a node that works on imports must see the files of those that take them in; name their bucket, s3://…, or a folder that all of them see")
	}
	set, err := newSettings(c.config(), store.DefaultWorkspace, newLog(p.stderr, c.Logging))
	if err != nil {
		return err
	}
	if err := p.warnOfStrangers(set); err != nil {
		return err
	}
	n, err := openOwner(ctx, p, set, "work")
	if errors.Is(err, errLocked) {
		return fmt.Errorf("%w: %s; give this node a folder of its own with --data", err, set.inUse())
	}
	if err != nil {
		return err
	}
	if err = n.start(ctx); err == nil {
		n.stopSoon(ctx)
		fmt.Fprintf(p.stdout, "tallyman works on %s\n", set.where())
		err = n.work(ctx, c.Listen)
	}
	return errors.Join(err, n.close())
}

// config is the settings of a node without doors.
func (c *workCommand) config() config.Config {
	cfg := config.Config{Storage: c.Storage, Work: c.Work, Retention: c.Retention, Logging: c.Logging, Telemetry: c.Telemetry}
	cfg.Listen, cfg.ShutdownTimeout = c.Listen, c.ShutdownTimeout
	if cfg.Listen == "" {
		cfg.Listen = nowhere
	}
	return cfg
}

// nowhere is an address that a node without one is set to.
const nowhere = "127.0.0.1:0"

// work answers probes until ctx ends.
func (n *node) work(ctx context.Context, listen string) error {
	if err := n.serveMetrics(); err != nil {
		return err
	}
	if listen == "" {
		<-ctx.Done()
		return nil
	}
	ln, err := net.Listen("tcp", listen)
	if err != nil {
		return fmt.Errorf("listen on %s: %w", listen, err)
	}
	srv := server.NewServer(n.about(), n.settings.log)
	srv.Grace = n.settings.config.ShutdownTimeout
	return srv.Serve(ctx, ln)
}

// about answers what a node without doors tells of itself.
func (n *node) about() http.Handler {
	return server.New(server.Config{Ready: n.ready, Holding: n.heldBy, Log: n.settings.log, Now: n.now, Observe: n.answered, Metrics: n.metricsHere()})
}
