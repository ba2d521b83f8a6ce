// Package program runs the built program, and the sqlite3 shell on its database,
// as whole processes: what each took in time and memory, and what the program
// says of its imports.
//
// What does not belong here: what is measured and how it is judged (the commands
// below internal/bench), and files to import (package catalogen).
package program

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// Usage is what a finished process took.
type Usage struct {
	Wall time.Duration
	Peak int64 // bytes of memory, at most at one time
	Code int   // its exit code
	// Stdout is what it printed, nil where that went elsewhere.
	Stdout []byte
}

// Run runs a program to its end and measures it. Exit code 2, complete with
// errors in some rows or a plan with changes, is no failure. What was written
// before is brought to disk first, so that nobody pays for it but who wrote it.
func Run(ctx context.Context, stdin io.Reader, name string, args ...string) (Usage, error) {
	var stdout bytes.Buffer
	u, err := RunTo(ctx, stdin, &stdout, name, args...)
	u.Stdout = stdout.Bytes()
	return u, err
}

// RunTo is Run with what the program prints sent to stdout as it comes.
func RunTo(ctx context.Context, stdin io.Reader, stdout io.Writer, name string, args ...string) (Usage, error) {
	var stderr bytes.Buffer
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = stdin, stdout, &stderr
	syscall.Sync()
	start := time.Now()
	err := cmd.Run()
	u := Usage{Wall: time.Since(start)}
	var failed *exec.ExitError
	if errors.As(err, &failed) {
		u.Code = failed.ExitCode()
	}
	if u.Code == 2 {
		err = nil
	}
	if err != nil {
		return u, fmt.Errorf("%s %s: %w\n%s", name, strings.Join(args, " "), err, tail(stderr.Bytes()))
	}
	if r, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage); ok {
		u.Peak = r.Maxrss * maxrssUnit
	}
	return u, nil
}

// maxrssUnit is the unit of Rusage.Maxrss in bytes: kibibytes on Linux.
const maxrssUnit = 1024

func tail(b []byte) []byte {
	const most = 2000
	return b[max(0, len(b)-most):]
}

// Build builds the program into a folder and returns its path. It is built as tests
// are, so that nothing is compiled twice.
func Build(ctx context.Context, dir string) (string, error) {
	binary := filepath.Join(dir, "tallyman")
	_, err := Run(ctx, nil, "go", "build", "-o", binary, "tallyman/cmd/tallyman")
	return binary, err
}

// NeedShell returns an error that says what to do where the sqlite3 shell is
// missing.
func NeedShell() error {
	if _, err := exec.LookPath("sqlite3"); err != nil {
		return errors.New("the sqlite3 shell is missing; install the package sqlite3")
	}
	return nil
}

// Shell runs a script in the sqlite3 shell on a database. A fault ends it.
func Shell(ctx context.Context, database, script string) (Usage, error) {
	return Run(ctx, strings.NewReader(script), "sqlite3", "-batch", "-bail", database)
}

// DiskSize is the size of a database with the log beside it, in bytes.
func DiskSize(database string) int64 {
	var n int64
	for _, name := range []string{database, database + "-wal"} {
		if info, err := os.Stat(name); err == nil {
			n += info.Size()
		}
	}
	return n
}
