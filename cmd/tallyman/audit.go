package main

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"os/user"
	"slices"
	"strings"
	"time"

	"tallyman/internal/audit"
	"tallyman/internal/config"
	"tallyman/internal/server/rest"
	"tallyman/internal/store"
)

// auditCommand lists who did what.
type auditCommand struct {
	Action string      `help:"Only what was done so, such as import.start; with a dot at the end, what begins so." placeholder:"ACTION"`
	Actor  string      `help:"Only what the key or user with this name or id did." placeholder:"NAME"`
	Object string      `help:"Only what was done to the thing with this id." placeholder:"ID"`
	Since  config.Span `help:"Only what was done in this time, such as 24h or 7d." placeholder:"TIME"`
	Limit  int         `help:"Entries to list, at most; 0 is all (${default})." default:"50" placeholder:"N"`
	JSON   bool        `name:"json" help:"Print a JSON array."`
	tenant
}

// Help is the part of the help text that flags cannot say.
func (auditCommand) Help() string {
	return `Everything that changes something is noted, with who did it: a key or a user by name, the command line as cli, the program itself as tallyman, and who was not let in as nobody. Reading is not. The newest stands first.`
}

// Validate checks what the types of the flags do not.
func (c *auditCommand) Validate() error {
	if c.Limit < 0 {
		return fmt.Errorf("--limit is %d; it must not be negative", c.Limit)
	}
	if c.Since < 0 {
		return fmt.Errorf("--since is %s; it must not be negative", c.Since)
	}
	return nil
}

// Run lists the entries.
func (c *auditCommand) Run(ctx context.Context, p *program) error {
	f := store.AuditFilter{Action: c.Action, Actor: c.Actor, Object: c.Object}
	if c.Since > 0 {
		f.From = p.now().Add(-time.Duration(c.Since))
	}
	return c.at().beside(ctx, p, func(n *node, ws store.Workspace) error {
		entries, err := n.store.Audit(ctx, ws.WS, f, c.Limit)
		if err != nil {
			return fmt.Errorf("read audit log: %w", err)
		}
		objects := make([]rest.AuditEntry, len(entries))
		rows := make([][]string, len(entries))
		for i := range entries {
			o := rest.AuditObject(&entries[i])
			objects[i] = o
			rows[i] = []string{clock(entries[i].At), o.Actor.Name, o.Actor.Door, o.Action, o.Object, detailWords(o.Detail)}
		}
		if c.JSON {
			return printJSON(p.stdout, objects)
		}
		if len(rows) == 0 {
			p.nothingFound("The audit log has no such entry.")
			return nil
		}
		return table(p.stdout, []string{"TIME", "WHO", "DOOR", "ACTION", "OBJECT", "DETAIL"}, rows)
	})
}

// detailWords writes a detail on one line for people.
func detailWords(d map[string]any) string {
	words := make([]string, 0, len(d))
	for _, name := range slices.Sorted(maps.Keys(d)) {
		text, isText := d[name].(string)
		if !isText {
			token, err := json.Marshal(d[name])
			if err != nil {
				continue // it was JSON
			}
			text = string(token)
		}
		words = append(words, name+"="+quoted(text))
	}
	return strings.Join(words, " ")
}

// byCommand returns a context for what a command does.
func byCommand(ctx context.Context) context.Context {
	ctx = store.WithActor(ctx, store.Actor{Name: audit.Command, Door: door})
	if u, err := user.Current(); err == nil {
		ctx = audit.WithOrigin(ctx, audit.Origin{OSUser: u.Username})
	}
	return ctx
}

// Refusals are noted once a minute; what is left of them at the end has this long.
const (
	refusalsEvery = time.Minute
	refusalsLast  = 5 * time.Second
)

// noteRefusals notes how often somebody was not let in, until the node is closed.
func (n *node) noteRefusals() {
	n.onClose("note refusals", func() error {
		ctx, cancel := context.WithTimeout(context.Background(), refusalsLast)
		defer cancel()
		return n.accounts.CloseRefusals(ctx)
	})
	n.background("note refusals", refusalsEvery, refusalsEvery, within(sweepTime, n.accounts.FlushRefusals))
}
