package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"tallyman/internal/store"
)

// deskFlags say where imports run: in a data folder or at a server.
type deskFlags struct {
	Server string `help:"Work at this server instead of in a data folder." env:"TALLYMAN_SERVER" placeholder:"URL" xor:"where"`
	Key    string `help:"API key for --server; it says which workspace. With --workspace, that must be it." env:"TALLYMAN_KEY" secret:"" placeholder:"KEY"`
	place
}

// desk finds where imports run. command names this one to others that wait for
// the folder.
func (f *deskFlags) desk(ctx context.Context, p *program, command string) (desk, error) {
	if f.Server != "" {
		d := newRemoteDesk(f.Server, f.Key, sightsAt(f.Server), p.now)
		if f.Workspace != store.DefaultWorkspace {
			d.tenant = f.Workspace
		}
		return d, nil
	}
	set, err := f.settings(p)
	if err != nil {
		return nil, err
	}
	return p.deskAt(ctx, set, command)
}

// at runs a command about an import where that is: in a folder that exists, or at
// the server.
func (f *deskFlags) at(ctx context.Context, p *program, command string, do func(d desk) error) error {
	if f.Server == "" {
		set, err := f.settings(p)
		if err == nil {
			err = set.mustExist()
		}
		if err != nil {
			return err
		}
	}
	d, err := f.desk(ctx, p, command)
	if err != nil {
		return err
	}
	err = do(d)
	if cerr := d.close(); err == nil {
		err = cerr
	}
	return err
}

// deskAt finds where imports of a data folder run: in this process, if it can
// take the folder, or at the server that has it. A folder that another import
// has is waited for.
func (p *program) deskAt(ctx context.Context, set *settings, command string) (desk, error) {
	told := false
	for {
		n, err := openOwner(ctx, p, set, command)
		if err == nil {
			return n.desk(ctx)
		}
		if !errors.Is(err, errLocked) {
			return nil, err
		}
		if s, ok := set.folder.server(); ok && answers(ctx, s.URL) {
			return newRemoteDesk(s.URL, localKey(s.Token, set.workspace), set.sights(), p.now), nil
		}
		if !told {
			told = true
			fmt.Fprintln(p.stderr, set.waiting())
		}
		if err := pause(ctx, lockPoll); err != nil {
			return nil, err
		}
	}
}

// lockPoll is how often a folder that is in use is tried again.
const lockPoll = 100 * time.Millisecond

func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}

// waiting says what a command waits for.
func (s *settings) waiting() string {
	who := "another process"
	if o, ok := s.folder.owner(); ok {
		who = fmt.Sprintf("tallyman %s (process %d)", o.Command, o.PID)
	}
	return fmt.Sprintf("Waiting for %s, which works on %s.", who, s.folder)
}

// answers reports whether the server takes requests.
func answers(ctx context.Context, url string) bool {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url+"/readyz", nil)
	if err != nil {
		return false
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return false
	}
	resp.Body.Close()
	return resp.StatusCode == http.StatusOK
}

// desk starts the node and returns a desk at which its imports run.
func (n *node) desk(ctx context.Context) (desk, error) {
	ws, err := n.workspace(ctx)
	if err == nil {
		err = n.start(ctx)
	}
	if err != nil {
		return nil, errors.Join(err, n.close())
	}
	return &localDesk{node: n, ws: ws}, nil
}
