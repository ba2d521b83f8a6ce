package main

import (
	"bufio"
	"context"
	"fmt"
	"io"

	"tallyman/internal/store"
)

// dumpCommand writes everything that the database holds.
type dumpCommand struct {
	Out string `short:"o" help:"File to write, for its owner alone; - is standard output." default:"-" placeholder:"FILE"`
	base
}

// Help is the part of the help text that flags cannot say.
func (dumpCommand) Help() string {
	return `Everything of all workspaces, a JSON object a line, of one moment and in one fixed order, and at the end how many lines there were. Two databases that hold the same give the same bytes, whether embedded or PostgreSQL: a backup that was restored elsewhere is compared so. What means nothing elsewhere is left out: jobs, nodes, requests under way. The hashes of keys and passwords are in it. It is no backup: it cannot be read back, and files are not in it.`
}

// Run writes the dump.
func (c *dumpCommand) Run(ctx context.Context, p *program) error {
	set, err := c.at().settings(p)
	if err != nil {
		return err
	}
	if err := set.mustExist(); err != nil {
		return err
	}
	return c.at().open(ctx, p, func(n *node) error {
		var lines int64
		err := p.writeOut(ctx, c.Out, forOwner, func(w io.Writer) (err error) {
			lines, err = writeDump(ctx, n.store, w)
			return err
		})
		if err == nil && c.Out != "-" {
			fmt.Fprintf(p.stderr, "Dumped %s.\n", counted(lines, "record"))
		}
		return err
	})
}

// writeDump writes a store's records, and behind them how many there were.
func writeDump(ctx context.Context, s store.Store, w io.Writer) (lines int64, err error) {
	out := bufio.NewWriterSize(w, 256<<10)
	var form store.Lines
	var line []byte
	err = s.Dump(ctx, func(r store.Record) error {
		lines++
		line = form.Append(line[:0], &r)
		_, err := out.Write(line)
		return err
	})
	if err != nil {
		return lines, err
	}
	fmt.Fprintf(out, "{\"end\":%d}\n", lines)
	return lines, out.Flush()
}
