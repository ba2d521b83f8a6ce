package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"tallyman/internal/config"
	"tallyman/internal/files/s3/s3test"
	"tallyman/internal/store/postgres/pgtest"
)

// The tests of the whole program run on both grounds: on the embedded database
// and folder, and on PostgreSQL and an S3 server. On the second one every data
// folder has a database and a part of a bucket to itself, which its path names,
// so that a test need not know where it stands. These variables hold the two
// servers; a program that is started with them goes there.
const (
	databaseVariable = "TALLYMAN_TEST_POSTGRES" // URL of the server's first database
	filesVariable    = "TALLYMAN_TEST_S3"       // URL of a bucket, as --files takes it
)

// shared is the ground of PostgreSQL and S3.
type shared struct{ database, files string }

// servers are what all tests of the binary share; they are started with the first
// that needs them.
var servers struct {
	once sync.Once
	pg   *pgtest.Server
	s3   *s3test.Server
	err  error
}

// tests are the binary's tests, behind which the servers are stopped.
type tests struct{ *testing.M }

// Run runs them.
func (m tests) Run() int {
	code := m.M.Run()
	var errs []error
	if servers.pg != nil {
		errs = append(errs, servers.pg.Stop())
	}
	if servers.s3 != nil {
		errs = append(errs, servers.s3.Close())
	}
	if err := errors.Join(errs...); err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = max(code, 1)
	}
	return code
}

// sharedGround returns a ground on the two servers.
func sharedGround(t *testing.T) shared {
	t.Helper()
	servers.once.Do(func() {
		// What it has answered must outlive its process, which tests kill.
		opt := pgtest.Options{Settings: []string{"synchronous_commit = on"}}
		if servers.pg, servers.err = pgtest.Start(opt); servers.err == nil {
			servers.s3, servers.err = s3test.Start()
		}
	})
	if servers.err != nil {
		t.Fatal(servers.err)
	}
	return shared{database: servers.pg.URL("postgres"), files: servers.s3.URL(servers.s3.Bucket(t))}
}

// variables is what a program is started with to stand on the ground.
func (g shared) variables() []string {
	return []string{
		databaseVariable + "=" + g.database, filesVariable + "=" + g.files,
		"AWS_ACCESS_KEY_ID=" + s3test.AccessKey, "AWS_SECRET_ACCESS_KEY=" + s3test.SecretKey,
	}
}

// storage is where everything of a data folder is kept.
func (g shared) storage(data string) (config.Storage, error) {
	world, err := worldOf(data)
	if err != nil {
		return config.Storage{}, err
	}
	database, err := makeDatabase(g.database, world)
	if err != nil {
		return config.Storage{}, err
	}
	files, err := below(g.files, world)
	return config.Storage{Data: data, Database: database, Files: files}, err
}

// groundStorage is where a data folder is kept on the ground that the test's
// environment names.
func groundStorage(t *testing.T, data string) config.Storage {
	t.Helper()
	g := shared{database: os.Getenv(databaseVariable), files: os.Getenv(filesVariable)}
	if g.database == "" {
		return config.Storage{Data: data}
	}
	at, err := g.storage(data)
	if err != nil {
		t.Fatal(err)
	}
	return at
}

// sharedStorage is where a data folder would be kept on a ground of the test's
// own, for programs that are told so by their flags.
func sharedStorage(t *testing.T, data string) config.Storage {
	t.Helper()
	g := sharedGround(t)
	t.Setenv("AWS_ACCESS_KEY_ID", s3test.AccessKey)
	t.Setenv("AWS_SECRET_ACCESS_KEY", s3test.SecretKey)
	at, err := g.storage(data)
	if err != nil {
		t.Fatal(err)
	}
	return at
}

// worldOf names what belongs to a data folder.
func worldOf(data string) (string, error) {
	path, err := filepath.Abs(data)
	if err != nil {
		return "", err
	}
	hash := sha256.Sum256([]byte(path))
	return "w" + hex.EncodeToString(hash[:10]), nil
}

// makeDatabase makes a database of the server that first is on, where there is
// none of that name yet, and returns its URL.
func makeDatabase(first, name string) (string, error) {
	u, err := url.Parse(first)
	if err != nil {
		return "", err
	}
	ctx := context.Background()
	conn, err := pgx.Connect(ctx, first)
	if err != nil {
		return "", err
	}
	defer conn.Close(ctx)
	var is bool
	if err := conn.QueryRow(ctx, "SELECT EXISTS (SELECT 1 FROM pg_database WHERE datname = $1)", name).Scan(&is); err != nil {
		return "", err
	}
	if !is {
		_, err := conn.Exec(ctx, "CREATE DATABASE "+name+" TEMPLATE template0")
		var e *pgconn.PgError
		if err != nil && !(errors.As(err, &e) && (e.Code == "42P04" || e.Code == "23505")) { // another process was first
			return "", err
		}
	}
	u.Path = "/" + name
	return u.String(), nil
}

// below is a part of a bucket.
func below(files, part string) (string, error) {
	u, err := url.Parse(files)
	if err != nil {
		return "", err
	}
	u.Path = strings.TrimSuffix(u.Path, "/") + "/" + part
	return u.String(), nil
}

// standOnGround sets, in a program that a test started, the settings of the ground
// for the data folder of its command line.
func standOnGround(args []string) error {
	g := shared{database: os.Getenv(databaseVariable), files: os.Getenv(filesVariable)}
	if g.database == "" {
		return nil
	}
	data := os.Getenv("TALLYMAN_DATA")
	if data == "" {
		data = usualData
	}
	for i, arg := range args {
		if value, ok := strings.CutPrefix(arg, "--data="); ok {
			data = value
		}
		if arg == "--data" && i+1 < len(args) {
			data = args[i+1]
		}
	}
	at, err := g.storage(data)
	if err != nil {
		return fmt.Errorf("stand on the test's ground: %w", err)
	}
	return errors.Join(os.Setenv("TALLYMAN_DATABASE", at.Database), os.Setenv("TALLYMAN_FILES", at.Files))
}
