package main

import (
	"context"
	"fmt"
	"time"

	"tallyman/internal/account"
	"tallyman/internal/store"
)

// keysCommand makes, lists and revokes API keys.
type keysCommand struct {
	Create keysCreate `cmd:"" help:"Create a key. Its secret is shown once and kept nowhere."`
	List   keysList   `cmd:"" default:"withargs" help:"List the keys of a workspace, revoked ones too."`
	Revoke keysRevoke `cmd:"" help:"End a key: from now on it opens nothing."`
}

type keysCreate struct {
	Name string `required:"" help:"What the key is for." placeholder:"NAME"`
	Role string `help:"What the key may do: read, import (read too; the default) or admin (everything)." enum:"read,import,admin" default:"import" placeholder:"ROLE"`
	JSON bool   `name:"json" help:"Print {\"id\", \"key\"} as JSON."`
	tenant
}

// Run makes the key and shows its secret.
func (c *keysCreate) Run(ctx context.Context, p *program) error {
	role, err := account.ParseRole(c.Role)
	if err != nil {
		return err
	}
	return c.at().first(ctx, p, func(n *node) error {
		ws, err := n.workspace(ctx)
		if err != nil {
			return err
		}
		key, secret, err := n.accounts.CreateKey(ctx, ws.WS, c.Name, role)
		if err != nil {
			return err
		}
		if c.JSON {
			return printJSON(p.stdout, struct {
				ID  string `json:"id"`
				Key string `json:"key"`
			}{key.ID, secret})
		}
		// Alone on stdout, the key can be taken by a script as it is.
		fmt.Fprintf(p.stderr, "This is the only time that the key is shown. Its id is %s.\n", key.ID)
		_, err = fmt.Fprintln(p.stdout, secret)
		return err
	})
}

type keysList struct {
	JSON bool `name:"json" help:"Print a JSON array."`
	tenant
}

// keyObject is a key as --json shows it: never its secret.
type keyObject struct {
	ID        string     `json:"id"`
	Name      string     `json:"name"`
	Role      string     `json:"role"`
	CreatedAt time.Time  `json:"created_at"`
	RevokedAt *time.Time `json:"revoked_at"`
}

// Run lists the keys.
func (c *keysList) Run(ctx context.Context, p *program) error {
	return c.at().beside(ctx, p, func(n *node, ws store.Workspace) error {
		keys, err := n.accounts.Keys(ctx, ws.WS)
		if err != nil {
			return fmt.Errorf("list keys: %w", err)
		}
		objects := make([]keyObject, 0, len(keys))
		rows := make([][]string, 0, len(keys))
		for _, k := range keys {
			o := keyObject{ID: k.ID, Name: k.Name, Role: k.Role, CreatedAt: wholeSeconds(k.CreatedAt)}
			if k.RevokedAt != nil {
				revoked := wholeSeconds(*k.RevokedAt)
				o.RevokedAt = &revoked
			}
			objects = append(objects, o)
			rows = append(rows, []string{o.ID, o.Name, o.Role, clock(o.CreatedAt), maybeClock(o.RevokedAt)})
		}
		if c.JSON {
			return printJSON(p.stdout, objects)
		}
		if len(rows) == 0 {
			p.nothingFound("The workspace %s has no keys.", ws.Name)
			return nil
		}
		return table(p.stdout, []string{"ID", "NAME", "ROLE", "CREATED", "REVOKED"}, rows)
	})
}

func maybeClock(t *time.Time) string {
	if t == nil {
		return ""
	}
	return clock(*t)
}

type keysRevoke struct {
	ID string `arg:"" help:"The key's id."`
	tenant
}

// Run revokes the key.
func (c *keysRevoke) Run(ctx context.Context, p *program) error {
	return c.at().beside(ctx, p, func(n *node, ws store.Workspace) error {
		if err := n.accounts.RevokeKey(ctx, ws.WS, c.ID); err != nil {
			return err
		}
		_, err := fmt.Fprintf(p.stdout, "Revoked the key %s.\n", c.ID)
		return err
	})
}
