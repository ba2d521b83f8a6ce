//go:build !race

package main

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"tallyman/internal/config"
	"tallyman/internal/files"
	"tallyman/internal/store"
)

// Two data folders that name one place for their files: the second is refused
// before it does anything, by every command, and the first goes on.
func TestTwoDatabasesDoNotShareFiles(t *testing.T) {
	dir := t.TempDir()
	files, one, two := filepath.Join(dir, "files"), filepath.Join(dir, "one"), filepath.Join(dir, "two")
	file := filepath.Join(dir, "a.csv")
	if err := os.WriteFile(file, []byte("sku,title\nA,a\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	says(t, exitComplete, "import", file, "--quiet", "--data", one, "--files", files)
	if said := says(t, exitComplete, "doctor", "--data", one, "--files", files); !strings.Contains(said, "this database (installation ") {
		t.Errorf("doctor says\n%s", said)
	}
	before := tree(t, files)
	says(t, exitComplete, "import", file, "--quiet", "--data", two)
	for _, command := range [][]string{{"import", file, "--quiet"}, {"serve", "--listen", "127.0.0.1:0"}, {"doctor"}} {
		said := says(t, exitOther, append(command, "--data", two, "--files", files)...)
		for _, want := range []string{"file store " + files, "belong to another database", "of its own with --files"} {
			if !strings.Contains(said, want) {
				t.Errorf("%s does not say %q:\n%s", command[0], want, said)
			}
		}
	}
	if after := tree(t, files); after != before {
		t.Errorf("there were\n%s\nthere are\n%s", before, after)
	}
	says(t, exitComplete, "import", file, "--quiet", "--data", one, "--files", files)

	// Without the mark they are whose comes first.
	if err := os.Remove(filepath.Join(files, "installation")); err != nil {
		t.Fatal(err)
	}
	says(t, exitComplete, "import", file, "--quiet", "--data", two, "--files", files)
	says(t, exitOther, "import", file, "--quiet", "--data", one, "--files", files)
}

// tree lists the files in a folder, one a line.
func tree(t *testing.T, folder string) string {
	t.Helper()
	var all strings.Builder
	err := filepath.WalkDir(folder, func(path string, d os.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() {
			all.WriteString(path + "\n")
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all.String()
}

// A node that is started with another place for its files than that of the nodes at
// work is refused: it would end their imports for files that it does not see. One
// with theirs is not, nor one whose nodes have marked nothing yet.
func TestANodeOnStrayFilesIsRefused(t *testing.T) {
	at := sharedDatabase(t)
	one := newTestNode(t, &program{}, at, nil)
	if err := one.start(t.Context()); err != nil {
		t.Fatal(err)
	}
	stray := at
	stray.Files = t.TempDir()
	p := &program{stderr: os.Stderr, now: time.Now}
	try := func(at config.Storage) error {
		at.Data = t.TempDir()
		set, err := (&place{Storage: at, Workspace: store.DefaultWorkspace}).settings(p)
		if err != nil {
			t.Fatal(err)
		}
		n, err := openOwner(t.Context(), p, set, "work")
		if err == nil {
			err = n.close()
		}
		return err
	}
	if err := try(stray); !errors.Is(err, errStray) {
		t.Errorf("got %v", err)
	}
	if left := tree(t, stray.Files); strings.Contains(left, "installation") {
		t.Errorf("it left\n%s", left)
	}
	if err := try(at); err != nil {
		t.Errorf("with the same files: %v", err)
	}
	said := says(t, exitOther, "doctor", "--database", at.Database, "--files", stray.Files, "--data", t.TempDir())
	if !strings.Contains(said, "their files are not here") {
		t.Errorf("doctor says\n%s", said)
	}
	file := filepath.Join(t.TempDir(), "a.csv")
	if err := os.WriteFile(file, []byte("sku,title\nA,a\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	says(t, exitComplete, "import", file, "--quiet", "--data", t.TempDir(), "--database", at.Database, "--files", at.Files)
	if err := os.Remove(filepath.Join(at.Files, "installation")); err != nil {
		t.Fatal(err)
	}
	if err := try(at); err != nil {
		t.Errorf("with the same files, not marked: %v", err)
	}
	if err := one.close(); err != nil {
		t.Fatal(err)
	}
	if err := try(stray); err != nil {
		t.Errorf("with nobody at work: %v", err)
	}
}

// Files that could not be marked when the node was opened are marked once they answer.
func TestFilesAreMarkedOnceTheyAnswer(t *testing.T) {
	at := sharedDatabase(t)
	n := newTestNode(t, &program{}, at, nil)
	mark := filepath.Join(at.Files, "installation")
	if err := os.Remove(mark); err != nil {
		t.Fatal(err)
	}
	whole := n.files
	n.files = silentFiles{whole}
	if err := n.belong(t.Context()); err != nil {
		t.Fatal(err)
	}
	n.files = whole
	if err := n.filesWell(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(mark); err != nil {
		t.Error(err)
	}
}

// silentFiles do not answer.
type silentFiles struct{ files.Store }

func (silentFiles) Open(context.Context, string) (files.Reader, error) {
	return nil, errors.New("no answer")
}
