//go:build !race

package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"tallyman/internal/bench/catalogen"
	"tallyman/internal/config"
	"tallyman/internal/faults"
	"tallyman/internal/store"
)

// soakVariable says how many faults, drawn at random, are tried one after the
// other in place of one of each; seedVariable what they are drawn by.
const (
	soakVariable = "TALLYMAN_SOAK"
	seedVariable = "TALLYMAN_SOAK_SEED"
)

// soak is how faults are tried.
type soak struct {
	rounds int // 0 for one of each fault
	seed   uint64
	rows   int // of the file
	// outage is how long a server is away, and rescueAfter the nodes' setting.
	outage, rescueAfter time.Duration
}

func soakOf(t *testing.T) soak {
	t.Helper()
	rounds := wholeNumber(t, soakVariable, 0)
	if rounds == 0 {
		return soak{seed: 1, rows: 24_000, outage: 2 * time.Second, rescueAfter: 3 * time.Second}
	}
	seed := wholeNumber(t, seedVariable, int(time.Now().UnixNano()%1e9))
	return soak{rounds: rounds, seed: uint64(seed), rows: 100_000, outage: 20 * time.Second, rescueAfter: 6 * time.Second}
}

func wholeNumber(t *testing.T, variable string, otherwise int) int {
	t.Helper()
	text := os.Getenv(variable)
	if text == "" {
		return otherwise
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 0 {
		t.Fatalf("%s=%s: write a whole number", variable, text)
	}
	return n
}

// trial is one import on a cluster, and what is done to it.
type trial struct {
	*cluster
	file string
	rand *rand.Rand
	// outage is how long a server is away.
	outage time.Duration
}

// fault is something that happens to a cluster in the middle of an import.
type fault struct {
	name string
	// alone says that it takes a server away from everybody.
	alone bool
	// strike starts nodes and an import, and does to them what it is named for. It
	// returns the import, which then ends without anybody's help.
	strike func(tr *trial) (id string)
}

// theFaults are all that is done to clusters.
var theFaults = []fault{
	{name: "connections cut", strike: cutConnections},
	{name: "database stalls", strike: stallDatabase},
	{name: "node killed in a chunk", strike: killNode("chunk-write:1")},
	{name: "node killed with a job in hand", strike: killNode("job:1")},
	{name: "slicer killed", strike: killSlicer},
	{name: "node stands still", strike: standingNode},
	{name: "node asked to stop", strike: softStop},
	{name: "database killed", alone: true, strike: killDatabase},
	{name: "file store away", alone: true, strike: filesAway},
}

// TestFaults imports a file on three nodes while something goes wrong, and
// compares what comes out with the same that nobody disturbed, on one node and
// the embedded database: the catalog, what became of every row, and the counters.
func TestFaults(t *testing.T) {
	s := soakOf(t)
	g := newGround(t, s.rows)
	if s.rounds == 0 {
		g.tryEach(t, s)
		return
	}
	t.Logf("%s=%d", seedVariable, s.seed)
	r := rand.New(rand.NewPCG(s.seed, 0))
	for round := range s.rounds {
		f := theFaults[r.IntN(len(theFaults))]
		if !t.Run(fmt.Sprintf("%d %s", round+1, f.name), func(t *testing.T) { g.try(t, f, s, r) }) {
			t.Fatalf("the same again: make soak %s=%d", seedVariable, s.seed)
		}
	}
}

// tryEach tries every fault once: those that concern all nodes one after the
// other, and the others side by side.
func (g *ground) tryEach(t *testing.T, s soak) {
	for _, all := range []bool{true, false} {
		t.Run(map[bool]string{true: "everybody", false: "one node"}[all], func(t *testing.T) {
			for i, f := range theFaults {
				if f.alone != all {
					continue
				}
				t.Run(f.name, func(t *testing.T) {
					if !all {
						t.Parallel()
					}
					g.try(t, f, s, rand.New(rand.NewPCG(s.seed, uint64(i))))
				})
			}
		})
	}
}

// ground is what every trial begins with and is compared with.
type ground struct {
	file string
	// before is a database into which a quarter of the catalog was imported.
	before string
	// calm is the dump of a run that nobody disturbed.
	calm []string
}

func newGround(t *testing.T, rows int) *ground {
	t.Helper()
	standOnServers(t)
	dir := t.TempDir()
	g := &ground{file: filepath.Join(dir, "products.csv"), before: servers.pg.New(t)}
	base := filepath.Join(dir, "base.csv")
	writeCatalog(t, base, catalogen.Config{Rows: uint64(rows / 4), Seed: 7})
	writeCatalog(t, g.file, catalogen.Config{Rows: uint64(rows), Seed: 7, Changed: 30, Round: 1, Bad: 2})
	calm := filepath.Join(dir, "calm")
	mustImport(t, calm, base)
	mustImport(t, calm, g.file)
	g.calm = dump(t, calm)

	at := config.Storage{Data: filepath.Join(dir, "before"), Database: g.before, Files: servers.s3.URL(servers.s3.Bucket(t))}
	out, err := tallyman("import", base, "--data", at.Data, "--database", at.Database, "--files", at.Files, "--quiet").CombinedOutput()
	if err != nil {
		t.Fatalf("import: %v\n%s", err, out)
	}
	return g
}

// try is one trial.
func (g *ground) try(t *testing.T, f fault, s soak, r *rand.Rand) {
	began := time.Now()
	tr := &trial{cluster: newCluster(t, g.before), file: g.file, rand: r, outage: s.outage}
	tr.rescueAfter = s.rescueAfter
	id := f.strike(tr)
	tr.ended(id)
	compare(t, g.calm, tr.dump())
	t.Logf("%s in all", time.Since(began).Round(100*time.Millisecond))
}

// three starts three nodes, those that only work with more in their environment,
// and an import by the first.
func (tr *trial) three(env ...string) (id string) {
	tr.t.Helper()
	serving := tr.begin("serve")
	tr.begin("work", env...)
	tr.begin("work", env...)
	tr.ready(tr.nodes...)
	return tr.mustSend(serving, tr.file)
}

// one waits until there is a node of which something is so.
func (tr *trial) one(what string, is func(m *member) bool) (found *member) {
	tr.t.Helper()
	tr.until("a node "+what, func() bool {
		for _, m := range tr.nodes {
			if is(m) {
				found = m
				return true
			}
		}
		return false
	})
	return found
}

// busy waits until there is a node that works on the import's batches of rows.
func (tr *trial) busy(id string) *member {
	tr.t.Helper()
	return tr.one("is at work", func(m *member) bool { return len(tr.atWork(id, m)) > 0 })
}

// somewhere waits until the import has done some of its batches, and not all.
func (tr *trial) somewhere(id string) {
	tr.t.Helper()
	n := 1 + tr.rand.IntN(3)
	tr.until("some batches are done", func() bool { return tr.doneBatches(id) >= n })
}

// takenOver waits until a node works on none of an import's batches any more,
// because others do or they are done.
func (tr *trial) takenOver(id string, m *member) {
	tr.t.Helper()
	tr.until("others have the batches of "+m.name, func() bool {
		imp, ok := tr.imp(id)
		return ok && (imp.State.Ended() || len(tr.batches(id, applied)) > 0 && len(tr.atWork(id, m)) == 0)
	})
}

// cutConnections cuts all database connections of one node again and again, for as
// long as the import runs and for some seconds at most.
func cutConnections(tr *trial) string {
	id := tr.three()
	victim := tr.busy(id)
	times, conns := 0, 0
	for imp, _ := tr.imp(id); times < 30 && !imp.State.Ended(); imp, _ = tr.imp(id) {
		times++
		conns += victim.db.Cut()
		time.Sleep(time.Duration(20+tr.rand.IntN(200)) * time.Millisecond) // for it to connect again
	}
	if conns == 0 {
		tr.t.Error("no connection was cut")
	}
	tr.t.Logf("cut %d times, %d connections", times, conns)
	return id
}

// stallDatabase has one node's database connections stand still, in the middle of
// a transaction mostly, until others have its batches; then all that it had sent
// arrives.
func stallDatabase(tr *trial) string {
	tr.pace = "chunk-write:100ms"
	id := tr.three()
	victim := tr.busy(id)
	for {
		victim.db.Stall(faults.Both)
		if len(tr.atWork(id, victim)) > 0 {
			break
		}
		victim.db.Heal()
		victim = tr.busy(id)
	}
	began := time.Now()
	tr.takenOver(id, victim)
	tr.t.Logf("others had its batches after %s", time.Since(began).Round(10*time.Millisecond))
	victim.db.Heal()
	return id
}

// killNode returns a fault that kills nodes at a point.
func killNode(point string) func(tr *trial) string {
	return func(tr *trial) string { return tr.killAt(point) }
}

func (tr *trial) killAt(point string) string {
	id := tr.three(killVariable + "=" + point)
	victim := tr.one("is killed", (*member).gone)
	began := time.Now()
	tr.takenOver(id, victim)
	tr.t.Logf("others had its batches after %s (--rescue-after %s)", time.Since(began).Round(10*time.Millisecond), tr.rescueAfter)
	return id
}

// killSlicer kills the node that cuts the file.
func killSlicer(tr *trial) string {
	slicer := tr.begin("serve", killVariable+"=slice:1")
	others := tr.asleep()
	_, _ = tr.send(slicer, tr.file) // it may die before it answers
	tr.until("the slicer is killed", slicer.gone)
	for _, m := range others {
		m.signal(syscall.SIGCONT)
	}
	return tr.newest()
}

// asleep waits for the node that was begun and starts two more, which stand still:
// what is sent now is the first one's.
func (tr *trial) asleep() []*member {
	tr.t.Helper()
	others := []*member{tr.begin("work"), tr.begin("work")}
	tr.ready(tr.nodes...)
	for _, m := range others {
		m.signal(syscall.SIGSTOP)
	}
	return others
}

// newest returns the import that was made last.
func (tr *trial) newest() string {
	tr.t.Helper()
	imps, _, err := tr.sees.imports.Imports(context.Background(), tr.ws, store.ImportFilter{}, store.Range{Limit: 1})
	if err != nil || len(imps) != 1 {
		tr.t.Fatalf("newest import: %v", err)
	}
	return imps[0].ID
}

// standingNode stops a process before a chunk's transaction, for so long that
// others take its batches, and lets it go on: what it does then is refused.
func standingNode(tr *trial) string {
	id := tr.three(stopVariable + "=chunk-begin:1")
	victim := tr.one("stands still", func(m *member) bool { return m.said(sleepy) })
	tr.takenOver(id, victim)
	tr.until("what it did is refused", func() bool {
		for _, m := range tr.nodes {
			m.signal(syscall.SIGCONT)
		}
		return victim.said(store.ErrFenced.Error())
	})
	return id
}

// softStop asks a node to stop. Nobody would miss it for an hour, so its batches
// go on because it gave them back.
func softStop(tr *trial) string {
	tr.rescueAfter = time.Hour
	id := tr.three()
	victim := tr.busy(id)
	began := time.Now()
	victim.signal(syscall.SIGTERM)
	tr.until(victim.name+" has stopped", victim.gone)
	tr.t.Logf("stopped within %s", time.Since(began).Round(10*time.Millisecond))
	if code := victim.cmd.ProcessState.ExitCode(); code != exitComplete {
		tr.t.Errorf("the node that was asked to stop ended with %d", code)
	}
	tr.takenOver(id, victim)
	tr.t.Logf("its batches went on after %s", time.Since(began).Round(10*time.Millisecond))
	tr.ended(id)
	for _, m := range tr.nodes {
		if m.said("stopped beating") {
			tr.t.Errorf("%s took a batch for dead", m.name)
		}
	}
	if n := tr.lostAttempts(); n > 0 {
		tr.t.Errorf("%d jobs lost an attempt", n)
	}
	return id
}

// lostAttempts is how many jobs were begun more than once.
func (tr *trial) lostAttempts() (n int) {
	tr.t.Helper()
	ctx := context.Background()
	conn, err := pgx.Connect(ctx, tr.database)
	if err == nil {
		defer conn.Close(ctx)
		err = conn.QueryRow(ctx, "SELECT count(*) FROM river_job WHERE attempt > 1").Scan(&n)
	}
	if err != nil {
		tr.t.Fatal(err)
	}
	return n
}

// killDatabase kills the database server in the middle of an import, and starts
// it again.
func killDatabase(tr *trial) string {
	id := tr.three()
	tr.somewhere(id)
	if err := servers.pg.Kill(); err != nil {
		tr.t.Fatal(err)
	}
	if err := servers.pg.Restart(); err != nil {
		tr.t.Fatal(err)
	}
	return id
}

// filesAway takes the file store away while the file is cut, and again while its
// batches are worked on.
func filesAway(tr *trial) string {
	serving := tr.begin("serve", stopVariable+"=slice:1")
	others := tr.asleep()
	sent := make(chan error, 1)
	go func() { // it may stand still before it answers
		_, err := tr.send(serving, tr.file)
		sent <- err
	}()
	tr.until("the file is about to be cut", func() bool { return serving.said(sleepy) })
	id := tr.newest()
	tr.withoutFiles(func() {
		for _, m := range append(others, serving) {
			m.signal(syscall.SIGCONT)
		}
	})
	if err := <-sent; err != nil {
		tr.t.Fatal(err)
	}
	tr.somewhere(id)
	tr.withoutFiles(func() {})
	return id
}

// withoutFiles kills the file store, does something, and starts it again when the
// outage is over.
func (tr *trial) withoutFiles(do func()) {
	tr.t.Helper()
	if err := servers.s3.Kill(); err != nil {
		tr.t.Fatal(err)
	}
	do()
	time.Sleep(tr.outage) // an outage is a length of time
	if err := servers.s3.Restart(); err != nil {
		tr.t.Fatal(err)
	}
}
