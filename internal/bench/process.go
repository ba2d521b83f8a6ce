package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"
)

// usage is what a finished process took.
type usage struct {
	wall   time.Duration
	peak   int64 // bytes of memory, at most at one time
	stdout []byte
	code   int
}

// execute runs a program to its end and measures it. Exit code 2, complete with
// errors in some rows, is no failure. What was written before is brought to
// disk first, so that nobody pays for it but who wrote it.
func execute(ctx context.Context, stdin io.Reader, name string, args ...string) (usage, error) {
	var stdout, stderr bytes.Buffer
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = stdin, &stdout, &stderr
	syscall.Sync()
	start := time.Now()
	err := cmd.Run()
	u := usage{wall: time.Since(start), stdout: stdout.Bytes()}
	var failed *exec.ExitError
	if errors.As(err, &failed) && failed.ExitCode() == 2 {
		u.code, err = 2, nil
	}
	if err != nil {
		return u, fmt.Errorf("%s %s: %w\n%s", name, strings.Join(args, " "), err, tail(stderr.Bytes()))
	}
	if r, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage); ok {
		u.peak = r.Maxrss * maxrssUnit
	}
	return u, nil
}

// maxrssUnit is the unit of Rusage.Maxrss in bytes: kibibytes on Linux.
const maxrssUnit = 1024

func tail(b []byte) []byte {
	const most = 2000
	return b[max(0, len(b)-most):]
}

// shell runs a script in the sqlite3 shell on a database. A fault ends it.
func shell(ctx context.Context, database, script string) (usage, error) {
	return execute(ctx, strings.NewReader(script), "sqlite3", "-batch", "-bail", database)
}

// diskSize is the size of a database with the log beside it, in bytes.
func diskSize(database string) int64 {
	var n int64
	for _, name := range []string{database, database + "-wal"} {
		if info, err := os.Stat(name); err == nil {
			n += info.Size()
		}
	}
	return n
}
