//go:build unix

package disk

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"sync"
	"syscall"
	"testing"

	"tallyman/internal/files"
)

const (
	childEnv = "DISK_TEST_CHILD" // which of children this process is
	dirEnv   = "DISK_TEST_DIR"
)

var children = map[string]func(dir string) error{
	"write": writeForever,
	"full":  writeTooMuch,
}

// TestMain lets the crash tests start this binary as the process that dies.
func TestMain(m *testing.M) {
	if child, ok := children[os.Getenv(childEnv)]; ok {
		if err := child(os.Getenv(dirEnv)); err != nil {
			os.Stderr.WriteString(err.Error() + "\n")
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

func startChild(t *testing.T, name, dir string) (*exec.Cmd, *bufio.Scanner) {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(exe)
	cmd.Env = append(os.Environ(), childEnv+"="+name, dirEnv+"="+dir)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return cmd, bufio.NewScanner(out)
}

// TestCrash kills a process that writes files, at twenty moments, and looks at
// what the next one finds.
func TestCrash(t *testing.T) {
	const rounds, mostSteps = 20, 60
	dir := t.TempDir()
	random := rand.New(rand.NewPCG(1, 2))
	for round := range rounds {
		committed := killAfter(t, dir, 1+random.IntN(mostSteps))
		if left := temporaries(paths(t, dir)); len(left) == 0 {
			t.Fatalf("round %d: the killed process left no temporary file, so the test shows nothing", round)
		}
		s, err := Open(dir, Options{})
		if err != nil {
			t.Fatal(err)
		}
		if left := temporaries(paths(t, dir)); len(left) > 0 {
			t.Errorf("round %d: Open left %q", round, left)
		}
		checkWhole(t, s, committed)
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// killAfter starts a writing process, kills it after a number of its steps, and
// returns the keys it said it had committed.
func killAfter(t *testing.T, dir string, steps int) []string {
	t.Helper()
	cmd, lines := startChild(t, "write", dir)
	var committed []string
	note := func() {
		if key, ok := strings.CutPrefix(lines.Text(), "committed "); ok {
			committed = append(committed, key)
		}
	}
	for range steps {
		if !lines.Scan() {
			t.Fatalf("the writing process ended by itself: %v", cmd.Wait())
		}
		note()
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	for lines.Scan() { // what it said before it died
		note()
	}
	_ = cmd.Wait() // it says that the process was killed
	return committed
}

func temporaries(paths []string) []string {
	var found []string
	for _, p := range paths {
		if strings.Contains("/"+p, "/"+tempPrefix) {
			found = append(found, p)
		}
	}
	return found
}

// checkWhole reads every file, which begins with the hash of the rest, and
// looks for the ones that were committed.
func checkWhole(t *testing.T, s *Store, committed []string) {
	t.Helper()
	seen := map[string]bool{}
	err := s.List(t.Context(), "", func(info files.Info) error {
		seen[info.Key] = true
		r, err := s.Open(t.Context(), info.Key)
		if err != nil {
			return err
		}
		defer r.Close()
		content, err := io.ReadAll(io.NewSectionReader(r, 0, r.Size()))
		if err != nil {
			return err
		}
		if len(content) < 64 || string(content[:64]) != hashOf(content[64:]) {
			t.Errorf("file %q with %d bytes is not whole", info.Key, len(content))
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range committed {
		if !seen[key] {
			t.Errorf("committed file %q is gone", key)
		}
	}
}

func hashOf(content []byte) string {
	h := sha256.Sum256(content)
	return hex.EncodeToString(h[:])
}

// writeForever keeps one file open and writes and replaces others from several
// goroutines, saying each step on its standard output.
func writeForever(dir string) error {
	s, err := Open(dir, Options{})
	if err != nil {
		return err
	}
	unfinished, err := s.Create(context.Background(), "1/unfinished")
	if err != nil {
		return err
	}
	if _, err := unfinished.Write([]byte("half")); err != nil {
		return err
	}
	var say sync.Mutex
	step := func(what, key string) {
		say.Lock()
		defer say.Unlock()
		fmt.Println(what, key)
	}
	failed := make(chan error)
	for i := range 3 {
		go func() { failed <- writeSteps(s, i, step) }()
	}
	return <-failed
}

func writeSteps(s *Store, worker int, step func(what, key string)) error {
	for n := 0; ; n++ {
		key := fmt.Sprintf("1/worker%d/folder%d/file", worker, n%7)
		body := bytes.Repeat([]byte{byte(n), byte(worker)}, 1+rand.IntN(100_000))
		w, err := s.Create(context.Background(), key)
		if err != nil {
			return err
		}
		step("created", key)
		for _, part := range [][]byte{[]byte(hashOf(body)), body[:len(body)/2], body[len(body)/2:]} {
			if _, err := w.Write(part); err != nil {
				return err
			}
			step("wrote", key)
		}
		if _, err := w.Commit(context.Background()); err != nil {
			return err
		}
		step("committed", key)
	}
}

// TestDiskFull has the system refuse to let a file grow, as on a full disk.
func TestDiskFull(t *testing.T) {
	dir := t.TempDir()
	cmd, lines := startChild(t, "full", dir)
	for lines.Scan() {
		t.Log(lines.Text())
	}
	if err := cmd.Wait(); err != nil {
		t.Fatal(err)
	}
	if got := paths(t, dir); len(got) != 0 {
		t.Errorf("left %q", got)
	}
}

// writeTooMuch returns an error unless a file that outgrows the process's limit
// behaves as one that does not fit on the disk should.
func writeTooMuch(dir string) error {
	const limit = 100_000
	signal.Ignore(syscall.SIGXFSZ)
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &syscall.Rlimit{Cur: limit, Max: limit}); err != nil {
		return err
	}
	s, err := Open(dir, Options{})
	if err != nil {
		return err
	}
	defer s.Close()
	w, err := s.Create(context.Background(), "1/file")
	if err != nil {
		return err
	}
	n, err := w.Write(make([]byte, 2*limit))
	if n != limit || !errors.Is(err, syscall.EFBIG) || !strings.Contains(err.Error(), `"1/file"`) {
		return fmt.Errorf("Write = %d, %v, want %d bytes and an error that names the key", n, err, limit)
	}
	if _, err := w.Commit(context.Background()); !errors.Is(err, syscall.EFBIG) {
		return fmt.Errorf("Commit after a failed Write: %v, want its error", err)
	}
	return nil
}
