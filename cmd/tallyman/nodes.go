package main

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"tallyman/internal/importer"
	"tallyman/internal/store"
)

// nodesCommand lists the processes that work on imports.
type nodesCommand struct {
	JSON bool `name:"json" help:"Print a JSON array."`
	base
}

// Help is the part of the help text that flags cannot say.
func (nodesCommand) Help() string {
	return `A node is a process that works on imports: "tallyman serve", "tallyman work", or an import run from the command line. It says every two seconds that it is at work. One that says nothing any more has died; its batches are with others by then, and it is forgotten after a day. One that holds takes nothing on because of its disk, its database or its file store, and goes on by itself.`
}

// nodeObject is a node as --json shows it.
type nodeObject struct {
	Name      string    `json:"name"`
	State     string    `json:"state"` // working, holding, silent
	Version   string    `json:"version"`
	Workers   int       `json:"workers"`
	Held      string    `json:"held,omitempty"` // why it holds
	StartedAt time.Time `json:"started_at"`
	Beat      time.Time `json:"beat"`
}

// nodeMemory is how long a node is listed that says nothing any more.
const nodeMemory = 24 * time.Hour

// Run lists the nodes.
func (c *nodesCommand) Run(ctx context.Context, p *program) error {
	set, err := c.at().settings(p)
	if err == nil {
		err = set.mustExist()
	}
	if err != nil {
		return err
	}
	return c.at().open(ctx, p, func(n *node) error {
		now := n.now()
		nodes, err := n.store.Nodes(ctx, now.Add(-nodeMemory))
		if err != nil {
			return fmt.Errorf("list nodes: %w", err)
		}
		objects := make([]nodeObject, 0, len(nodes))
		rows := make([][]string, 0, len(nodes))
		for i := range nodes {
			o := nodeObjectOf(&nodes[i], now)
			objects = append(objects, o)
			rows = append(rows, []string{o.Name, o.State, strconv.Itoa(o.Workers), o.Version, clock(o.StartedAt), clock(o.Beat), o.Held})
		}
		if c.JSON {
			return printJSON(p.stdout, objects)
		}
		if len(rows) == 0 {
			p.nothingFound("No node is at work, and none was in the last day.")
			return nil
		}
		return table(p.stdout, []string{"NODE", "STATE", "WORKERS", "VERSION", "SINCE", "BEAT", "HELD"}, rows)
	})
}

func nodeObjectOf(n *store.Node, now time.Time) nodeObject {
	return nodeObject{Name: n.Name, State: nodeState(n, now), Version: n.Version, Workers: n.Workers, Held: n.Held,
		StartedAt: wholeSeconds(n.StartedAt), Beat: wholeSeconds(n.Beat)}
}

// nodeState is where a node stands: working, holding, or silent, which is dead.
func nodeState(n *store.Node, now time.Time) string {
	switch {
	case now.Sub(n.Beat) > importer.NodeLife:
		return "silent"
	case n.Held != "":
		return "holding"
	}
	return "working"
}
