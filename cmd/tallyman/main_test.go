package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// TestMain runs the tests, or, where the test binary was started under the name
// tallyman, the program itself. What starts it is marked !race: the program runs
// as it is built for users, and the race detector sees what tests call directly.
func TestMain(m *testing.M) {
	testscript.Main(tests{m}, map[string]func(){"tallyman": runProgram})
}

// The environment variables that make the program do something to itself at a
// step of an import.
const (
	// killVariable kills it: "STEP:N" at the N-th passage of that step.
	killVariable = "TALLYMAN_TEST_KILL"
	// stopVariable stands it still in the same way, until somebody wakes it with
	// SIGCONT. It writes sleepy before.
	stopVariable = "TALLYMAN_TEST_STOP"
	// paceVariable is how long each passage of a step takes at least, "STEP:TIME":
	// room for faults on a fast machine.
	paceVariable = "TALLYMAN_TEST_PACE"
)

// sleepy is what the program writes before it stands still.
const sleepy = "standing still at "

// runProgram is main, with a probe, on the ground of the test.
func runProgram() {
	if err := standOnGround(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(exitOther)
	}
	ctx, stop := untilSignal(context.Background())
	defer stop()
	p := program{stdin: os.Stdin, stdout: os.Stdout, stderr: os.Stderr, now: time.Now,
		probe: probes(whenAt(os.Getenv(killVariable), kill), whenAt(os.Getenv(stopVariable), standStill), slowly(os.Getenv(paceVariable)))}
	os.Exit(p.run(ctx, os.Args[1:]))
}

// probes calls those that are there; nil for none.
func probes(all ...func(step string)) func(step string) {
	all = slices.DeleteFunc(all, func(p func(string)) bool { return p == nil })
	if len(all) == 0 {
		return nil
	}
	return func(step string) {
		for _, p := range all {
			p(step)
		}
	}
}

// whenAt returns a probe that does something at one passage of one step; nil for an
// empty point.
func whenAt(point string, do func(step string)) func(step string) {
	step, count, ok := strings.Cut(point, ":")
	if !ok {
		return nil
	}
	n, err := strconv.ParseInt(count, 10, 64)
	if err != nil {
		panic(err)
	}
	var passed atomic.Int64
	return func(s string) {
		if s == step && passed.Add(1) == n {
			do(s)
		}
	}
}

// kill ends the process as nothing else can, without a chance to tidy up.
func kill(string) {
	_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
	select {}
}

// standStill stops the process and returns when it goes on. The signal to stop
// may take hold a little after it was sent.
func standStill(step string) {
	woken := make(chan os.Signal, 1)
	signal.Notify(woken, syscall.SIGCONT)
	fmt.Fprintln(os.Stderr, sleepy+step)
	_ = syscall.Kill(os.Getpid(), syscall.SIGSTOP)
	<-woken
	signal.Stop(woken)
}

// slowly returns a probe that sleeps at each passage of a step; nil for an empty
// point.
func slowly(point string) func(step string) {
	step, text, ok := strings.Cut(point, ":")
	if !ok {
		return nil
	}
	d, err := time.ParseDuration(text)
	if err != nil {
		panic(err)
	}
	return func(s string) {
		if s == step {
			time.Sleep(d)
		}
	}
}
