package move_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"tallyman/internal/files"
	"tallyman/internal/files/disk"
	"tallyman/internal/files/marker"
	"tallyman/internal/files/s3"
	"tallyman/internal/files/s3/s3test"
	"tallyman/internal/move"
	"tallyman/internal/store"
	"tallyman/internal/store/postgres"
	"tallyman/internal/store/postgres/pgtest"
	"tallyman/internal/store/sqlite"
	"tallyman/internal/store/storetest"
)

var servers struct {
	pg *pgtest.Server
	s3 *s3test.Server
}

func TestMain(m *testing.M) {
	var err error
	if servers.pg, err = pgtest.Start(pgtest.Options{}); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	code := s3test.Run(m, func(s *s3test.Server) { servers.s3 = s })
	if err := servers.pg.Stop(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = max(code, 1)
	}
	os.Exit(code)
}

// folder is a place of the embedded kind, with a job table in the place of an
// engine.
func folder(t *testing.T) move.Place {
	t.Helper()
	dir := t.TempDir()
	db, err := sqlite.Open(t.Context(), filepath.Join(dir, "t.db"), sqlite.Options{})
	must(t, err)
	t.Cleanup(func() { db.Close() })
	st, err := disk.Open(filepath.Join(dir, "files"), disk.Options{})
	must(t, err)
	t.Cleanup(func() { st.Close() })
	bindJobs(t, db)
	return move.Place{Store: db, Files: st}
}

// shared is a place on PostgreSQL and S3.
func shared(t *testing.T) move.Place {
	t.Helper()
	db, err := postgres.Open(t.Context(), servers.pg.New(t), postgres.Options{Unfinished: true})
	must(t, err)
	t.Cleanup(func() { db.Close() })
	cfg, err := s3.ParseURL(servers.s3.URL(servers.s3.Bucket(t)))
	must(t, err)
	st, err := s3.Open(t.Context(), cfg, s3.Options{})
	must(t, err)
	t.Cleanup(func() { st.Close() })
	return move.Place{Store: db, Files: st}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// contents are files with what is hard about them: none, nothing in it, more than
// one part of a bucket's uploads.
var contents = map[string][]byte{
	"w1/uploads/01A":              []byte("sku,title\nA,One\n"),
	"w1/uploads/01B":              {},
	"w1/imports/imp_1/duplicates": bytes.Repeat([]byte("0123456789abcdef"), 700_000),
	"w2/uploads/01C":              []byte("another workspace's"),
}

func put(t *testing.T, s files.Store, key string, content []byte) {
	t.Helper()
	w, err := s.Create(t.Context(), key)
	must(t, err)
	defer w.Abort()
	_, err = w.Write(content)
	must(t, err)
	_, err = w.Commit(t.Context())
	must(t, err)
}

// all are a store's files but its marker by what they hash to.
func all(t *testing.T, s files.Store) map[string][sha256.Size]byte {
	t.Helper()
	got := map[string][sha256.Size]byte{}
	must(t, s.List(t.Context(), "", func(f files.Info) error {
		if f.Key == marker.Key {
			return nil
		}
		r, err := s.Open(t.Context(), f.Key)
		if err != nil {
			return err
		}
		defer r.Close()
		content := make([]byte, r.Size())
		if len(content) > 0 {
			_, err = r.ReadAt(content, 0)
		}
		got[f.Key] = sha256.Sum256(content)
		return err
	}))
	return got
}

// wanted are contents as all has them.
func wanted() map[string][sha256.Size]byte {
	want := map[string][sha256.Size]byte{}
	for key, content := range contents {
		want[key] = sha256.Sum256(content)
	}
	return want
}

// filled is a folder with everything in it.
func filled(t *testing.T) move.Place {
	t.Helper()
	p := folder(t)
	storetest.Fill(t, p.Store)
	for key, content := range contents {
		put(t, p.Files, key, content)
	}
	return p
}

func same(t *testing.T, what string, got, want any) {
	t.Helper()
	if d := cmp.Diff(want, got); d != "" {
		t.Fatalf("%s differs (-want +got):\n%s", what, d)
	}
}

func TestThereAndBack(t *testing.T) {
	from, there, back := filled(t), shared(t), folder(t)
	want := storetest.Digest(t, from.Store)
	for _, leg := range []struct {
		name     string
		from, to move.Place
	}{{"there", from, there}, {"back", there, back}} {
		var steps []move.Step
		report, err := move.Run(t.Context(), leg.from, leg.to, move.Options{Progress: func(p move.Progress) {
			if !slices.Contains(steps, p.Step) {
				steps = append(steps, p.Step)
			}
		}})
		must(t, err)
		same(t, leg.name+": dump", storetest.Digest(t, leg.to.Store), want)
		same(t, leg.name+": files", all(t, leg.to.Files), wanted())
		same(t, leg.name+": steps", steps, []move.Step{move.StepFiles, move.StepRecords, move.StepCheck})
		sum := int64(0)
		for _, n := range report.Records {
			sum += n
		}
		same(t, leg.name+": records counted", sum, int64(len(want)))
		same(t, leg.name+": files copied", [2]int64{report.Files, report.Copied}, [2]int64{4, 4})
	}
}

func TestFilesThatAreThereStay(t *testing.T) {
	from, to := filled(t), folder(t)
	put(t, to.Files, "w1/uploads/01A", contents["w1/uploads/01A"])
	put(t, to.Files, "w2/uploads/01C", []byte("ANOTHER WORKSPACE'S")) // of the same size
	report, err := move.Run(t.Context(), from, to, move.Options{})
	must(t, err)
	same(t, "files", all(t, to.Files), wanted())
	same(t, "files copied", report.Copied, int64(3))
}

func TestFilesOfOthersAreRefused(t *testing.T) {
	from, to := filled(t), folder(t)
	put(t, to.Files, "w9/uploads/01Z", []byte("somebody else's"))
	_, err := move.Run(t.Context(), from, to, move.Options{})
	if !errors.Is(err, move.ErrInUse) || !strings.Contains(err.Error(), "w9/uploads/01Z") {
		t.Fatalf("moved beside the files of others: %v", err)
	}
	same(t, "files", len(all(t, to.Files)), 1)
	_, err = move.Run(t.Context(), from, to, move.Options{Restart: true})
	must(t, err)
}

// belongs is the installation of a place's database, which its files must be
// marked with.
func belongs(t *testing.T, p move.Place) string {
	t.Helper()
	id, err := p.Store.Installation(t.Context())
	must(t, err)
	owner, err := marker.Owner(t.Context(), p.Files)
	must(t, err)
	same(t, "the files' owner", owner, id)
	return id
}

// The new place is the installation that the old one was, whether its files were
// marked for the database that is replaced or not at all.
func TestAnInstallationMoves(t *testing.T) {
	for name, mark := range map[string]func(t *testing.T, from, to move.Place) string{
		"nobody's": func(*testing.T, move.Place, move.Place) string { return "" },
		"the new database's": func(t *testing.T, _, to move.Place) string {
			id, err := to.Store.Installation(t.Context())
			must(t, err)
			return id
		},
		"the old database's": func(t *testing.T, from, _ move.Place) string {
			id, err := from.Store.Installation(t.Context())
			must(t, err)
			return id
		},
	} {
		t.Run(name, func(t *testing.T) {
			from, to := filled(t), folder(t)
			if id := mark(t, from, to); id != "" {
				must(t, marker.Claim(t.Context(), to.Files, id))
			}
			before, err := from.Store.Installation(t.Context())
			must(t, err)
			must(t, marker.Claim(t.Context(), from.Files, before))
			report, err := move.Run(t.Context(), from, to, move.Options{})
			must(t, err)
			same(t, "installation", belongs(t, to), before)
			same(t, "files copied", report.Copied, int64(4))
		})
	}
}

// Files of another database are neither moved to nor moved away.
func TestFilesOfAnotherDatabaseAreRefused(t *testing.T) {
	other := strings.Repeat("ab", 16)
	from, to := filled(t), folder(t)
	must(t, marker.Claim(t.Context(), to.Files, other))
	for _, restart := range []bool{false, true} {
		for _, target := range []move.Place{to, {Files: to.Files}} {
			if restart && target.Store == nil {
				continue
			}
			_, err := move.Run(t.Context(), from, target, move.Options{Restart: restart})
			if !errors.Is(err, move.ErrInUse) || !strings.Contains(err.Error(), other) {
				t.Errorf("moved to the files of another database: %v", err)
			}
		}
	}
	owner, err := marker.Owner(t.Context(), to.Files)
	must(t, err)
	same(t, "the files' owner", owner, other)
	same(t, "files", len(all(t, to.Files)), 0)

	from, to = filled(t), folder(t)
	must(t, marker.Claim(t.Context(), from.Files, other))
	if _, err := move.Run(t.Context(), from, to, move.Options{}); err == nil || !strings.Contains(err.Error(), other) {
		t.Errorf("moved files of another database away: %v", err)
	}
}

func TestOnlyFilesMove(t *testing.T) {
	from, to := filled(t), folder(t)
	report, err := move.Run(t.Context(), from, move.Place{Files: to.Files}, move.Options{})
	must(t, err)
	same(t, "files", all(t, to.Files), wanted())
	same(t, "records", report.Records, map[string]int64(nil))
}

// breaking is a store whose dump breaks off near its end.
type breaking struct{ store.Store }

var errBroken = errors.New("broken off")

func (b breaking) Dump(ctx context.Context, fn func(store.Record) error) error {
	return b.Store.Dump(ctx, func(r store.Record) error {
		if r.Item != nil {
			return errBroken
		}
		return fn(r)
	})
}

func TestABrokenMoveStartsOver(t *testing.T) {
	from, to := filled(t), folder(t)
	_, err := move.Run(t.Context(), move.Place{Store: breaking{from.Store}, Files: from.Files}, to, move.Options{})
	if !errors.Is(err, errBroken) {
		t.Fatal(err)
	}
	if _, err = move.Run(t.Context(), from, to, move.Options{}); !errors.Is(err, store.ErrUnfinished) {
		t.Fatalf("moved into a half-filled database: %v", err)
	}
	report, err := move.Run(t.Context(), from, to, move.Options{Restart: true})
	must(t, err)
	same(t, "files copied again", report.Copied, int64(0))
	same(t, "dump", storetest.Digest(t, to.Store), storetest.Digest(t, from.Store))
}

// A move that was killed before it could say that it had come to its end is at
// its end when it comes again.
func TestAMoveThatWasMadeIsMade(t *testing.T) {
	from, to := filled(t), folder(t)
	for _, again := range []bool{false, true} {
		report, err := move.Run(t.Context(), from, to, move.Options{})
		must(t, err)
		same(t, "there already", report.There, again)
	}
}

func TestADatabaseInUseIsRefused(t *testing.T) {
	for name, use := range map[string]func(*testing.T, store.Store) error{
		"records": func(t *testing.T, s store.Store) error {
			storetest.Fill(t, s)
			_, err := s.CreateWorkspace(t.Context(), store.Workspace{Name: "theirs", CreatedAt: time.UnixMilli(1)})
			return err
		},
		"a node": func(t *testing.T, s store.Store) error {
			return s.BeatNode(t.Context(), store.Node{Name: "n", StartedAt: time.Now(), Beat: time.Now()})
		},
	} {
		t.Run(name, func(t *testing.T) {
			from, to := filled(t), folder(t)
			must(t, use(t, to.Store))
			before := storetest.Digest(t, to.Store)
			if _, err := move.Run(t.Context(), from, to, move.Options{}); !errors.Is(err, move.ErrInUse) {
				t.Errorf("moved: %v", err)
			}
			same(t, "dump", storetest.Digest(t, to.Store), before)
			same(t, "files", len(all(t, to.Files)), 0)
		})
	}
}

// losing is a store that loses the last record that it is filled with.
type losing struct{ store.Store }

func (l losing) Restore(ctx context.Context, next func() (store.Record, error)) error {
	last, err := next()
	if err != nil {
		return err
	}
	return l.Store.Restore(ctx, func() (store.Record, error) {
		r, err := next()
		r, last = last, r
		return r, err
	})
}

func TestALossIsNoticed(t *testing.T) {
	from, to := filled(t), folder(t)
	_, err := move.Run(t.Context(), from, move.Place{Store: losing{to.Store}, Files: to.Files}, move.Options{})
	if !errors.Is(err, move.ErrDiffers) || !strings.Contains(err.Error(), "2 of 3 workspace records arrived") {
		t.Errorf("lost a record: %v", err)
	}
}

// What the first start of a node makes is not in the way.
func TestAFreshDatabaseIsFilled(t *testing.T) {
	from, to := filled(t), shared(t)
	ws, err := to.Store.CreateWorkspace(t.Context(), store.Workspace{Name: store.DefaultWorkspace, CreatedAt: time.UnixMilli(1)})
	must(t, err)
	must(t, to.Store.AppendAudit(t.Context(), ws.WS, &store.AuditEntry{At: time.UnixMilli(1), Action: "workspace.create"}))
	_, err = move.Run(t.Context(), from, to, move.Options{})
	must(t, err)
	same(t, "dump", storetest.Digest(t, to.Store), storetest.Digest(t, from.Store))
}

func TestDamagedUploadsAreNamed(t *testing.T) {
	from, to := folder(t), folder(t)
	ws, err := from.Store.CreateWorkspace(t.Context(), store.Workspace{Name: "w", CreatedAt: time.UnixMilli(1)})
	must(t, err)
	put(t, from.Files, "w1/uploads/bad", []byte("rotten"))
	must(t, from.Store.Write(t.Context(), ws.WS, true, func(tx store.Tx) error {
		return tx.InsertImport(t.Context(), &store.Import{ID: "imp_1", State: store.Done, FileKey: "w1/uploads/bad", SHA256: "another", CreatedAt: time.UnixMilli(1), UpdatedAt: time.UnixMilli(1)})
	}))
	report, err := move.Run(t.Context(), from, to, move.Options{})
	must(t, err)
	same(t, "damaged", report.Damaged, []string{"w1/uploads/bad"})
}

// bindJobs gives a store what its transactions enqueue with: a table.
func bindJobs(t *testing.T, db *sqlite.DB) {
	t.Helper()
	_, err := db.Writer().ExecContext(t.Context(), "CREATE TABLE test_job (id INTEGER PRIMARY KEY, import_no INTEGER)")
	must(t, err)
	db.BindEnqueue(func(ctx context.Context, tx *sql.Tx, j store.Job) (id int64, err error) {
		err = tx.QueryRowContext(ctx, "INSERT INTO test_job (import_no) VALUES (?) RETURNING id", j.Batch.ImportNo).Scan(&id)
		return id, err
	})
}
