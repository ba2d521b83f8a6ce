//go:build !race

package main

import (
	"bytes"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"
	"time"

	"tallyman/internal/bench/catalogen"
	built "tallyman/internal/bench/program"
	"tallyman/internal/config"
	"tallyman/internal/store"
)

// versionBefore is the commit of the program that nodes must be able to work
// beside while they are upgraded one after the other. It moves on with each
// version.
const versionBefore = "02797bfdd96abeaa53b12d88c733cbc9c739cc10"

// buildBefore builds the program as it was, out of the repository's history.
func buildBefore(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	git := exec.Command("git", "-C", "../..", "archive", "--format=tar", versionBefore)
	git.Stderr = new(bytes.Buffer)
	text, err := git.Output()
	if err != nil {
		t.Fatalf("the version before is not in the repository's history; where the clone is shallow, run git fetch --unshallow: %v\n%s", err, git.Stderr)
	}
	tar := exec.Command("tar", "-x", "-C", dir)
	tar.Stdin = bytes.NewReader(text)
	binary := filepath.Join(dir, "tallyman-before")
	build := exec.Command("go", "build", "-o", binary, "./cmd/tallyman")
	build.Dir = dir
	for _, cmd := range []*exec.Cmd{tar, build} {
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v: %v\n%s", cmd.Args, err, out)
		}
	}
	return binary
}

// TestWithTheVersionBefore lets a node of the version before and one of this share
// imports to their end, whichever of the two was asked for them, and lets the old
// one start again on tables that the new one has migrated. What comes out is what
// one new node alone makes of it.
func TestWithTheVersionBefore(t *testing.T) {
	before := buildBefore(t)
	now, err := exec.LookPath("tallyman")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	first, second := filepath.Join(dir, "first.csv"), filepath.Join(dir, "second.csv")
	writeCatalog(t, first, catalogen.Config{Rows: 40_000, Seed: 7, Bad: 2})
	writeCatalog(t, second, catalogen.Config{Rows: 40_000, Seed: 7, Changed: 30, Round: 1})
	calm := filepath.Join(dir, "calm")
	mustImport(t, calm, first)
	mustImport(t, calm, second)

	at := sharedStorage(t, filepath.Join(dir, "shared"))
	// The tables are of the version before, until the new node comes.
	together(t, at, before, now, first)
	// They are of this version, and the old node starts on them.
	together(t, at, now, before, second)
	compare(t, withoutHashes(dump(t, calm)), withoutHashes(dumpAt(t, at)))
}

// withoutHashes leaves out of a dump by which hash each item is told: versions may
// hash rows in different ways, and then read the items instead.
func withoutHashes(dump []string) []string {
	hash := regexp.MustCompile(`^(item .* row \d+) hash -?\d+: `)
	for i, line := range dump {
		dump[i] = hash.ReplaceAllString(line, "$1: ")
	}
	return dump
}

// together starts a node that serves and, once it does, another one that works,
// lets them share an import and stops them.
func together(t *testing.T, at config.Storage, server, worker, file string) {
	t.Helper()
	dir := t.TempDir()
	program := func(binary, name string) *built.Program {
		return &built.Program{Binary: binary, Data: filepath.Join(dir, name), Database: at.Database, Files: at.Files}
	}
	s, err := program(server, "server").Serve(t.Context(), "--workers", "1")
	if err != nil {
		t.Fatal(err)
	}
	defer stopped(t, s)
	w, err := program(worker, "worker").Work(t.Context(), "--workers", "1")
	if err != nil {
		t.Fatal(err)
	}
	defer stopped(t, w)
	shareImport(t, s, file, 2)
}

func stopped(t *testing.T, n *built.Server) {
	t.Helper()
	if _, err := n.Stop(); err != nil {
		t.Error(err)
	}
}

// shareImport uploads a file and waits until the import of it is done, by as many
// nodes.
func shareImport(t *testing.T, s *built.Server, file string, nodes int) {
	t.Helper()
	ctx := t.Context()
	imp, err := s.Upload(ctx, file, nil)
	if err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(2 * time.Minute); imp.State != string(store.Done); time.Sleep(50 * time.Millisecond) {
		if err := s.GetJSON(ctx, "/imports/"+imp.ID, &imp); err != nil {
			t.Fatal(err)
		}
		if store.State(imp.State).Ended() && imp.State != string(store.Done) || time.Now().After(deadline) {
			t.Fatalf("the import stands at %+v", imp)
		}
	}
	var batches struct{ Data []struct{ Node string } }
	if err := s.GetJSON(ctx, "/imports/"+imp.ID+"/batches", &batches); err != nil {
		t.Fatal(err)
	}
	by := map[string]int{}
	for _, b := range batches.Data {
		by[b.Node]++
	}
	if len(by) != nodes {
		t.Errorf("%s was done by %v, not by %d nodes", filepath.Base(file), by, nodes)
	}
}
