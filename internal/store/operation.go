package store

import (
	"context"
	"time"
)

// User is a person who may sign in to a workspace.
type User struct {
	ID string // "usr_" and a ULID
	WS WS
	// Name is what the user signs in with: unique in the workspace, compared byte
	// by byte. Package account brings it to one form.
	Name string
	Role string
	// Password is hashed, in the form of package account; "" lets nobody in.
	Password   string
	CreatedAt  time.Time
	DisabledAt *time.Time
}

// Actor is who does something, as it is noted.
type Actor struct {
	// Name is the key's or user's name, or "cli".
	Name string
	// ID is the key's or user's id, "" where there is none.
	ID string
	// Door is the face it came through: rest, pcm, commerce, web, cli.
	Door string
	// RequestID is the HTTP request's, "" for none.
	RequestID string
}

type actorKey struct{}

// WithActor returns a context in which everything is done by a. Doors set it as
// soon as they know who asks.
func WithActor(ctx context.Context, a Actor) context.Context {
	return context.WithValue(ctx, actorKey{}, a)
}

// ActorOf returns who does what is done under a context; the zero Actor is the
// program itself.
func ActorOf(ctx context.Context) Actor {
	a, _ := ctx.Value(actorKey{}).(Actor)
	return a
}

// AuditEntry says who did what, and when. Entries are written once and never
// changed.
type AuditEntry struct {
	// No rises within a workspace; the store gives it.
	No    int64
	At    time.Time
	Actor Actor
	// Action is a noun and a verb: import.start, import.undo, key.create.
	Action string
	// Object is the id of what it was done to, "" for the workspace itself.
	Object string
	// Detail is a JSON object with what else there is to know; nil for nothing. It
	// holds no secret and no cell of a file.
	Detail []byte
}

// AuditFilter narrows a listing of the audit log; zero fields do not.
type AuditFilter struct {
	// Action matches exactly, or with "." at the end what begins with it.
	Action string
	// Actor is a name or an id.
	Actor  string
	Object string
	// From and Until bound the time: from ≤ t < until.
	From, Until time.Time
	// Before lists entries with smaller numbers.
	Before int64
}

// Node is a process that works on imports.
type Node struct {
	Name    string // as in Batch.Node
	Version string
	// Workers is how many batches it works on at once.
	Workers int
	// Held says why it takes no work just now; "" for nothing.
	Held            string
	StartedAt, Beat time.Time
}

// Load is how much there is to do, over all workspaces.
type Load struct {
	// Imports counts imports by state; ended ones are left out.
	Imports map[State]int64
	// Batches counts unfinished batches of moving imports by state, Oldest is the
	// oldest beat, or start of its import, among the waiting and queued ones; nil
	// for none.
	Batches map[BatchState]int64
	Oldest  *time.Time
}

// Expiry bounds what is kept: what ended before these moments has outlived its
// time. The zero time expires nothing.
type Expiry struct {
	Images, Outcomes, Files time.Time
}

// Operation is the part of a Store about running the program: who may sign in,
// who did what, which nodes there are, and how much they have to do.
type Operation interface {
	// CreateUser stores a user; ErrExists where the id or name is taken.
	CreateUser(ctx context.Context, ws WS, u User) error
	// Users lists a workspace's users by name, disabled ones too.
	Users(ctx context.Context, ws WS) ([]User, error)
	// User returns a user by name; ErrNotFound.
	User(ctx context.Context, ws WS, name string) (User, error)
	// UpdateUser stores u's role, password and end for the user with was's id, if
	// these three still are was's; ErrNotFound, and ErrRetry when they are not: read
	// the user again and decide again.
	UpdateUser(ctx context.Context, ws WS, was, u User) error

	// AppendAudit adds an entry to the audit log, giving it its No.
	AppendAudit(ctx context.Context, ws WS, e *AuditEntry) error
	// Audit lists entries, newest first, at most limit (0: no bound).
	Audit(ctx context.Context, ws WS, f AuditFilter, limit int) ([]AuditEntry, error)
	// PurgeAudit forgets up to limit entries, of all workspaces, from before, and
	// returns how many.
	PurgeAudit(ctx context.Context, before time.Time, limit int) (int, error)

	// BeatNode records that a node is at work, LeaveNode that it no longer is.
	BeatNode(ctx context.Context, n Node) error
	LeaveNode(ctx context.Context, name string) error
	// Nodes lists the nodes that have beaten since, by name. Those that have not
	// for a day are forgotten.
	Nodes(ctx context.Context, since time.Time) ([]Node, error)
	// Load measures what there is to do.
	Load(ctx context.Context) (Load, error)
	// Installation is what tells this database from every other, in 32 hex digits. A
	// copy of the database has the same; one that a Restore fills takes over that of
	// the dump.
	Installation(ctx context.Context) (string, error)
	// Clock is the database's clock, which all nodes share; the process's own
	// where it has none.
	Clock(ctx context.Context) (time.Time, error)
	// Writable checks that the database takes writes just now.
	Writable(ctx context.Context) error
}
