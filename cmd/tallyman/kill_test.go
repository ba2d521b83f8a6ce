//go:build !race

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
	"tallyman/internal/config"
	"tallyman/internal/importer"
	"tallyman/internal/ledger"
	"tallyman/internal/store"
)

// killsVariable is the environment variable that says how many kills there are
// at least; without it each feat is done once and killed at each of its points,
// under -short at a few.
const killsVariable = "TALLYMAN_KILLS"

// killRows is how many rows the files of the kill test have; fewer under -short,
// which goes with the race detector.
func killRows() int {
	if testing.Short() {
		return 8_000
	}
	return 100_000
}

// Most of the points at which one feat is killed lie within a chunk, where
// everything at stake is half done.
const (
	killsInChunks = 8
	killsPerFeat  = killsInChunks + 5
)

// killPoints are the points at which one feat is killed, in the order of its
// path. Chunk points are at a random passage, so that the rows move on between
// them.
func killPoints(r *rand.Rand, chunks int64, sliced bool) []string {
	inChunk := []string{"chunk-begin", "chunk-write", "chunk-before-commit"}
	var points []string
	if sliced {
		points = append(points, "slice:1", "slice-commit:1")
	}
	most := max(1, chunks/(2*killsPerFeat))
	for i := range killsInChunks {
		points = append(points, fmt.Sprintf("%s:%d", inChunk[i%len(inChunk)], 1+r.Int64N(most)))
	}
	return append(points, "chunk-after-commit:1", "finish-before-commit:1", "finish-after-commit:1")
}

// fewPoints keeps one point of each step within a chunk and, another one each
// round, one of the others: starting the program costs most under the race
// detector.
func fewPoints(points []string, round int) []string {
	seen := map[string]bool{}
	var inChunk, other []string
	for _, p := range points {
		step, _, _ := strings.Cut(p, ":")
		switch {
		case !halfDone(step):
			other = append(other, p)
		case !seen[step]:
			seen[step] = true
			inChunk = append(inChunk, p)
		}
	}
	kept := append(inChunk, other[round%len(other)])
	return slices.DeleteFunc(slices.Clone(points), func(p string) bool {
		i := slices.Index(kept, p)
		if i >= 0 {
			kept = slices.Delete(kept, i, i+1)
		}
		return i < 0
	})
}

// halfDone reports whether a chunk is half done at the step.
func halfDone(step string) bool {
	return strings.HasPrefix(step, "chunk-") && step != "chunk-after-commit"
}

// feat is something that a command does to a catalog and that is killed on its
// way.
type feat struct {
	name string
	// prepare brings a data folder to where the feat begins, and returns the
	// command line that begins it. of is the import that it is about; "" for one
	// that the command makes.
	prepare func(t *testing.T, data string) (command []string, of string)
	// ends is its exit code when nobody disturbs it.
	ends int
	// sliced says that it begins with a slice step.
	sliced bool
}

// feats are all that is killed, over these files.
func feats(f killFiles) []feat {
	return []feat{
		{name: "import", ends: exitErrors, sliced: true, prepare: func(t *testing.T, data string) ([]string, string) {
			mustImport(t, data, f.base)
			return []string{"import", f.file}, ""
		}},
		{name: "plan", ends: exitRefused, sliced: true, prepare: func(t *testing.T, data string) ([]string, string) {
			mustImport(t, data, f.base)
			return []string{"plan", f.file}, ""
		}},
		{name: "apply", ends: exitErrors, prepare: func(t *testing.T, data string) ([]string, string) {
			mustImport(t, data, f.base)
			v := run(t, exitRefused, "plan", f.file, "--json", "--quiet", "--data", data)
			return []string{"apply", v.ID, "--fingerprint", v.Fingerprint}, v.ID
		}},
		{name: "undo", ends: exitComplete, sliced: true, prepare: func(t *testing.T, data string) ([]string, string) {
			mustImport(t, data, f.base)
			mustImport(t, data, f.file)
			return []string{"undo", newestImport(t, data)}, ""
		}},
		{name: "retry", ends: exitErrors, sliced: true, prepare: func(t *testing.T, data string) ([]string, string) {
			mustImport(t, data, f.unpriced)
			id := newestImport(t, data)
			run(t, exitComplete, "imports", "fix", id, "--code", "invalid_price", "--column", "price", "--from", "tba", "--to", "9.99", "--json", "--data", data)
			return []string{"imports", "retry", id}, id
		}},
	}
}

// TestKilledAnywhere imports, plans, applies, takes back and retries while the
// process is killed again and again at every step of the path, and compares what
// comes out with the same that nobody disturbed: the catalog, what became of
// every row, and the counters.
func TestKilledAnywhere(t *testing.T) {
	kills := killCount(t)
	dir := t.TempDir()
	all := feats(makeKillFiles(t, dir))
	wants := undisturbed(t, dir, all)
	histogram := map[string]int{}
	r := rand.New(rand.NewPCG(1, 2))
	for round := 0; round < len(all) || sum(histogram) < kills; round++ {
		i := round % len(all)
		data := filepath.Join(dir, fmt.Sprintf("killed-%d", round))
		points := killPoints(r, int64(killRows()/2000), all[i].sliced)
		if testing.Short() {
			points = fewPoints(points, round)
		}
		killRound(t, data, &all[i], points, histogram)
		compare(t, wants[i], dump(t, data))
		if t.Failed() {
			t.Fatalf("after killing %s", all[i].name)
		}
		os.RemoveAll(data)
	}
	inChunk := 0
	for _, step := range slices.Sorted(maps.Keys(histogram)) {
		t.Logf("%-30s %3d kills", step, histogram[step])
		if _, at, _ := strings.Cut(step, " "); halfDone(at) {
			inChunk += histogram[step]
		}
	}
	if all := sum(histogram); inChunk*100 < all*60 {
		t.Errorf("%d of %d kills within a chunk; at least 60 %% were meant to be", inChunk, all)
	}
}

// undisturbed does each feat once and returns what comes out.
func undisturbed(t *testing.T, dir string, all []feat) [][]string {
	t.Helper()
	wants := make([][]string, len(all))
	for i, f := range all {
		calm := filepath.Join(dir, "calm-"+f.name)
		command, _ := f.prepare(t, calm)
		run(t, f.ends, append(command, "--data", calm, "--json", "--quiet")...)
		wants[i] = dump(t, calm)
		os.RemoveAll(calm)
	}
	return wants
}

// TestKilledAnywhereOnPostgresAndS3 kills the program where nobody owns the
// database: what a dead process had in hand is found because it stands still. What
// comes out must be what it is in an embedded database that nobody disturbed.
// Without more kills asked for, two feats are killed at a few of their points.
func TestKilledAnywhereOnPostgresAndS3(t *testing.T) {
	kills := killCount(t)
	dir := t.TempDir()
	all := feats(makeKillFiles(t, dir))
	if kills == 1 {
		all = slices.DeleteFunc(all, func(f feat) bool { return f.name != "import" && f.name != "undo" })
	}
	wants := undisturbed(t, dir, all)
	for _, variable := range append(sharedGround(t).variables(), "TALLYMAN_RESCUE_AFTER=3s") {
		name, value, _ := strings.Cut(variable, "=")
		t.Setenv(name, value)
	}
	r := rand.New(rand.NewPCG(3, 4))
	histogram := map[string]int{}
	for i, f := range all {
		data := filepath.Join(dir, "shared-"+f.name)
		points := killPoints(r, int64(killRows()/2000), f.sliced)
		if kills == 1 {
			points = fewPoints(points, i)
		}
		killRound(t, data, &all[i], points, histogram)
		compare(t, wants[i], dump(t, data))
		if t.Failed() {
			t.Fatalf("after killing %s", f.name)
		}
	}
	t.Logf("%d kills: %v", sum(histogram), histogram)
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

// killFiles are the files that the feats are about.
type killFiles struct {
	// file is what is imported, planned and taken back; base, a quarter of the same
	// catalog, is imported before it, so that rows are created, updated, unchanged
	// and failed.
	base, file string
	// unpriced has a price in every other row that can be fixed, and in some that
	// cannot.
	unpriced string
}

func makeKillFiles(t *testing.T, dir string) killFiles {
	t.Helper()
	f := killFiles{base: filepath.Join(dir, "base.csv"), file: filepath.Join(dir, "products.csv"), unpriced: filepath.Join(dir, "unpriced.csv")}
	writeCatalog(t, f.base, catalogen.Config{Rows: uint64(killRows() / 4), Seed: 7})
	writeCatalog(t, f.file, catalogen.Config{Rows: uint64(killRows()), Seed: 7, Changed: 30, Round: 1, Bad: 2})
	writeUnpriced(t, f.unpriced)
	return f
}

func writeUnpriced(t *testing.T, path string) {
	t.Helper()
	var buf bytes.Buffer
	buf.WriteString("sku,title,price,currency\n")
	for i := range killRows() {
		price := "1.50"
		switch {
		case i%100 == 0:
			price = "never"
		case i%2 == 0:
			price = "tba"
		}
		fmt.Fprintf(&buf, "U-%d,Thing %d,%s,EUR\n", i, i, price)
	}
	if err := os.WriteFile(path, buf.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
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

// run runs the program, expects its exit code, and returns the import that the
// last line of its output is.
func run(t *testing.T, code int, args ...string) view {
	t.Helper()
	out, err := tallyman(args...).Output()
	if got := exitCode(err); got != code {
		t.Fatalf("tallyman %s: exit code %d, not %d\n%s", strings.Join(args, " "), got, code, out)
	}
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	v, err := viewOf([]byte(lines[len(lines)-1]))
	if err != nil {
		t.Fatal(err)
	}
	return v
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

// killRound does a feat, kills the process at each of the points, and lets it end
// undisturbed.
func killRound(t *testing.T, data string, f *feat, points []string, histogram map[string]int) {
	t.Helper()
	args, id := f.prepare(t, data)
	for _, point := range append(points, "") {
		cmd := tallyman(append(args, "--data", data, "--quiet")...)
		cmd.Env = append(cmd.Env, killVariable+"="+point)
		out, err := cmd.CombinedOutput()
		step, _, _ := strings.Cut(point, ":")
		switch {
		case wasKilled(err):
			histogram[f.name+" "+step]++
		case point != "":
			t.Fatalf("%s: not killed at %s: %v\n%s", f.name, point, err, out)
		case exitCode(err) != f.ends:
			t.Fatalf("%s did not end: %v\n%s", f.name, err, out)
		}
		if id == "" {
			id = newestImport(t, data)
		}
		args = []string{"imports", "resume", id}
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
	return dumpAt(t, groundStorage(t, data))
}

func dumpAt(t *testing.T, at config.Storage) []string {
	t.Helper()
	ctx := context.Background()
	set, err := (&place{Storage: at, Workspace: store.DefaultWorkspace}).settings(&program{stderr: os.Stderr})
	if err != nil {
		t.Fatal(err)
	}
	set.log = slog.New(slog.DiscardHandler)
	n, err := openNode(ctx, &program{now: time.Now}, set, store.MigrateAlways)
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
	for i := range imps {
		imp := &imps[i]
		lines = append(lines, fmt.Sprintf("import %d %s rows %d tally %+v plan %+v", imp.No, imp.State, imp.Rows, imp.Tally, imp.Plan))
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
		if imp.Plan.Rows() > 0 {
			lines = append(lines, dumpPlan(t, n, ws, imp)...)
		}
	}
	return lines
}

// dumpPlan writes down what a plan shows.
func dumpPlan(t *testing.T, n *node, ws store.Workspace, imp *store.Import) []string {
	t.Helper()
	ctx := context.Background()
	var lines []string
	err := n.imports.EachChange(ctx, ws, imp.ID, importer.ChangeFilter{Plan: true}, func(c importer.RowChange) error {
		lines = append(lines, fmt.Sprintf("plan of import %d row %d %s %s %s: %v", imp.No, c.Row, c.Outcome, c.SKU, c.GTIN, c.Fields))
		return nil
	})
	if err == nil {
		err = n.imports.EachProblem(ctx, ws, imp.ID, importer.ProblemFilter{Plan: true, Severities: ledger.ErrorsAndWarnings}, func(p importer.RowProblem) error {
			lines = append(lines, fmt.Sprintf("plan of import %d row %d: %v", imp.No, p.Row, p.Problem))
			return nil
		})
	}
	if err != nil {
		t.Fatal(err)
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
