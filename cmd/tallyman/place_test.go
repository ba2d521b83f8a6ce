//go:build !race

package main

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"tallyman/internal/config"
	"tallyman/internal/store"
)

// Whoever waits for a server that holds is told why, once, and again when that
// changes.
func TestImportSaysWhyTheServerTakesNothing(t *testing.T) {
	data := folder(t.TempDir())
	lock, err := data.lock("serve")
	if err != nil {
		t.Fatal(err)
	}
	defer lock.unlock()
	var asked atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if n := asked.Add(1); n < 4 {
			w.WriteHeader(http.StatusServiceUnavailable)
			_, _ = io.WriteString(w, []string{"not ready: No room.\n", "not ready: No room.\n", "not ready\n"}[n-1])
		}
	}))
	defer server.Close()
	if err := data.writeServer(serverFile{URL: server.URL, PID: os.Getpid()}); err != nil {
		t.Fatal(err)
	}
	var stderr bytes.Buffer
	p := &program{stderr: &stderr, now: time.Now}
	set, err := (&place{Storage: config.Storage{Data: string(data)}, Workspace: store.DefaultWorkspace}).settings(p)
	if err != nil {
		t.Fatal(err)
	}
	d, err := p.deskAt(t.Context(), set, "import")
	if err != nil {
		t.Fatal(err)
	}
	defer d.close()
	lines := strings.Split(strings.TrimSpace(stderr.String()), "\n")
	if len(lines) != 2 || !strings.HasSuffix(lines[0], " No room.") || !strings.HasSuffix(lines[1], " It is not ready.") {
		t.Errorf("it says\n%s", stderr.String())
	}
}

// A command line that is shown can be used as it is, or says what it lacks.
func TestCommandLinesLeaveSecretsOut(t *testing.T) {
	for _, c := range []struct{ database, env, want string }{
		{"postgres://host/db", "", "tallyman x --database postgres://host/db"},
		{"postgres://me:hidden@host/db", "", "tallyman x (with your --database)"},
		{"postgres://me:hidden@host/db", "postgres://me:hidden@host/db", "tallyman x"},
	} {
		t.Setenv("TALLYMAN_DATABASE", c.env)
		set, err := (&place{Storage: config.Storage{Data: usualData, Database: c.database}, Workspace: store.DefaultWorkspace}).settings(&program{stderr: io.Discard})
		if err != nil {
			t.Fatal(err)
		}
		if got := set.commandLine("x"); got != c.want {
			t.Errorf("with %q: %q, want %q", c.env, got, c.want)
		}
		// A second one says nothing of it.
		if got := set.inWorkspace("other").commandLine("y"); strings.Contains(got, "with your") || strings.Contains(got, "xxxxx") || strings.Contains(got, "hidden") {
			t.Errorf("the second is %q", got)
		}
	}
}

// Where a database and a bucket hold everything, commands make no folder.
func TestCommandsOnASharedDatabaseMakeNoFolder(t *testing.T) {
	dir := t.TempDir()
	none := filepath.Join(dir, "none")
	at := sharedStorage(t, none)
	t.Setenv("TALLYMAN_DATA", none)
	t.Setenv("TALLYMAN_DATABASE", at.Database)
	for _, files := range []string{at.Files, ""} {
		t.Setenv("TALLYMAN_FILES", files)
		for _, args := range [][]string{
			{"migrate"}, {"migrate", "--check"}, {"nodes"}, {"keys", "create", "--name", "k"}, {"keys", "list"}, {"users", "list"}, {"audit"},
			{"workspaces", "list"}, {"workspaces", "set", "default", "--currency", "CHF"}, {"imports", "list"}, {"dump", "--out", os.DevNull},
			{"export", "product"},
		} {
			if out, err := tallyman(args...).CombinedOutput(); err != nil {
				t.Errorf("%s: %v\n%s", args, err, out)
			}
			if _, err := os.Stat(none); !os.IsNotExist(err) {
				t.Fatalf("%s has made the folder: %v", args, err)
			}
		}
	}
	t.Setenv("TALLYMAN_FILES", at.Files)
	if out, _ := tallyman("doctor").CombinedOutput(); !strings.Contains(string(out), "takes a file, gives it back") {
		t.Errorf("doctor says\n%s", out)
	}
	if _, err := os.Stat(none); !os.IsNotExist(err) {
		t.Errorf("doctor has made the folder: %v", err)
	}
}

func TestNodesMustSeeFilesAndAreToldOfStrangers(t *testing.T) {
	t.Setenv("TALLYMAN_FILEZ", "s3://hidden")
	if said := says(t, exitOther, "work", "--database", "postgres://nobody@127.0.0.1:1/x"); !strings.Contains(said, "--files is missing") {
		t.Errorf("work says %s", said)
	}
	data := t.TempDir()
	ctx, stop := context.WithCancel(t.Context())
	var stdout, stderr bytes.Buffer
	p := &program{stdout: &wakes{Writer: &stdout, wake: stop}, stderr: &stderr, now: time.Now}
	if code := p.run(ctx, []string{"serve", "--listen", "127.0.0.1:0", "--data", data}); code != exitComplete {
		t.Errorf("serve ended with %d", code)
	}
	for _, want := range []string{"TALLYMAN_FILEZ", "is TALLYMAN_FILES meant?", `msg="node started"`, `msg="node stopped"`, filepath.Join(data, "tallyman.db")} {
		if !strings.Contains(stderr.String(), want) || strings.Contains(stderr.String(), "hidden") {
			t.Errorf("the log has no %q:\n%s", want, stderr.String())
		}
	}
}

// wakes calls wake with the first thing that is written.
type wakes struct {
	io.Writer
	wake func()
}

func (w *wakes) Write(b []byte) (int, error) {
	defer w.wake()
	return w.Writer.Write(b)
}

func TestAFolderWhoseDatabaseAndFilesWereMovedSaysSoAtOnce(t *testing.T) {
	f := folder(t.TempDir())
	if err := f.writeMoved(moved{Database: "postgres://host/db", Files: "s3://bucket"}); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(f.database(), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	said := says(t, exitOther, "imports", "list", "--data", string(f))
	for _, want := range []string{"postgres://host/db", "s3://bucket", "--database and --files"} {
		if !strings.Contains(said, want) {
			t.Errorf("it does not say %q: %s", want, said)
		}
	}
}
