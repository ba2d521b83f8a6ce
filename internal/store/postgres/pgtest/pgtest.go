// Package pgtest runs a PostgreSQL server of the test binary's own: in a
// temporary folder, on a free port of the loopback interface, with a new database
// for each test, and stopped at the end.
//
// It is for tests alone, of whatever needs PostgreSQL. What does not belong here:
// anything about what is in the databases.
package pgtest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// Server is a running server.
type Server struct {
	dir      string
	port     int
	postgres *exec.Cmd
	log      *os.File
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

// New returns the URL of a new, empty database.
func (s *Server) New(t testing.TB) string {
	t.Helper()
	name := fmt.Sprintf("test_%d", s.made.Add(1))
	if err := s.admin(t.Context(), "CREATE DATABASE "+name+" TEMPLATE template0"); err != nil {
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
	s := &Server{dir: dir}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.Stop())
		}
	}()
	if err := give(dir); err != nil {
		return nil, err
	}
	data := filepath.Join(dir, "data")
	initdb := exec.Command(filepath.Join(bin, "initdb"), "-D", data, "-U", superuser, "--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync", "--no-instructions")
	initdb.Dir = dir
	unprivileged(initdb)
	if out, err := initdb.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("initdb: %w\n%s", err, out)
	}
	if s.port, err = freePort(); err != nil {
		return nil, err
	}
	if err := s.configure(data, opt); err != nil {
		return nil, err
	}
	return s, s.run(bin, data)
}

func (s *Server) configure(data string, opt Options) error {
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
	f, err := os.OpenFile(filepath.Join(data, "postgresql.conf"), os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = f.Write(b.Bytes())
	return errors.Join(err, f.Close())
}

// run starts the server and waits until it answers.
func (s *Server) run(bin, data string) (err error) {
	if s.log, err = os.Create(filepath.Join(s.dir, "log")); err != nil {
		return err
	}
	s.postgres = exec.Command(filepath.Join(bin, "postgres"), "-D", data)
	s.postgres.Dir, s.postgres.Stdout, s.postgres.Stderr = s.dir, s.log, s.log
	unprivileged(s.postgres)
	if err := s.postgres.Start(); err != nil {
		return err
	}
	for patience := time.Now().Add(time.Minute); ; {
		err := s.admin(context.Background(), "SELECT 1")
		if err == nil {
			return nil
		}
		if time.Now().After(patience) {
			said, _ := os.ReadFile(s.log.Name())
			return fmt.Errorf("%w\n%s", err, said)
		}
		time.Sleep(20 * time.Millisecond) // it says nothing when it is ready
	}
}

// Stop stops the server and removes what it wrote.
func (s *Server) Stop() error {
	var err error
	if s.postgres != nil && s.postgres.Process != nil {
		err = s.postgres.Process.Signal(os.Interrupt) // a fast shutdown
		if err == nil {
			err = s.postgres.Wait()
		}
	}
	if s.log != nil {
		err = errors.Join(err, s.log.Close())
	}
	if err := errors.Join(err, os.RemoveAll(s.dir)); err != nil {
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

func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port, nil
}
