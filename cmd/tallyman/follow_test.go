package main

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"
)

// TestInterruptPauses interrupts an import at its first chunk: it is paused, the
// command says how to go on, and going on does every row.
func TestInterruptPauses(t *testing.T) {
	ctx, interrupt := context.WithCancel(context.Background())
	left := make(chan struct{})
	var once sync.Once
	d := testDesk(t, func(step string) {
		if step == "chunk-begin" {
			once.Do(func() {
				interrupt()
				<-left
			})
		}
	})
	v, err := d.start(ctx, upload{name: "rows.csv", body: strings.NewReader(rows(100))})
	if err != nil {
		t.Fatal(err)
	}
	var said bytes.Buffer
	p := &program{stderr: &said, now: time.Now}
	v, err = p.follow(ctx, d, v, nothing{})
	close(left)
	if code := p.report(err); code != exitOther {
		t.Errorf("exit code %d, not %d", code, exitOther)
	}
	want := fmt.Sprintf("Import %s is paused after 0 of 100 rows. Go on with: tallyman imports resume %s --data ", v.ID, v.ID)
	if !strings.HasPrefix(said.String(), want) {
		t.Errorf("said %q, not %q", said.String(), want)
	}

	ctx = context.Background()
	if v, err = d.resume(ctx, v.ID); err == nil {
		v, err = p.follow(ctx, d, v, nothing{})
	}
	if err != nil || v.State != "done" || v.CreatedRows != 100 {
		t.Errorf("resumed: %v %+v", err, v)
	}
}

// rows is a file of n good rows.
func rows(n int) string {
	var sb strings.Builder
	sb.WriteString("sku,title\n")
	for i := range n {
		fmt.Fprintf(&sb, "R-%d,Row %d\n", i, i)
	}
	return sb.String()
}

// TestFollowStopsWhenPaused ends a command whose import was paused by someone
// else: nothing would ever happen again.
func TestFollowStopsWhenPaused(t *testing.T) {
	ctx := context.Background()
	reached, left := make(chan struct{}), make(chan struct{})
	var once sync.Once
	d := testDesk(t, func(step string) {
		if step == "chunk-begin" {
			once.Do(func() {
				close(reached)
				<-left
			})
		}
	})
	v, err := d.start(ctx, upload{name: "rows.csv", body: strings.NewReader(rows(10))})
	if err != nil {
		t.Fatal(err)
	}
	<-reached
	if _, err := d.node.imports.Pause(ctx, d.ws, v.ID); err != nil {
		t.Fatal(err)
	}
	close(left)
	p := &program{now: time.Now}
	if v, err = p.follow(ctx, d, v, nothing{}); err != nil || v.State != "paused" {
		t.Errorf("%v, state %s", err, v.State)
	}
	if code := p.report(v.exitError()); code != exitOther {
		t.Errorf("exit code %d", code)
	}
}
