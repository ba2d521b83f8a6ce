package main

import (
	"context"
	"io"
	"testing"
	"time"

	"tallyman/internal/config"
	"tallyman/internal/store"
)

// A node is ready while its database answers and it is not being stopped.
func TestReady(t *testing.T) {
	ctx := context.Background()
	p := &program{stderr: io.Discard, now: time.Now}
	set, err := (&place{Storage: config.Storage{Data: t.TempDir()}, Workspace: store.DefaultWorkspace}).settings(p)
	if err != nil {
		t.Fatal(err)
	}
	n, err := openOwner(ctx, p, set, "test")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { n.close() })
	if err := n.start(ctx); err != nil {
		t.Fatal(err)
	}
	if err := n.ready(ctx); err != nil {
		t.Errorf("started: %v", err)
	}
	gone, cancel := context.WithCancel(ctx)
	cancel()
	if n.ready(gone) == nil {
		t.Error("a node whose database does not answer in time is ready")
	}
	n.stopping.Store(true)
	if n.ready(ctx) == nil {
		t.Error("a node that is being stopped is ready")
	}
}
