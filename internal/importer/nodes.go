package importer

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"tallyman/internal/store"
)

// NodeBeat is how often a node says that it is at work, and NodeLife how long it
// counts as alive after it last said so.
const (
	NodeBeat = 2 * time.Second
	NodeLife = 5 * NodeBeat
)

// maxParallel is the number of batches of one import in parallel (L6).
const maxParallel = 80

// shareEvery is how often it is looked whether imports have as many jobs as they
// may have, though no node has come or gone.
const shareEvery = 30 * time.Second

// cluster is what is known of the nodes that share the store. It is read from
// there now and then, so that whoever asks waits for nobody.
type cluster struct {
	mu    sync.Mutex
	nodes []store.Node
	read  time.Time // when; the zero time is never
	// shared is the window that imports were last brought to, and when.
	shared   int
	sharedAt time.Time
	// surplus is how many jobs this node's part of an import has too many.
	surplus map[importKey]int
}

// LiveNodes lists the nodes that are at work, those that hold too, as they were
// a moment ago.
func (s *Service) LiveNodes(ctx context.Context) ([]store.Node, error) {
	c := &s.cluster
	c.mu.Lock()
	nodes, fresh := c.nodes, time.Since(c.read) < NodeBeat
	c.mu.Unlock()
	if fresh {
		return nodes, nil
	}
	nodes, err := s.cfg.Store.Nodes(ctx, s.now().Add(-NodeLife))
	if err != nil {
		return nil, fmt.Errorf("find nodes: %w", err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.nodes, c.read = nodes, time.Now()
	return nodes, nil
}

// window is how many jobs an import may have enqueued at once: twice as many as
// there are workers alive, so that none waits for the next one, up to the
// parallel limit. It is the fairness between big imports.
func (s *Service) window() int {
	s.cluster.mu.Lock()
	defer s.cluster.mu.Unlock()
	workers, listed := 0, false
	for i := range s.cluster.nodes {
		n := &s.cluster.nodes[i]
		listed = listed || n.Name == s.cfg.Node
		if n.Held == "" {
			workers += n.Workers
		}
	}
	if !listed {
		workers += s.cfg.Workers
	}
	window := min(2*max(workers, 1), maxParallel)
	if s.cfg.WorkersPerImport > 0 {
		window = min(window, s.cfg.WorkersPerImport)
	}
	return window
}

// share brings every import to the window when that has changed: one that has too
// few jobs is given more, and one that has too many hands on fewer of them as its
// batches end.
func (s *Service) share(ctx context.Context) error {
	nodes, err := s.LiveNodes(ctx)
	if err != nil {
		return err
	}
	window := s.window()
	if !s.cluster.due(window) {
		return nil
	}
	load, err := s.cfg.Store.Load(ctx)
	if err != nil {
		return fmt.Errorf("measure load: %w", err)
	}
	if load.Batches[store.BatchWaiting] > 0 {
		err = s.eachRunning(ctx, func(imp *store.Import) error { return s.shareOut(ctx, imp, window, nodes) })
	}
	if err == nil {
		s.cluster.done(window)
	}
	return err
}

// due reports whether imports are to be brought to the window.
func (c *cluster) due(window int) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return window != c.shared || time.Since(c.sharedAt) > shareEvery
}

// done notes that they were.
func (c *cluster) done(window int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.shared, c.sharedAt = window, time.Now()
}

// eachRunning calls fn with every import whose batches are worked on. One that
// cannot be looked at keeps none of the others from it.
func (s *Service) eachRunning(ctx context.Context, fn func(*store.Import) error) error {
	workspaces, err := s.cfg.Store.Workspaces(ctx)
	if err != nil {
		return fmt.Errorf("find workspaces: %w", err)
	}
	var errs []error
	for _, ws := range workspaces {
		for _, state := range []store.State{store.Planning, store.Running} {
			imps, _, err := s.cfg.Store.Imports(ctx, ws.WS, store.ImportFilter{State: state}, store.Range{})
			if err != nil {
				return fmt.Errorf("find imports: %w", err)
			}
			for i := range imps {
				errs = append(errs, fn(&imps[i]))
			}
		}
	}
	return errors.Join(errs...)
}

// errMoved says that others gave jobs to an import meanwhile.
var errMoved = errors.New("the import has moved on")

// shareOut brings one import to the window.
func (s *Service) shareOut(ctx context.Context, imp *store.Import, window int, nodes []store.Node) error {
	batches, err := s.cfg.Store.Batches(ctx, imp.WS, imp.No, imp.Pass)
	if err != nil {
		return fmt.Errorf("find batches: %w", err)
	}
	enqueued, first := 0, 0
	for i := range batches {
		switch b := &batches[i]; {
		case b.State == store.BatchQueued, b.State == store.BatchRunning:
			enqueued++
		case b.State == store.BatchWaiting && first == 0:
			first = b.No
		}
	}
	key := importKey{imp.WS, imp.No}
	s.cluster.setSurplus(key, s.partOf(max(enqueued-window, 0), nodes))
	if first == 0 || enqueued >= window {
		return nil
	}
	return s.transact(ctx, imp.WS, false, func(tx store.Tx) error {
		now, err := tx.LockImport(ctx, imp.No)
		if err != nil || !now.State.Working() || now.Pass != imp.Pass {
			return err
		}
		switch still, err := isNext(ctx, tx, &now, first); {
		case err != nil:
			return err
		case !still:
			return errMoved
		}
		return s.enqueueNext(ctx, tx, imp.WS, &now, imp.Pass, window-enqueued)
	})
}

// partOf is this node's part of so many jobs, where each node that works takes one
// as even a part: all parts together are as many jobs.
func (s *Service) partOf(jobs int, nodes []store.Node) int {
	all, own := 1, 0
	for i := range nodes {
		switch n := &nodes[i]; {
		case n.Name == s.cfg.Node && n.Held != "":
			return 0
		case n.Name == s.cfg.Node || n.Held != "":
		default:
			all++
			if n.Name < s.cfg.Node {
				own++
			}
		}
	}
	part := jobs / all
	if own < jobs%all {
		part++
	}
	return part
}

// isNext reports whether the batch is still the first of the pass at work that
// waits: if it is not, another node has given out jobs meanwhile.
func isNext(ctx context.Context, tx store.Tx, imp *store.Import, no int) (bool, error) {
	next, err := tx.NextBatches(ctx, imp.No, imp.Pass, 1)
	return len(next) > 0 && next[0].No == no, err
}

func (c *cluster) setSurplus(key importKey, n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if n <= 0 {
		delete(c.surplus, key)
		return
	}
	if c.surplus == nil {
		c.surplus = make(map[importKey]int)
	}
	c.surplus[key] = n
}

// givesUp reports whether a job that ends its batch is one too many of its
// import, which counts it.
func (c *cluster) givesUp(key importKey) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.surplus[key] == 0 {
		return false
	}
	c.surplus[key]--
	return true
}

func (c *cluster) forget(key importKey) { c.setSurplus(key, 0) }

// WaitingFor implements API.
func (s *Service) WaitingFor(ctx context.Context, imp *store.Import) string {
	if !imp.State.Working() && !passing(imp.State) && imp.State != store.RollingBack {
		return ""
	}
	nodes, err := s.LiveNodes(ctx)
	if err != nil && s.held() == "" {
		s.cfg.Log.DebugContext(ctx, "find nodes", "error", err)
		return ""
	}
	return waitingFor(s.withOwnHold(nodes))
}

// withOwnHold are the nodes with what this one knows of itself: a database that
// takes no writes was not told.
func (s *Service) withOwnHold(nodes []store.Node) []store.Node {
	reason := s.held()
	if reason == "" {
		return nodes
	}
	others := slices.DeleteFunc(slices.Clone(nodes), func(n store.Node) bool { return n.Name == s.cfg.Node })
	return append(others, store.Node{Name: s.cfg.Node, Held: reason})
}

// waitingFor says why nothing moves where these are all the nodes there are; ""
// where one of them works.
func waitingFor(nodes []store.Node) string {
	if len(nodes) == 0 {
		return "No node is at work; the import goes on when one is."
	}
	var reasons []string
	for i := range nodes {
		if nodes[i].Held == "" {
			return ""
		}
		reasons = append(reasons, nodes[i].Held)
	}
	slices.Sort(reasons)
	who := "The node at work holds: "
	if len(nodes) > 1 {
		who = "All nodes hold: "
	}
	return who + strings.Join(slices.Compact(reasons), " ")
}

// held says why this node takes nothing on just now; "" for nothing.
func (s *Service) held() string {
	if s.cfg.Held == nil {
		return ""
	}
	return s.cfg.Held()
}
