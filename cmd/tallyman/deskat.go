package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
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
	set.noteLocalFiles(p)
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
	said := ""
	for {
		n, err := openOwner(ctx, p, set, command)
		if err == nil {
			return n.desk(ctx)
		}
		if !errors.Is(err, errLocked) {
			return nil, err
		}
		why, again := "", lockPoll
		if s, ok := set.folder.server(); ok {
			if why = notReady(ctx, s.URL); why == "" {
				return newRemoteDesk(s.URL, localKey(s.Token, set.workspace), set.sights(), p.now), nil
			}
			again = readyPoll
		}
		if now := set.waiting(why); now != said {
			said = now
			fmt.Fprintln(p.stderr, said)
		}
		if err := pause(ctx, again); err != nil {
			return nil, err
		}
	}
}

// lockPoll is how often a folder that is in use is tried again, readyPoll how often
// its server is asked whether it takes requests.
const (
	lockPoll  = 100 * time.Millisecond
	readyPoll = time.Second
)

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

// waiting says what a command waits for, and why that does not take it on where it
// says so.
func (s *settings) waiting(why string) string {
	who := "another process"
	if o, ok := s.folder.owner(); ok {
		who = fmt.Sprintf("tallyman %s (process %d)", o.Command, o.PID)
	}
	return strings.TrimSuffix(fmt.Sprintf("Waiting for %s, which works on %s. %s", who, s.folder, why), " ")
}

// answers reports whether the server takes work.
func answers(ctx context.Context, url string) bool { return notReady(ctx, url) == "" }

// maxReason bounds what is read of a server's reason.
const maxReason = 4 << 10

// holdWords says in sentences why a server that is ready takes no work, by what it
// says of itself; "" where it does.
func holdWords(ready string) string {
	_, held, holds := strings.Cut(strings.TrimSpace(ready), "holding: ")
	if !holds {
		return ""
	}
	words := map[string]string{
		heldByDatabase: "Its database takes no writes.",
		heldByFiles:    "Its file store does not answer.",
		heldByDisk:     "Its disk is short of room.",
	}
	var all []string
	for _, name := range strings.Split(held, ", ") {
		all = append(all, cmp.Or(words[name], "It holds."))
	}
	return strings.Join(all, " ")
}

// notReady says in a sentence why the server takes no work; "" where it does.
func notReady(ctx context.Context, url string) string {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url+"/readyz", nil)
	if err != nil {
		return "Its address cannot be asked."
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return "It does not answer."
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxReason))
	if resp.StatusCode == http.StatusOK {
		return holdWords(string(body))
	}
	reason := strings.TrimSpace(strings.TrimPrefix(string(body), "not ready:"))
	if err != nil || reason == "" || reason == "not ready" {
		return "It is not ready."
	}
	return reason
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
