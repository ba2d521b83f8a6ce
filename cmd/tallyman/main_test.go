package main

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// TestMain runs the tests, or, where the test binary was started under the name
// tallyman, the program itself.
func TestMain(m *testing.M) {
	testscript.Main(tests{m}, map[string]func(){"tallyman": runProgram})
}

// killVariable is the environment variable that makes the program kill itself:
// "STEP:N" at the N-th passage of that step of an import.
const killVariable = "TALLYMAN_TEST_KILL"

// runProgram is main, with a probe, on the ground of the test.
func runProgram() {
	if err := standOnGround(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(exitOther)
	}
	ctx, stop := untilSignal(context.Background())
	defer stop()
	p := program{stdin: os.Stdin, stdout: os.Stdout, stderr: os.Stderr, now: time.Now, probe: killer(os.Getenv(killVariable))}
	os.Exit(p.run(ctx, os.Args[1:]))
}

// killer returns a probe that ends the process as nothing else can, without a
// chance to tidy up; nil for an empty point.
func killer(point string) func(step string) {
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
			_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
			select {}
		}
	}
}
