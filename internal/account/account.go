// Package account knows who may do what: workspaces, users, API keys and their
// roles. Secrets are shown once and stored hashed.
//
// What does not belong here: reading headers and cookies (package server) and
// the tables that hold it all (package store).
package account

import (
	"crypto/rand"
	"io"
	"log/slog"
	"sync"
	"time"

	"tallyman/internal/audit"
	"tallyman/internal/store"
)

// Config is what Accounts are made of.
type Config struct {
	Store store.Store
	// Now is the clock; nil means time.Now.
	Now func() time.Time
	// Random is where secrets and ids come from; nil means crypto/rand. Anything
	// else is for tests.
	Random io.Reader
	// PasswordCost is how much work it is to try a password; the zero Cost means
	// DefaultCost.
	PasswordCost Cost
	// Log is told of refusals that are of no workspace, and what could not be noted;
	// nil means nobody.
	Log *slog.Logger
}

// Accounts is the service over the store's workspaces, users and keys. It is safe for
// concurrent use.
type Accounts struct {
	store  store.Store
	now    func() time.Time
	random io.Reader
	log    *slog.Logger

	passwords *passwords
	refusals  *audit.Refusals

	// known are the workspaces seen so far. They are never renamed nor removed,
	// so what is in it stays true.
	mu    sync.RWMutex
	known map[store.WS]store.Workspace
}

// New makes Accounts.
func New(c Config) *Accounts {
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Random == nil {
		c.Random = rand.Reader
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	return &Accounts{
		store:     c.Store,
		now:       c.Now,
		random:    c.Random,
		log:       c.Log,
		passwords: newPasswords(c.PasswordCost, c.Random),
		refusals:  audit.NewRefusals(refusalLog{c.Store, c.Log}, c.Now),
		known:     map[store.WS]store.Workspace{},
	}
}
