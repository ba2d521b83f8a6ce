// Package s3test starts a real server of the S3 protocol for tests: versitygw,
// built once into the user's cache folder, on a folder of its own and a free port
// of this machine. A server can be killed and started again.
//
// What does not belong here: what is tested with it, and anything that the
// program itself uses.
package s3test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"
)

// What every server of this package lets in.
const (
	AccessKey = "tallyman-test"
	SecretKey = "tallyman-test-secret"
)

// startTime is how long a server may take until it answers.
const startTime = 30 * time.Second

// Server is a server that runs, or was killed and can be started again.
type Server struct {
	// Endpoint is its URL, which stays the same when it is started again.
	Endpoint string

	binary  string
	dir     string
	process *process // nil while it is killed
	client  *minio.Client
	buckets atomic.Int64
}

// Run starts a server, gives it to use, runs the tests and returns their exit
// code. The credentials are in the environment for as long, where the store and
// the programs that tests start find them. It is for TestMain:
//
//	func TestMain(m *testing.M) {
//		os.Exit(s3test.Run(m, func(s *s3test.Server) { server = s }))
//	}
func Run(m *testing.M, use func(*Server)) int {
	if err := setEnvironment(); err != nil {
		return failed(err)
	}
	s, err := Start()
	if err != nil {
		return failed(err)
	}
	use(s)
	code := m.Run()
	if err := s.Close(); err != nil {
		return failed(err)
	}
	return code
}

func failed(err error) int {
	fmt.Fprintln(os.Stderr, "s3test:", err)
	return 1
}

func setEnvironment() error {
	for _, name := range []string{"AWS_SESSION_TOKEN", "AWS_PROFILE", "AWS_REGION", "AWS_DEFAULT_REGION", "AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3", "AWS_CA_BUNDLE"} {
		if err := os.Unsetenv(name); err != nil {
			return err
		}
	}
	return errors.Join(os.Setenv("AWS_ACCESS_KEY_ID", AccessKey), os.Setenv("AWS_SECRET_ACCESS_KEY", SecretKey))
}

// Start builds the server where that was not done before, which takes minutes,
// and starts it on an empty folder.
func Start() (*Server, error) {
	binary, err := build()
	if err != nil {
		return nil, err
	}
	dir, err := makeFolder()
	if err != nil {
		return nil, err
	}
	s := &Server{binary: binary, dir: dir}
	if err := s.startAnywhere(); err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	return s, nil
}

// startAnywhere tries several ports: a free one may be taken before the server
// comes to it.
func (s *Server) startAnywhere() error {
	var err error
	for range 5 {
		var address string
		if address, err = freeAddress(); err != nil {
			return err
		}
		s.Endpoint = "http://" + address
		if err = s.Restart(); err == nil {
			return nil
		}
	}
	return err
}

// freeAddress finds a port below those that systems give to outgoing connections,
// so that none of them takes it while the server is killed.
func freeAddress() (string, error) {
	var errs error
	for range 100 {
		address := fmt.Sprintf("127.0.0.1:%d", 10_000+rand.IntN(20_000))
		l, err := net.Listen("tcp", address)
		if err == nil {
			return address, l.Close()
		}
		errs = errors.Join(errs, err)
	}
	return "", fmt.Errorf("find a free port: %w", errs)
}

// Restart starts the server again after Kill, on the folder that it had, and
// waits until it answers.
func (s *Server) Restart() error {
	client, err := minio.New(s.address(), &minio.Options{
		Creds: credentials.NewStaticV4(AccessKey, SecretKey, ""), Region: "us-east-1", MaxRetries: 1,
	})
	if err != nil {
		return err
	}
	s.client = client
	p, err := startProcess(s.binary, s.address(), s.dir)
	if err != nil {
		return err
	}
	if err := s.await(p); err != nil {
		return errors.Join(err, p.kill())
	}
	s.process = p
	return nil
}

// await asks until the server answers, has ended, or took too long.
func (s *Server) await(p *process) error {
	ctx, cancel := context.WithTimeout(context.Background(), startTime)
	defer cancel()
	for {
		_, err := s.client.ListBuckets(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-p.ended:
			return fmt.Errorf("versitygw ended: %s", p.output())
		case <-ctx.Done():
			return fmt.Errorf("versitygw does not answer within %s: %w: %s", startTime, err, p.output())
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// Kill ends the server as kill -9 does, with whatever it is doing.
func (s *Server) Kill() error {
	if s.process == nil {
		return nil
	}
	err := s.process.kill()
	s.process = nil
	return err
}

// Close ends the server and removes its files.
func (s *Server) Close() error { return errors.Join(s.Kill(), os.RemoveAll(s.dir)) }

// Bucket makes an empty bucket and returns its name.
func (s *Server) Bucket(t testing.TB) string {
	t.Helper()
	name := fmt.Sprintf("bucket-%d", s.buckets.Add(1))
	if err := s.client.MakeBucket(t.Context(), name, minio.MakeBucketOptions{}); err != nil {
		t.Fatalf("make bucket: %v", err)
	}
	return name
}

// URL is how the program is told to use a bucket of this server; path may have a
// prefix behind the bucket.
func (s *Server) URL(path string) string {
	return "s3://" + path + "?endpoint=" + s.Endpoint + "&path_style=true"
}

// Uploads returns how many uploads the bucket has that have neither finished nor
// been aborted.
func (s *Server) Uploads(t testing.TB, bucket string) int {
	t.Helper()
	core := minio.Core{Client: s.client}
	page, err := core.ListMultipartUploads(t.Context(), bucket, "", "", "", "", 1000)
	if err != nil {
		t.Fatalf("list uploads: %v", err)
	}
	return len(page.Uploads)
}

func (s *Server) address() string { return strings.TrimPrefix(s.Endpoint, "http://") }

// makeFolder makes a folder for the server's files. The server keeps what belongs
// to an object in extended attributes, which not every file system has.
func makeFolder() (string, error) {
	tried := []string{os.TempDir()}
	if cache, err := os.UserCacheDir(); err == nil {
		tried = append(tried, cache)
	}
	tried = append(tried, "/var/tmp", "/dev/shm")
	for _, parent := range tried {
		dir, err := os.MkdirTemp(parent, "s3test-")
		if err != nil {
			continue
		}
		if hasAttributes(dir) {
			return dir, nil
		}
		os.RemoveAll(dir)
	}
	return "", fmt.Errorf("none of %s has extended attributes of users, which the S3 server of these tests needs; set TMPDIR to a folder on ext4, XFS, btrfs, APFS or a tmpfs of Linux 6.6",
		strings.Join(tried, ", "))
}

func hasAttributes(dir string) bool {
	path := filepath.Join(dir, "probe")
	if os.WriteFile(path, nil, 0o600) != nil {
		return false
	}
	defer os.Remove(path)
	return setAttribute(path, "user.s3test", []byte("1")) == nil
}
