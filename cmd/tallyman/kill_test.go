package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"tallyman/internal/bench/catalogen"
	"tallyman/internal/catalog"
	"tallyman/internal/ledger"
	"tallyman/internal/store"
)

// killsVariable is the environment variable that says how many kills there are
// at least; without it one import is killed at each of its points.
const killsVariable = "TALLYMAN_KILLS"

// killRows is how many rows the file of the kill test has; fewer under -short,
// which goes with the race detector.
func killRows() int {
	if testing.Short() {
		return 8_000
	}
	return 100_000
}

// Most of the points at which one import is killed lie within a chunk, where
// everything at stake is half done.
const (
	killsInChunks  = 8
	killsPerImport = killsInChunks + 5
)

// killPoints are the points at which one import is killed, in the order of its
// path. Chunk points are at a random passage, so that the import moves on
// between them.
func killPoints(r *rand.Rand, chunks int64) []string {
	inChunk := []string{"chunk-begin", "chunk-write", "chunk-before-commit"}
	points := []string{"slice:1", "slice-commit:1"}
	most := max(1, chunks/(2*killsPerImport))
	for i := range killsInChunks {
		points = append(points, fmt.Sprintf("%s:%d", inChunk[i%len(inChunk)], 1+r.Int64N(most)))
	}
	return append(points, "chunk-after-commit:1", "finish-before-commit:1", "finish-after-commit:1")
}

// TestKilledAnywhere imports a file while its process is killed again and again
// at every step of the path, and compares what comes out with an import that
// nobody disturbed: the catalog, what became of every row, and the counters.
func TestKilledAnywhere(t *testing.T) {
	kills := killCount(t)
	dir := t.TempDir()
	base, file := killFiles(t, dir)
	calm := filepath.Join(dir, "calm")
	mustImport(t, calm, base)
	mustImport(t, calm, file)
	want := dump(t, calm)

	histogram := map[string]int{}
	r := rand.New(rand.NewPCG(1, 2))
	for round := 0; sum(histogram) < kills; round++ {
		data := filepath.Join(dir, fmt.Sprintf("killed-%d", round))
		mustImport(t, data, base)
		killRound(t, data, file, killPoints(r, int64(killRows()/2000)), histogram)
		compare(t, want, dump(t, data))
		if t.Failed() {
			break
		}
		os.RemoveAll(data)
	}
	inChunk := 0
	for _, step := range slices.Sorted(maps.Keys(histogram)) {
		t.Logf("%-22s %3d kills", step, histogram[step])
		if strings.HasPrefix(step, "chunk-") && step != "chunk-after-commit" {
			inChunk += histogram[step]
		}
	}
	if all := sum(histogram); inChunk*100 < all*60 {
		t.Errorf("%d of %d kills within a chunk; at least 60 %% were meant to be", inChunk, all)
	}
}

func killCount(t *testing.T) int {
	text := os.Getenv(killsVariable)
	if text == "" {
		return 1
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		t.Fatalf("%s: %v", killsVariable, err)
	}
	return n
}

func sum(histogram map[string]int) int {
	n := 0
	for _, c := range histogram {
		n += c
	}
	return n
}

// killFiles writes the file whose import is killed, and the one imported before
// it: a quarter of the same catalog, so that rows are created, updated,
// unchanged and failed.
func killFiles(t *testing.T, dir string) (base, file string) {
	t.Helper()
	base, file = filepath.Join(dir, "base.csv"), filepath.Join(dir, "products.csv")
	writeCatalog(t, base, catalogen.Config{Rows: uint64(killRows() / 4), Seed: 7})
	writeCatalog(t, file, catalogen.Config{Rows: uint64(killRows()), Seed: 7, Changed: 30, Round: 1, Bad: 2})
	return base, file
}

func writeCatalog(t *testing.T, path string, c catalogen.Config) {
	t.Helper()
	var buf bytes.Buffer
	if _, err := catalogen.Write(&buf, c, nil); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, buf.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
}

// tallyman prepares a run of the program.
func tallyman(args ...string) *exec.Cmd {
	cmd := exec.Command("tallyman", args...)
	cmd.Env = append(os.Environ(), "TALLYMAN_WORKERS=2")
	return cmd
}

func mustImport(t *testing.T, data, file string) {
	t.Helper()
	out, err := tallyman("import", file, "--data", data, "--quiet").CombinedOutput()
	if code := exitCode(err); code != exitComplete && code != exitErrors {
		t.Fatalf("import: %v\n%s", err, out)
	}
}

func exitCode(err error) int {
	if err == nil {
		return 0
	}
	if e, ok := err.(*exec.ExitError); ok {
		return e.ExitCode()
	}
	return -1
}

// killRound imports a file, kills the process at each of the points, and lets
// it end undisturbed.
func killRound(t *testing.T, data, file string, points []string, histogram map[string]int) {
	t.Helper()
	id := ""
	for _, point := range append(points, "") {
		args := []string{"imports", "resume", id}
		if id == "" {
			args = []string{"import", file}
		}
		cmd := tallyman(append(args, "--data", data, "--quiet")...)
		cmd.Env = append(cmd.Env, killVariable+"="+point)
		out, err := cmd.CombinedOutput()
		step, _, _ := strings.Cut(point, ":")
		switch {
		case wasKilled(err):
			histogram[step]++
		case point != "":
			t.Fatalf("not killed at %s: %v\n%s", point, err, out)
		case exitCode(err) != exitErrors:
			t.Fatalf("the import did not end: %v\n%s", err, out)
		}
		if id == "" {
			id = newestImport(t, data)
		}
	}
}

func wasKilled(err error) bool {
	e, ok := err.(*exec.ExitError)
	if !ok {
		return false
	}
	status, ok := e.Sys().(syscall.WaitStatus)
	return ok && status.Signaled() && status.Signal() == syscall.SIGKILL
}

func newestImport(t *testing.T, data string) string {
	t.Helper()
	out, err := tallyman("imports", "list", "--limit", "1", "--json", "--data", data).Output()
	var list []view
	if err == nil {
		err = json.Unmarshal(out, &list)
	}
	if err != nil || len(list) != 1 {
		t.Fatalf("newest import: %v\n%s", err, out)
	}
	return list[0].ID
}

// dump writes down everything that must be the same however often an import was
// killed: the catalog without ids and times, what became of every row with its
// problems, and the counters.
func dump(t *testing.T, data string) []string {
	t.Helper()
	ctx := context.Background()
	set, err := (&place{Data: data, Workspace: store.DefaultWorkspace}).settings(&program{stderr: os.Stderr})
	if err != nil {
		t.Fatal(err)
	}
	set.log = slog.New(slog.DiscardHandler)
	n, err := openNode(ctx, &program{now: time.Now}, set)
	if err != nil {
		t.Fatal(err)
	}
	defer n.close()
	ws, err := n.workspace(ctx)
	if err != nil {
		t.Fatal(err)
	}
	lines := append(dumpImports(t, n, ws), dumpItems(t, n, ws)...)
	slices.Sort(lines)
	return lines
}

func dumpItems(t *testing.T, n *node, ws store.Workspace) []string {
	t.Helper()
	var lines []string
	f := store.ItemFilter{Kind: catalog.KindProduct}
	for {
		items, err := n.store.Items(context.Background(), ws.WS, f, store.Range{Limit: 1000})
		if err != nil {
			t.Fatal(err)
		}
		for _, it := range items {
			lines = append(lines, fmt.Sprintf("item %q gtin %q version %d import %d row %d hash %d: %s",
				it.SKU, it.GTIN, it.Version, it.ImportNo, it.Row, it.Hash, it.Doc))
			f.AfterID = it.ID
		}
		if len(items) < 1000 {
			return lines
		}
	}
}

func dumpImports(t *testing.T, n *node, ws store.Workspace) []string {
	t.Helper()
	ctx := context.Background()
	imps, _, err := n.imports.Imports(ctx, ws, store.ImportFilter{}, store.Range{})
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	for _, imp := range imps {
		lines = append(lines, fmt.Sprintf("import %d %s rows %d tally %+v", imp.No, imp.State, imp.Rows, imp.Tally))
		var recount catalog.Tally
		err := n.imports.EachRow(ctx, ws, imp.ID, func(e ledger.Entry) error {
			recount.Count(e.Outcome, e.Problems)
			lines = append(lines, fmt.Sprintf("import %d row %d line %d %s %v %v", imp.No, e.Row, e.Line, e.Outcome, e.Ident, e.Problems))
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		if recount != imp.Tally {
			t.Errorf("import %d: the rows add up to %+v, the counters say %+v", imp.No, recount, imp.Tally)
		}
	}
	return lines
}

// compare reports the first lines that differ.
func compare(t *testing.T, want, got []string) {
	t.Helper()
	if len(got) != len(want) {
		t.Errorf("%d lines, undisturbed %d", len(got), len(want))
	}
	shown := 0
	for i := range min(len(want), len(got)) {
		if want[i] != got[i] && shown < 5 {
			shown++
			t.Errorf("killed:      %s\nundisturbed: %s", got[i], want[i])
		}
	}
}
