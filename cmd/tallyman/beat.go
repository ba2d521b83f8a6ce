package main

import (
	"context"
	"crypto/rand"
	"fmt"
	"os"
	"strings"
	"sync/atomic"
	"time"

	"tallyman/internal/importer"
	"tallyman/internal/store"
)

// passing is how the names of nodes begin that were started for one import and
// end with it: no other import can be left to them.
const passing = "import:"

// nodeName names this process among those that share the database: as it was
// told, or by its machine and itself. Containers may agree in both, so a few
// letters of chance stand behind them.
func nodeName(set *settings, command string) string {
	stays := command == "serve" || command == "work"
	if set.config.Node != "" && stays {
		return set.config.Node
	}
	host, err := os.Hostname()
	if err != nil {
		host = "localhost"
	}
	name := fmt.Sprintf("%s/%d-%s", host, os.Getpid(), strings.ToLower(rand.Text()[:4]))
	if !stays {
		return passing + name
	}
	return name
}

// beatTime bounds how long a beat may take: a database that does not answer is
// not waited for.
const beatTime = 5 * time.Second

// startBeats tells the other nodes that this one is at work, now and every few
// moments until the node is closed.
func (n *node) startBeats(ctx context.Context) {
	n.began = n.now()
	n.onClose("leave the other nodes", func() error {
		ctx, cancel := context.WithTimeout(context.Background(), beatTime)
		defer cancel()
		if err := n.store.LeaveNode(ctx, n.name); err != nil {
			// They see soon enough that it is gone.
			n.settings.engineLog.Warn("leave the other nodes", "error", oneLine(err))
		}
		return nil
	})
	n.checkName(ctx)
	if err := n.beat(ctx); err != nil {
		n.settings.engineLog.Warn("beat", "error", oneLine(err))
	}
	n.background("beat", importer.NodeBeat, importer.NodeBeat, n.beat)
}

// checkName warns where another node may have this one's name. It may also be
// this one's own, which died a moment ago and was started again.
func (n *node) checkName(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, beatTime)
	defer cancel()
	nodes, err := n.store.Nodes(ctx, n.now().Add(-importer.NodeLife))
	if err != nil {
		return // told by the beat that follows
	}
	for _, o := range nodes {
		if o.Name == n.name {
			n.settings.log.Warn("a node of this name was at work a moment ago; if it still is, give one of them another name with --node")
		}
	}
}

// beat says once that the node is at work, or why it is not.
func (n *node) beat(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, beatTime)
	defer cancel()
	if err := n.keepTime(ctx); err != nil {
		return err
	}
	return n.store.BeatNode(ctx, store.Node{Name: n.name, Version: version(), Workers: n.batchJobs(), Held: n.held(),
		StartedAt: n.began, Beat: n.now()})
}

// sharedClock is the clock by which nodes compare their beats: the database's,
// as far as this process knows it. A node whose own clock is wrong would take
// others for dead, or be taken for it.
type sharedClock struct {
	local  func() time.Time
	offset atomic.Int64 // of the database's clock to the local one
	known  atomic.Bool
}

// longTrip is how long a question may be under way and its answer still tell the
// time better than an answer of before.
const longTrip = 500 * time.Millisecond

func (c *sharedClock) now() time.Time { return c.local().Add(time.Duration(c.offset.Load())) }

// measure asks what time it is. The answer is taken to be of the middle between
// question and answer.
func (c *sharedClock) measure(ctx context.Context, ask func(context.Context) (time.Time, error)) error {
	asked := c.local()
	theirs, err := ask(ctx)
	if err != nil {
		return fmt.Errorf("ask for the time: %w", err)
	}
	took := c.local().Sub(asked)
	if took > longTrip && c.known.Load() {
		return nil
	}
	c.offset.Store(int64(theirs.Sub(asked.Add(took / 2))))
	c.known.Store(true)
	return nil
}

// keepTime measures how far the node's clock is from the one that the nodes share.
// A database that nobody shares needs none.
func (n *node) keepTime(ctx context.Context) error {
	if !n.settings.config.Shared() {
		return nil
	}
	return n.clock.measure(ctx, n.store.Clock)
}

// others lists the nodes beside this one that work now and go on doing so.
func (n *node) others(ctx context.Context) ([]store.Node, error) {
	all, err := n.store.Nodes(ctx, n.now().Add(-importer.NodeLife))
	if err != nil {
		return nil, fmt.Errorf("find nodes: %w", err)
	}
	var others []store.Node
	for _, o := range all {
		if o.Name != n.name && o.Held == "" && !strings.HasPrefix(o.Name, passing) {
			others = append(others, o)
		}
	}
	return others, nil
}
