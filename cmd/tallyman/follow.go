package main

import (
	"context"
	"fmt"
	"time"
)

// leaveTime bounds how long an interrupted command waits for its import to
// stand still. A chunk, which is what a pause waits for, takes a fraction of it.
const leaveTime = 30 * time.Second

// follow shows an import's progress until it has ended, its plan is there, it is
// paused by someone else, or ctx ends. In the last case the desk is asked to leave it in order.
func (p *program) follow(ctx context.Context, d desk, v view, out display) (view, error) {
	for !v.rests() {
		out.show(v)
		next, err := d.wait(ctx, v)
		if ctx.Err() != nil {
			out.close()
			return v, p.interrupted(ctx, d, v)
		}
		if err != nil {
			out.close()
			return v, &exit{code: exitOther, err: fmt.Errorf("follow import %s: %w", v.ID, err), see: d.see().imp(v.ID)}
		}
		v = next
	}
	out.show(v)
	out.close()
	v.followed = true
	return v, nil
}

// interrupted leaves the import in order and says what became of it.
func (p *program) interrupted(ctx context.Context, d desk, v view) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), leaveTime)
	defer cancel()
	told, err := d.leave(ctx, v)
	if err != nil {
		return err
	}
	fmt.Fprintln(p.stderr, told)
	return &exit{code: exitOther}
}
