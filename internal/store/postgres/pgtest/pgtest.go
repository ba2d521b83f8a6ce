// Package pgtest runs a PostgreSQL server of the test binary's own: in a
// temporary folder, on a free port of the loopback interface, with a new database
// for each test, and stopped at the end. A server can be killed and started again.
//
// It is for tests alone, of whatever needs PostgreSQL. What does not belong here:
// anything about what is in the databases.
package pgtest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/jackc/pgx/v5"
)

// Server is a server that runs, or was killed and can be started again.
type Server struct {
	bin, dir string
	port     int
	process  *process     // nil while it is killed
	made     atomic.Int64 // databases
}

// Options set a server.
type Options struct {
	// Durable keeps fsync on, for tests that kill the server or measure it.
	Durable bool
	// Settings are more lines of postgresql.conf.
	Settings []string
}

// Fast is what a test wants that does not test durability.
var fast = []string{"fsync = off", "full_page_writes = off", "synchronous_commit = off"}

var shared struct {
	once   sync.Once
	server *Server
	err    error
}

// Main runs a test binary's tests and stops the server, if one was started. Use
// it as the last line of TestMain: os.Exit(pgtest.Main(m)).
func Main(m *testing.M) int {
	code := m.Run()
	if shared.server != nil {
		if err := shared.server.Stop(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = max(code, 1)
		}
	}
	return code
}

// New returns the URL of a new, empty database of the binary's server, which is
// started with the first. The test fails where there is no PostgreSQL. The binary
// must run Main.
func New(t testing.TB) string {
	t.Helper()
	shared.once.Do(func() { shared.server, shared.err = Start(Options{}) })
	if shared.err != nil {
		t.Fatal(shared.err)
	}
	return shared.server.New(t)
}

// Copy returns the URL of a new database of the binary's server with all that
// another one has, to which nobody may be connected. It is much quicker than to make
// the same again.
func Copy(t testing.TB, of string) string {
	t.Helper()
	return shared.server.copyOf(t, of)
}

// New returns the URL of a new, empty database.
func (s *Server) New(t testing.TB) string {
	t.Helper()
	return s.create(t, "template0")
}

// Copy returns the URL of a new database with all that another one of the server
// has, to which nobody may be connected.
func (s *Server) Copy(t testing.TB, of string) string {
	t.Helper()
	made := s.copyOf(t, of)
	// A copied sequence hands out numbers that it takes for logged, and would again
	// after a crash, until there was a checkpoint.
	if err := s.admin(t.Context(), "CHECKPOINT"); err != nil {
		t.Fatal(err)
	}
	return made
}

func (s *Server) copyOf(t testing.TB, of string) string {
	t.Helper()
	u, err := url.Parse(of)
	if err != nil {
		t.Fatal(err)
	}
	return s.create(t, strings.TrimPrefix(u.Path, "/"))
}

func (s *Server) create(t testing.TB, template string) string {
	t.Helper()
	name := fmt.Sprintf("test_%d", s.made.Add(1))
	if err := s.admin(t.Context(), "CREATE DATABASE "+name+" TEMPLATE "+template); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.admin(context.Background(), "DROP DATABASE "+name+" WITH (FORCE)"); err != nil {
			t.Error(err)
		}
	})
	return s.URL(name)
}

// URL is the address of a database of the server.
func (s *Server) URL(database string) string {
	u := url.URL{Scheme: "postgres", User: url.User(superuser), Host: net.JoinHostPort("127.0.0.1", strconv.Itoa(s.port)), Path: "/" + database, RawQuery: "sslmode=disable"}
	return u.String()
}

func (s *Server) admin(ctx context.Context, query string) error {
	conn, err := pgx.Connect(ctx, s.URL("postgres"))
	if err != nil {
		return fmt.Errorf("test server: %w", err)
	}
	defer conn.Close(ctx)
	if _, err := conn.Exec(ctx, query); err != nil {
		return fmt.Errorf("test server: %s: %w", query, err)
	}
	return nil
}

// superuser owns everything on the server; whoever reaches its port is let in.
const superuser = "tallyman"

// Start starts a server; Stop must be called.
func Start(opt Options) (*Server, error) {
	s, err := start(opt)
	if err != nil {
		return nil, fmt.Errorf("start PostgreSQL for the tests: %w", err)
	}
	return s, nil
}

func start(opt Options) (_ *Server, err error) {
	bin, err := binaries()
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "tallyman-pg-")
	if err != nil {
		return nil, err
	}
	s := &Server{bin: bin, dir: dir}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.Stop())
		}
	}()
	if err := give(dir); err != nil {
		return nil, err
	}
	initdb := exec.Command(filepath.Join(bin, "initdb"), "-D", s.data(), "-U", superuser, "--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync", "--no-instructions")
	initdb.Dir = dir
	unprivileged(initdb)
	if out, err := initdb.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("initdb: %w\n%s", err, out)
	}
	if s.port, err = freePort(); err != nil {
		return nil, err
	}
	if err := s.configure(opt); err != nil {
		return nil, err
	}
	return s, s.run()
}

func (s *Server) data() string { return filepath.Join(s.dir, "data") }

func (s *Server) configure(opt Options) error {
	lines := []string{
		"listen_addresses = '127.0.0.1'", "port = " + strconv.Itoa(s.port), "unix_socket_directories = ''",
		"max_connections = 200", "shared_buffers = 256MB", "max_wal_size = 4GB",
	}
	if !opt.Durable {
		lines = append(lines, fast...)
	}
	var b bytes.Buffer
	for _, l := range append(lines, opt.Settings...) {
		b.WriteString(l + "\n")
	}
	f, err := os.OpenFile(filepath.Join(s.data(), "postgresql.conf"), os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = f.Write(b.Bytes())
	return errors.Join(err, f.Close())
}

// Stop stops the server, where it runs, and removes what it wrote.
func (s *Server) Stop() error {
	if err := errors.Join(s.end(os.Interrupt), os.RemoveAll(s.dir)); err != nil { // a fast shutdown
		return fmt.Errorf("stop PostgreSQL of the tests: %w", err)
	}
	return nil
}

// BinEnv names the variable that says where PostgreSQL's programs are.
const BinEnv = "TALLYMAN_TEST_PGBIN"

// binaries finds the folder of PostgreSQL's programs: the one that BinEnv names,
// that of the path, or the newest where Debian's packages put them.
func binaries() (string, error) {
	folders := []string{os.Getenv(BinEnv)}
	if found, err := exec.LookPath("initdb"); err == nil {
		folders = append(folders, filepath.Dir(found))
	}
	packaged, _ := filepath.Glob("/usr/lib/postgresql/*/bin")
	slices.Reverse(packaged)
	for _, dir := range append(folders, packaged...) {
		if _, err := os.Stat(filepath.Join(dir, "initdb")); dir != "" && err == nil {
			return dir, nil
		}
	}
	return "", fmt.Errorf("PostgreSQL's server programs are not installed, and these tests need them; install the package postgresql (14 or newer), or set %s to the folder that has initdb and postgres", BinEnv)
}

// freePort finds a port below those that systems give to outgoing connections, so
// that none of them takes it while the server is killed.
func freePort() (int, error) {
	var errs error
	for range 100 {
		port := 10_000 + rand.IntN(20_000)
		l, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
		if err == nil {
			return port, l.Close()
		}
		errs = errors.Join(errs, err)
	}
	return 0, fmt.Errorf("find a free port: %w", errs)
}
