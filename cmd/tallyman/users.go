package main

import (
	"context"
	"fmt"
	"time"

	"tallyman/internal/account"
	"tallyman/internal/store"
)

// usersCommand makes, lists and changes the people who may sign in.
type usersCommand struct {
	Create   usersCreate   `cmd:"" help:"Create a user. A password that is made here is shown once and kept nowhere."`
	List     usersList     `cmd:"" default:"withargs" help:"List the users of a workspace, disabled ones too."`
	Set      usersSet      `cmd:"" help:"Change what a user may do."`
	Password usersPassword `cmd:"" help:"Give a user another password."`
	Disable  usersDisable  `cmd:"" help:"Keep a user from signing in."`
	Enable   usersEnable   `cmd:"" help:"Let a user sign in again."`
}

// userName is the argument that names a user.
type userName struct {
	Name string `arg:"" help:"The user's name; capitals make no difference."`
}

type usersCreate struct {
	userName
	Role string `help:"What the user may do: read, import (read too; the default) or admin (everything)." enum:"read,import,admin" default:"import" placeholder:"ROLE"`
	passwordFlags
	JSON bool `name:"json" help:"Print the user as JSON, with the password where it was made here."`
	tenant
}

// userObject is a user as --json shows it.
type userObject struct {
	ID         string     `json:"id"`
	Name       string     `json:"name"`
	Role       string     `json:"role"`
	CreatedAt  time.Time  `json:"created_at"`
	DisabledAt *time.Time `json:"disabled_at"`
	// Password is shown once, where the program has made it.
	Password string `json:"password,omitempty"`
}

func showUser(u store.User) userObject {
	o := userObject{ID: u.ID, Name: u.Name, Role: u.Role, CreatedAt: wholeSeconds(u.CreatedAt)}
	if u.DisabledAt != nil {
		disabled := wholeSeconds(*u.DisabledAt)
		o.DisabledAt = &disabled
	}
	return o
}

// Run makes the user.
func (c *usersCreate) Run(ctx context.Context, p *program) error {
	role, err := account.ParseRole(c.Role)
	if err != nil {
		return err
	}
	return c.at().first(ctx, p, func(n *node) error {
		ws, err := n.workspace(ctx)
		if err != nil {
			return err
		}
		pw, err := c.get(ctx, p, n.accounts)
		if err != nil {
			return err
		}
		u, err := n.accounts.CreateUser(ctx, ws.WS, c.Name, role, pw.text)
		if err != nil {
			return err
		}
		return pw.show(p, u, c.JSON, fmt.Sprintf("Created the user %s.", u.Name))
	})
}

type usersList struct {
	JSON bool `name:"json" help:"Print a JSON array."`
	tenant
}

// Run lists the users.
func (c *usersList) Run(ctx context.Context, p *program) error {
	return c.at().beside(ctx, p, func(n *node, ws store.Workspace) error {
		users, err := n.accounts.Users(ctx, ws.WS)
		if err != nil {
			return err
		}
		objects := make([]userObject, 0, len(users))
		rows := make([][]string, 0, len(users))
		for _, u := range users {
			o := showUser(u)
			objects = append(objects, o)
			rows = append(rows, []string{o.Name, o.Role, o.ID, clock(o.CreatedAt), maybeClock(o.DisabledAt)})
		}
		if c.JSON {
			return printJSON(p.stdout, objects)
		}
		if len(rows) == 0 {
			p.nothingFound("The workspace %s has no users.", ws.Name)
			return nil
		}
		return table(p.stdout, []string{"NAME", "ROLE", "ID", "CREATED", "DISABLED"}, rows)
	})
}

type usersSet struct {
	userName
	Role string `required:"" help:"What the user may do: read, import (read too) or admin (everything)." enum:"read,import,admin" placeholder:"ROLE"`
	JSON bool   `name:"json" help:"Print the user as JSON."`
	tenant
}

// Run changes the user's role.
func (c *usersSet) Run(ctx context.Context, p *program) error {
	return c.changeUser(ctx, p, c.JSON, "The user %s has the role "+c.Role+".", func(n *node, ws store.WS) (store.User, error) {
		return n.accounts.SetRole(ctx, ws, c.Name, account.Role(c.Role))
	})
}

type usersPassword struct {
	userName
	passwordFlags
	JSON bool `name:"json" help:"Print the user as JSON, with the password where it was made here."`
	tenant
}

// Run gives the user a password.
func (c *usersPassword) Run(ctx context.Context, p *program) error {
	return c.at().beside(ctx, p, func(n *node, ws store.Workspace) error {
		pw, err := c.get(ctx, p, n.accounts)
		if err != nil {
			return err
		}
		u, err := n.accounts.SetPassword(ctx, ws.WS, c.Name, pw.text)
		if err != nil {
			return err
		}
		return pw.show(p, u, c.JSON, fmt.Sprintf("The user %s has another password.", u.Name))
	})
}

type usersDisable struct {
	userName
	JSON bool `name:"json" help:"Print the user as JSON."`
	tenant
}

// Run disables the user.
func (c *usersDisable) Run(ctx context.Context, p *program) error {
	return c.changeUser(ctx, p, c.JSON, "The user %s can no longer sign in.", func(n *node, ws store.WS) (store.User, error) {
		return n.accounts.Disable(ctx, ws, c.Name)
	})
}

type usersEnable struct {
	userName
	JSON bool `name:"json" help:"Print the user as JSON."`
	tenant
}

// Run enables the user.
func (c *usersEnable) Run(ctx context.Context, p *program) error {
	return c.changeUser(ctx, p, c.JSON, "The user %s can sign in.", func(n *node, ws store.WS) (store.User, error) {
		return n.accounts.Enable(ctx, ws, c.Name)
	})
}

// changeUser runs a command that changes a user, and shows the user or says so in
// a sentence with the name.
func (t *tenant) changeUser(ctx context.Context, p *program, asJSON bool, sentence string, change func(*node, store.WS) (store.User, error)) error {
	return t.at().beside(ctx, p, func(n *node, ws store.Workspace) error {
		u, err := change(n, ws.WS)
		if err != nil {
			return err
		}
		if asJSON {
			return printJSON(p.stdout, showUser(u))
		}
		_, err = fmt.Fprintf(p.stdout, sentence+"\n", u.Name)
		return err
	})
}
