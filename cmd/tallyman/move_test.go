//go:build !race

package main

import (
	"bytes"
	"context"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"tallyman/internal/bench/catalogen"
	"tallyman/internal/config"
	"tallyman/internal/files"
	"tallyman/internal/files/s3"
	"tallyman/internal/store"
)

// moveRows is enough for several chunks of the embedded database.
const moveRows = 14_000

func moveFiles(t *testing.T, dir string) (base, file string) {
	t.Helper()
	base, file = filepath.Join(dir, "base.csv"), filepath.Join(dir, "products.csv")
	writeCatalog(t, base, catalogen.Config{Rows: moveRows / 4, Seed: 7, Bad: 2})
	writeCatalog(t, file, catalogen.Config{Rows: moveRows, Seed: 7, Changed: 30, Round: 1, Bad: 2})
	return base, file
}

// at are the flags that name a place.
func at(s config.Storage) []string {
	flags := []string{"--data", s.Data}
	if s.Database != "" {
		flags = append(flags, "--database", s.Database)
	}
	if s.Files != "" {
		flags = append(flags, "--files", s.Files)
	}
	return flags
}

// atDatabase are the flags of a command that has nothing to do with files.
func atDatabase(s config.Storage) []string {
	s.Files = ""
	return at(s)
}

// says runs the program, expects its exit code, and returns its output.
func says(t *testing.T, code int, args ...string) string {
	t.Helper()
	cmd := tallyman(args...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if got := exitCode(err); got != code {
		t.Fatalf("tallyman %s: exit code %d, not %d\n%s%s", strings.Join(args, " "), got, code, out, stderr.String())
	}
	return string(out) + stderr.String()
}

// looks are the commands that show what is kept of an import; they must say the
// same in every place.
func looks(t *testing.T, s config.Storage, id string) string {
	t.Helper()
	var all strings.Builder
	for _, command := range [][]string{
		{"imports", "show", id, "--json"}, {"imports", "errors", id, "--json"}, {"imports", "changes", id, "--json"},
		{"imports", "failed-rows", id, "--out", "-"}, {"imports", "rows", id, "--json"}, {"keys", "list", "--json"},
	} {
		flags := at(s)
		if command[0] == "keys" {
			flags = atDatabase(s)
		}
		out, err := tallyman(append(command, flags...)...).Output()
		fmt.Fprintf(&all, "%s: %d\n%s", strings.Join(command, " "), exitCode(err), out)
	}
	return all.String()
}

// An import that was killed in its middle ends in the place that its folder was
// moved to as if nothing had been, and so does the undo of an older one. What is
// kept of imports is shown as before.
func TestAMovedFolderGoesOn(t *testing.T) {
	dir := t.TempDir()
	base, file := moveFiles(t, dir)
	calm := config.Storage{Data: filepath.Join(dir, "calm")}
	mustImport(t, calm.Data, base)
	mustImport(t, calm.Data, file)
	wantImport := dumpAt(t, calm)
	says(t, exitComplete, append([]string{"undo", newestImport(t, calm.Data), "--quiet"}, at(calm)...)...)
	wantUndo := dumpAt(t, calm)

	old := config.Storage{Data: filepath.Join(dir, "old")}
	mustImport(t, old.Data, base)
	first := newestImport(t, old.Data)
	says(t, exitComplete, append([]string{"keys", "create", "--name", "k", "--json"}, atDatabase(old)...)...)
	looked := looks(t, old, first)
	killed := tallyman("import", file, "--data", old.Data, "--quiet")
	killed.Env = append(killed.Env, killVariable+"=chunk-after-commit:1")
	if out, err := killed.CombinedOutput(); !wasKilled(err) {
		t.Fatalf("not killed: %v\n%s", err, out)
	}
	second := newestImport(t, old.Data)

	shared := sharedStorage(t, old.Data)
	said := says(t, exitComplete, append([]string{"move"}, at(shared)...)...)
	for _, want := range []string{" files in ", "2 imports", "both places are the same", "tallyman serve"} {
		if !strings.Contains(said, want) {
			t.Errorf("move does not say %q:\n%s", want, said)
		}
	}
	for _, refused := range [][]string{{"import", file}, {"move", "--database", shared.Database}, {"dump"}, {"keys", "list"}} {
		if said := says(t, exitOther, append(refused, "--data", old.Data)...); !strings.Contains(said, "was moved to") {
			t.Errorf("%s on what was moved says %s", refused, said)
		}
	}

	shared.Data = filepath.Join(dir, "node")
	if again := looks(t, shared, first); again != looked {
		t.Errorf("before the move:\n%s\nafter it:\n%s", looked, again)
	}
	awaitEnd(t, shared, second)
	compare(t, wantImport, dumpAt(t, shared))
	says(t, exitComplete, append([]string{"undo", second, "--quiet"}, at(shared)...)...)
	compare(t, wantUndo, dumpAt(t, shared))
	if said := says(t, exitComplete, append([]string{"audit", "--action", "database.move", "--json"}, atDatabase(shared)...)...); !strings.Contains(said, `"database.move"`) {
		t.Errorf("the audit log has no move: %s", said)
	}
}

// awaitEnd lets a node work until an import has ended.
func awaitEnd(t *testing.T, s config.Storage, id string) {
	t.Helper()
	cmd := tallyman(append([]string{"work", "--rescue-after", "3s"}, at(s)...)...)
	var said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &said, &said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	defer func() {
		if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
			t.Error(err)
		}
		if err := <-ended; err != nil {
			t.Errorf("work: %v\n%s", err, said.String())
		}
	}()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	withNode(t, config.Storage{Data: s.Data + "-look", Database: s.Database, Files: s.Files}, func(n *node, ws store.Workspace) {
		imp, err := n.imports.Import(ctx, ws, id)
		for err == nil && ctx.Err() == nil && !imp.State.Ended() {
			imp, err = n.imports.Wait(ctx, ws, id, imp.Version)
		}
		if err != nil || !imp.State.Ended() {
			t.Errorf("the import is %s: %v", imp.State, err)
		}
	})
}

// withNode opens a node on a place.
func withNode(t *testing.T, s config.Storage, do func(*node, store.Workspace)) {
	t.Helper()
	p := &program{stderr: os.Stderr, now: time.Now}
	err := (&place{Storage: s, Workspace: store.DefaultWorkspace}).open(t.Context(), p, func(n *node) error {
		ws, err := n.workspace(t.Context())
		if err == nil {
			do(n, ws)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// A backup that was restored elsewhere gives an equal dump, and works: a copy of
// the folder, and pg_dump and pg_restore with a copy of the bucket.
func TestABackupRestoredElsewhereGivesAnEqualDump(t *testing.T) {
	dir := t.TempDir()
	base, file := moveFiles(t, dir)
	embedded := config.Storage{Data: filepath.Join(dir, "data")}
	mustImport(t, embedded.Data, base)
	mustImport(t, embedded.Data, file)
	says(t, exitComplete, append([]string{"keys", "create", "--name", "k", "--json"}, atDatabase(embedded)...)...)
	id := newestImport(t, embedded.Data)

	copied := config.Storage{Data: filepath.Join(dir, "copied")}
	if err := os.CopyFS(copied.Data, os.DirFS(embedded.Data)); err != nil {
		t.Fatal(err)
	}
	sameDumps(t, embedded, copied, id)

	original := sharedStorage(t, embedded.Data)
	says(t, exitComplete, append([]string{"move"}, at(original)...)...)
	original.Data = filepath.Join(dir, "node")
	restored := sharedStorage(t, filepath.Join(dir, "restored"))
	restoreDatabase(t, original.Database, restored.Database, filepath.Join(dir, "backup"))
	copyBucket(t, original.Files, restored.Files)
	sameDumps(t, original, restored, id)
}

func sameDumps(t *testing.T, a, b config.Storage, id string) {
	t.Helper()
	var dumps [2][]byte
	for i, s := range []config.Storage{a, b} {
		path := filepath.Join(t.TempDir(), "dump")
		says(t, exitComplete, append([]string{"dump", "--out", path}, atDatabase(s)...)...)
		info, err := os.Stat(path)
		if err == nil {
			dumps[i], err = os.ReadFile(path)
		}
		if err != nil || info.Mode().Perm() != 0o600 {
			t.Fatalf("dump: %v, %v", info, err)
		}
	}
	if lines := bytes.Count(dumps[0], []byte("\n")); lines < moveRows*3/4 || !bytes.HasSuffix(dumps[0], fmt.Appendf(nil, "{\"end\":%d}\n", lines-1)) {
		t.Errorf("the dump has %d lines and ends with %q", lines, dumps[0][max(0, len(dumps[0])-40):])
	}
	compare(t, strings.Split(string(dumps[0]), "\n"), strings.Split(string(dumps[1]), "\n"))
	if one, other := looks(t, a, id), looks(t, b, id); one != other {
		t.Errorf("one place shows:\n%s\nthe other:\n%s", one, other)
	}
}

// restoreDatabase backs a database up and restores it into another, empty one.
func restoreDatabase(t *testing.T, from, to, backup string) {
	t.Helper()
	for _, command := range [][]string{
		{postgresProgram(t, "pg_dump"), "--format=custom", "--file", backup, from},
		{postgresProgram(t, "pg_restore"), "--exit-on-error", "--no-owner", "--dbname", to, backup},
	} {
		if out, err := exec.Command(command[0], command[1:]...).CombinedOutput(); err != nil {
			t.Fatalf("%s: %v\n%s", command[0], err, out)
		}
	}
}

// postgresProgram finds a program of PostgreSQL's where the server's are.
func postgresProgram(t *testing.T, name string) string {
	t.Helper()
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/" + name)
	if path, err := exec.LookPath(name); err == nil {
		found = append([]string{path}, found...)
	}
	if dir := os.Getenv("TALLYMAN_TEST_PGBIN"); dir != "" {
		found = []string{filepath.Join(dir, name)}
	}
	if len(found) == 0 {
		t.Fatalf("%s is not installed; install the package postgresql", name)
	}
	return found[len(found)-1]
}

func copyBucket(t *testing.T, from, to string) {
	t.Helper()
	source, target := openBucket(t, from), openBucket(t, to)
	err := source.List(t.Context(), "", func(f files.Info) error {
		r, err := source.Open(t.Context(), f.Key)
		if err != nil {
			return err
		}
		defer r.Close()
		content := make([]byte, r.Size())
		if _, err := r.ReadAt(content, 0); err != nil {
			return err
		}
		w, err := target.Create(t.Context(), f.Key)
		if err != nil {
			return err
		}
		defer w.Abort()
		if _, err := w.Write(content); err != nil {
			return err
		}
		_, err = w.Commit(t.Context())
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

func openBucket(t *testing.T, where string) files.Store {
	t.Helper()
	cfg, err := s3.ParseURL(where)
	if err != nil {
		t.Fatal(err)
	}
	st, err := s3.Open(t.Context(), cfg, s3.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { st.Close() })
	return st
}

// A folder that somebody works on is not moved, and one that is being moved is
// not worked on.
func TestAFolderInUseIsNotMoved(t *testing.T) {
	dir := t.TempDir()
	base, _ := moveFiles(t, dir)
	data := filepath.Join(dir, "data")
	mustImport(t, data, base)
	target := filepath.Join(dir, "elsewhere")
	for command, want := range map[string]struct {
		tries []string
		says  string
	}{
		"serve": {[]string{"move", "--files", target}, "tallyman serve (process"},
		moving:  {[]string{"keys", "list"}, "is moving the data folder"},
	} {
		lock, err := folder(data).lock(command)
		if err != nil {
			t.Fatal(err)
		}
		said := says(t, exitOther, append(want.tries, "--data", data)...)
		if !strings.Contains(said, want.says) {
			t.Errorf("%s under %s says %s", want.tries, command, said)
		}
		lock.unlock()
	}
	says(t, exitComplete, "keys", "list", "--data", data)
}

// Files may go alone, and the database after them.
func TestFilesAndDatabaseMoveOneAfterTheOther(t *testing.T) {
	dir := t.TempDir()
	base, _ := moveFiles(t, dir)
	data, target := filepath.Join(dir, "data"), filepath.Join(dir, "elsewhere")
	mustImport(t, data, base)
	id := newestImport(t, data)
	looked := looks(t, config.Storage{Data: data}, id)
	says(t, exitComplete, "move", "--data", data, "--files", target)
	if said := says(t, exitOther, "imports", "list", "--data", data); !strings.Contains(said, "name that with --files") {
		t.Errorf("without --files it says %s", said)
	}
	says(t, exitComplete, "imports", "list", "--data", data, "--files", target)
	says(t, exitComplete, "keys", "list", "--data", data)
	database := sharedStorage(t, data).Database
	says(t, exitComplete, "move", "--data", data, "--from-files", target, "--database", database)
	if again := looks(t, config.Storage{Data: data, Database: database, Files: target}, id); again != looked {
		t.Errorf("before the move:\n%s\nafter it:\n%s", looked, again)
	}
	m, err := folder(data).moved()
	if err != nil || m.Files != target || !strings.Contains(m.Database, "postgres://") {
		t.Errorf("marked %+v, %v", m, err)
	}
}

// What the mark says of a database has no password.
func TestTheMarkOfAMoveHasNoSecret(t *testing.T) {
	dir := t.TempDir()
	base, _ := moveFiles(t, dir)
	data := filepath.Join(dir, "data")
	mustImport(t, data, base)
	u, err := url.Parse(sharedStorage(t, data).Database)
	if err != nil {
		t.Fatal(err)
	}
	u.User = url.UserPassword(u.User.Username(), "geheim")
	said := says(t, exitComplete, "move", "--data", data, "--database", u.String())
	mark, err := os.ReadFile(folder(data).movedFile())
	if err != nil || slices.ContainsFunc([]string{said, string(mark)}, func(s string) bool { return strings.Contains(s, "geheim") }) {
		t.Errorf("%v: said %s, marked %s", err, said, mark)
	}
}
