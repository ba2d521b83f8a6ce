package postgres_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"tallyman/internal/catalog"
	"tallyman/internal/store"
	"tallyman/internal/store/postgres"
	"tallyman/internal/store/postgres/pgtest"
)

// Several nodes may start at once on an empty database.
func TestNodesStartTogether(t *testing.T) {
	url := pgtest.New(t)
	var nodes sync.WaitGroup
	errs := make(chan error, 4)
	for range cap(errs) {
		nodes.Go(func() {
			db, err := postgres.Open(context.Background(), url, postgres.Options{})
			if err == nil {
				err = db.Close()
			}
			errs <- err
		})
	}
	nodes.Wait()
	close(errs)
	for err := range errs {
		if err != nil {
			t.Error(err)
		}
	}
}

func TestAloneIsAlone(t *testing.T) {
	url := pgtest.New(t)
	here, there := open(t, url, postgres.Options{}), open(t, url, postgres.Options{})
	within, release, waited := make(chan struct{}), make(chan struct{}), make(chan error, 2)
	go func() {
		waited <- here.Alone(context.Background(), func(context.Context) error { close(within); <-release; return nil })
	}()
	<-within
	ctx, cancel := context.WithCancel(t.Context())
	gaveUp := make(chan error)
	go func() { gaveUp <- there.Alone(ctx, func(context.Context) error { return nil }) }()
	for waiting := false; !waiting; {
		row := here.Pool().QueryRow(t.Context(), "SELECT EXISTS (SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND NOT granted)")
		if err := row.Scan(&waiting); err != nil {
			t.Fatal(err)
		}
	}
	cancel()
	if err := <-gaveUp; !errors.Is(err, context.Canceled) {
		t.Errorf("beside another: %v", err)
	}
	close(release)
	if err := there.Alone(t.Context(), func(context.Context) error { return nil }); err != nil {
		t.Error(err)
	}
	if err := <-waited; err != nil {
		t.Error(err)
	}
}

// What cannot be opened says where it is and never with which password.
func TestOpenRefuses(t *testing.T) {
	exec := func(url, query string) {
		t.Helper()
		ctx := context.Background() // the test's own ends before its cleanups
		conn, err := pgx.Connect(ctx, url)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close(ctx)
		if _, err := conn.Exec(ctx, query); err != nil {
			t.Fatal(err)
		}
	}
	newer := pgtest.New(t)
	open(t, newer, postgres.Options{})
	exec(newer, "INSERT INTO goose_db_version (version_id, is_applied) VALUES (99, true)")
	if db, err := postgres.Open(t.Context(), newer, postgres.Options{}); err != nil {
		t.Errorf("newer tables that this program may work on: %v", err)
	} else {
		db.Close()
	}
	exec(newer, "UPDATE compatibility SET oldest = 98")
	latin := pgtest.New(t)
	exec(latin, "CREATE DATABASE latin ENCODING 'LATIN1' TEMPLATE template0")
	t.Cleanup(func() { exec(latin, "DROP DATABASE latin WITH (FORCE)") })
	for name, c := range map[string]struct{ url, want string }{
		"no URL":        {"postgres://user:geheim@%zz", "address"},
		"nobody there":  {"postgres://user:geheim@127.0.0.1:1/x", `127.0.0.1:1/x`},
		"newer program": {newer, "version 99"},
		"encoding":      {latin[:strings.LastIndex(latin, "/")] + "/latin?sslmode=disable", "LATIN1"},
	} {
		db, err := postgres.Open(t.Context(), c.url, postgres.Options{})
		if err == nil {
			db.Close()
			t.Errorf("%s: it was opened", name)
			continue
		}
		if !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "geheim") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Two transactions that lock the same items in opposite orders both end: one of
// them is told to try again, or the order of locks kept them apart.
func TestLocksComeInOneOrder(t *testing.T) {
	ctx := context.Background()
	db := open(t, pgtest.New(t), postgres.Options{})
	ws, err := db.CreateWorkspace(ctx, store.Workspace{Name: "w", CreatedAt: time.Now()})
	if err != nil {
		t.Fatal(err)
	}
	var items []catalog.Item
	for _, id := range []string{"a", "b", "c", "d"} {
		items = append(items, catalog.Item{ID: id, Kind: catalog.KindProduct, SKU: id, Doc: "{}", Version: 1, CreatedAt: time.UnixMilli(1), UpdatedAt: time.UnixMilli(1)})
	}
	if err := db.Write(ctx, ws.WS, false, func(tx store.Tx) error { return tx.Insert(ctx, db.Prepare(ws.WS, items)) }); err != nil {
		t.Fatal(err)
	}
	touch := func(ids ...string) error {
		return db.Write(ctx, ws.WS, false, func(tx store.Tx) error {
			var handles []int64
			for _, id := range ids {
				found, err := tx.Find(ctx, catalog.KindProduct, catalog.KeyID, []string{id})
				if err != nil {
					return err
				}
				handles = append(handles, found[0].Handle)
			}
			read, err := tx.Read(ctx, catalog.KindProduct, handles)
			if err != nil {
				return err
			}
			for i := range read {
				read[i].Version++
			}
			return tx.Update(ctx, read)
		})
	}
	const rounds = 20
	errs := make(chan error, 2)
	for _, order := range [][]string{{"a", "b", "c", "d"}, {"d", "c", "b", "a"}} {
		go func() {
			for range rounds {
				if err := touch(order...); err != nil {
					errs <- err
					return
				}
			}
			errs <- nil
		}()
	}
	for range 2 {
		if err := <-errs; err != nil {
			t.Error(err)
		}
	}
	got, err := db.Item(ctx, ws.WS, catalog.KindProduct, catalog.Key{Field: catalog.KeyID, Value: "a"})
	if err != nil || got.Version != 1+2*rounds {
		t.Errorf("version %d, %v", got.Version, err)
	}
}
