package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"tallyman/internal/store"
)

// workspacesCommand lists and makes workspaces.
type workspacesCommand struct {
	List   workspacesList   `cmd:"" default:"withargs" help:"List the workspaces."`
	Create workspacesCreate `cmd:"" help:"Create a workspace."`
	Set    workspacesSet    `cmd:"" help:"Change a workspace's settings."`
}

type workspacesList struct {
	JSON bool `name:"json" help:"Print a JSON array."`
	base
}

// workspaceObject is a workspace as --json shows it.
type workspaceObject struct {
	Name      string    `json:"name"`
	Currency  string    `json:"currency"`
	CreatedAt time.Time `json:"created_at"`
}

func showWorkspace(w store.Workspace) workspaceObject {
	return workspaceObject{Name: w.Name, Currency: w.Currency, CreatedAt: wholeSeconds(w.CreatedAt)}
}

// Run lists the workspaces.
func (c *workspacesList) Run(ctx context.Context, p *program) error {
	return c.at().open(ctx, p, func(n *node) error {
		all, err := n.accounts.Workspaces(ctx)
		if err != nil {
			return err
		}
		objects := make([]workspaceObject, 0, len(all))
		rows := make([][]string, 0, len(all))
		for _, w := range all {
			o := showWorkspace(w)
			objects = append(objects, o)
			rows = append(rows, []string{o.Name, o.Currency, clock(o.CreatedAt)})
		}
		if c.JSON {
			return printJSON(p.stdout, objects)
		}
		return table(p.stdout, []string{"NAME", "CURRENCY", "CREATED"}, rows)
	})
}

type workspacesCreate struct {
	Name     string `arg:"" help:"Name: lower-case letters, digits and '-', at most 63."`
	Currency string `help:"Currency of prices that name none (ISO 4217), or none to refuse them." placeholder:"CODE" default:"EUR"`
	JSON     bool   `name:"json" help:"Print the workspace as JSON."`
	base
}

// currencyOf reads a --currency flag, whose word for no currency is none.
func currencyOf(flag string) string {
	if strings.EqualFold(flag, "none") {
		return ""
	}
	return strings.ToUpper(flag)
}

type workspacesSet struct {
	Name     string `arg:"" help:"The workspace."`
	Currency string `required:"" help:"Currency of prices that name none (ISO 4217), or none to refuse them." placeholder:"CODE"`
	JSON     bool   `name:"json" help:"Print the workspace as JSON."`
	base
}

// Run changes the workspace.
func (c *workspacesSet) Run(ctx context.Context, p *program) error {
	return c.at().open(ctx, p, func(n *node) error {
		w, err := n.accounts.SetCurrency(ctx, c.Name, currencyOf(c.Currency))
		if err != nil {
			return err
		}
		if c.JSON {
			return printJSON(p.stdout, showWorkspace(w))
		}
		_, err = fmt.Fprintf(p.stdout, "Prices without a currency are %s in the workspace %s.\n", orRefused(w.Currency), w.Name)
		return err
	})
}

func orRefused(currency string) string {
	if currency == "" {
		return "refused"
	}
	return currency
}

// Run makes the workspace.
func (c *workspacesCreate) Run(ctx context.Context, p *program) error {
	return c.at().first(ctx, p, func(n *node) error {
		w, err := n.accounts.CreateWorkspace(ctx, c.Name, currencyOf(c.Currency))
		if err != nil {
			return err
		}
		if c.JSON {
			return printJSON(p.stdout, showWorkspace(w))
		}
		_, err = fmt.Fprintf(p.stdout, "Created the workspace %s.\n", w.Name)
		return err
	})
}

// wholeSeconds is a moment as JSON shows it, as in the REST API.
func wholeSeconds(t time.Time) time.Time { return t.UTC().Truncate(time.Second) }

// clock writes a moment for people: by the clock of the machine, with its zone.
func clock(t time.Time) string { return t.Local().Format("2006-01-02 15:04:05 MST") }
