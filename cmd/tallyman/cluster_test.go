//go:build !race

package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"tallyman/internal/config"
	"tallyman/internal/faults"
	"tallyman/internal/files/s3/s3test"
	"tallyman/internal/ledger"
	"tallyman/internal/store"
)

// patience bounds what a test waits for. Nothing is right or wrong for the time
// it took, but what never comes must not be waited for.
const patience = 2 * time.Minute

// cluster is some nodes of the program on one database and one bucket, each with
// a proxy before both of them.
type cluster struct {
	t   *testing.T
	dir string
	// database and bucket are the servers' own addresses, with no proxy before them.
	database, bucket string
	// rescueAfter is the nodes' --rescue-after; pace their paceVariable.
	rescueAfter time.Duration
	pace        string
	nodes       []*member
	// sees looks at the database and the bucket from beside the nodes.
	sees *node
	ws   store.Workspace
}

// standOnServers starts the servers, and lets in whoever is in this process or
// started by it.
func standOnServers(t *testing.T) {
	t.Helper()
	sharedGround(t)
	if err := errors.Join(os.Setenv("AWS_ACCESS_KEY_ID", s3test.AccessKey), os.Setenv("AWS_SECRET_ACCESS_KEY", s3test.SecretKey)); err != nil {
		t.Fatal(err)
	}
}

// newCluster returns a cluster without nodes on a copy of a database; "" for an
// empty one.
func newCluster(t *testing.T, template string) *cluster {
	t.Helper()
	standOnServers(t)
	c := &cluster{t: t, dir: t.TempDir(), bucket: servers.s3.Bucket(t), rescueAfter: 3 * time.Second, pace: "chunk-begin:100ms"}
	if template == "" {
		c.database = servers.pg.New(t)
	} else {
		c.database = servers.pg.Copy(t, template)
	}
	c.look()
	t.Cleanup(c.close)
	return c
}

// place is where everything is kept, for what looks at it from beside the nodes.
func (c *cluster) place(data string) config.Storage {
	return config.Storage{Data: filepath.Join(c.dir, data), Database: c.database, Files: servers.s3.URL(c.bucket)}
}

func (c *cluster) look() {
	c.t.Helper()
	p := &program{stderr: os.Stderr, now: time.Now}
	at := &place{Workspace: store.DefaultWorkspace, Storage: c.place("sees")}
	set, err := at.settings(p)
	if err != nil {
		c.t.Fatal(err)
	}
	set.log = slog.New(slog.DiscardHandler)
	if c.sees, err = openNode(context.Background(), p, set, store.MigrateAlways); err != nil {
		c.t.Fatal(err)
	}
	if c.ws, err = c.sees.workspace(context.Background()); err != nil {
		c.t.Fatal(err)
	}
}

// close ends every node as kill -9 does, and shows what those of a failed test
// said.
func (c *cluster) close() {
	for _, m := range c.nodes {
		m.signal(syscall.SIGKILL)
		<-m.ended
		if err := errors.Join(m.db.Close(), m.files.Close()); err != nil {
			c.t.Error(err)
		}
	}
	if err := c.sees.close(); err != nil {
		c.t.Error(err)
	}
	if c.t.Failed() {
		for _, m := range c.nodes {
			c.t.Logf("%s said:\n%s", m.name, m.complaints())
		}
	}
}

// member is one node of a cluster, a process of its own.
type member struct {
	name      string
	serves    bool
	data      folder
	db, files *faults.Proxy
	log       string
	cmd       *exec.Cmd
	ended     chan struct{}
}

// begin starts a node, serve or work, with more variables in its environment; see
// ready.
func (c *cluster) begin(command string, env ...string) *member {
	c.t.Helper()
	name := fmt.Sprintf("%s-%d", command, len(c.nodes)+1)
	m := &member{name: name, serves: command == "serve", data: folder(filepath.Join(c.dir, name)), log: filepath.Join(c.dir, name+".log"), ended: make(chan struct{})}
	database, dbProxy := c.behindProxy(c.database)
	endpoint, filesProxy := c.behindProxy(servers.s3.Endpoint)
	m.db, m.files = dbProxy, filesProxy
	bucket := strings.Replace(servers.s3.URL(c.bucket), servers.s3.Endpoint, endpoint, 1)
	m.cmd = tallyman(command, "--data", string(m.data), "--database", database, "--files", bucket,
		"--rescue-after", c.rescueAfter.String(), "--log-level", "debug")
	m.cmd.Env = append(clearEnv(), "TALLYMAN_WORKERS=2", "TALLYMAN_NODE="+name, paceVariable+"="+c.pace)
	m.cmd.Env = append(m.cmd.Env, env...)
	if m.serves {
		m.cmd.Args = append(m.cmd.Args, "--listen", nowhere)
	}
	m.run(c.t)
	c.nodes = append(c.nodes, m)
	return m
}

// ready waits for nodes.
func (c *cluster) ready(nodes ...*member) {
	c.t.Helper()
	for _, m := range nodes {
		c.until(m.name+" is ready", func() bool {
			if m.gone() {
				c.t.Fatalf("%s has ended", m.name)
			}
			return m.said("tallyman serves") || m.said("tallyman works on")
		})
	}
}

// clearEnv is the environment without settings of the program's.
func clearEnv() []string {
	return slices.DeleteFunc(os.Environ(), func(v string) bool { return strings.HasPrefix(v, "TALLYMAN_") })
}

// behindProxy puts a proxy before a server and returns its address with the
// proxy's in place of the server's.
func (c *cluster) behindProxy(address string) (string, *faults.Proxy) {
	c.t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		c.t.Fatal(err)
	}
	p, err := faults.Listen(net.JoinHostPort(u.Hostname(), u.Port()))
	if err != nil {
		c.t.Fatal(err)
	}
	u.Host = p.Addr()
	return u.String(), p
}

func (m *member) run(t *testing.T) {
	t.Helper()
	out, err := os.Create(m.log)
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	m.cmd.Stdout, m.cmd.Stderr = out, out
	if err := m.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		_ = m.cmd.Wait() // how it ended is in ProcessState
		close(m.ended)
	}()
}

// signal sends the node a signal; one that has ended hears nothing.
func (m *member) signal(s syscall.Signal) { _ = m.cmd.Process.Signal(s) }

func (m *member) gone() bool {
	select {
	case <-m.ended:
		return true
	default:
		return false
	}
}

// said reports whether the node has written a text.
func (m *member) said(text string) bool {
	out, err := os.ReadFile(m.log)
	return err == nil && bytes.Contains(out, []byte(text))
}

// complaints are the last of the node's warnings and errors.
func (m *member) complaints() string {
	out, err := os.ReadFile(m.log)
	if err != nil {
		return err.Error()
	}
	lines := slices.DeleteFunc(strings.Split(string(out), "\n"), func(l string) bool {
		return strings.Contains(l, "level=DEBUG") || strings.Contains(l, "level=INFO")
	})
	return strings.Join(lines[max(0, len(lines)-25):], "\n")
}

// until waits until something is so. A database that is away just now is asked
// again.
func (c *cluster) until(what string, is func() bool) {
	c.t.Helper()
	for end := time.Now().Add(patience); !is(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			c.t.Fatalf("waited %s until %s", patience, what)
		}
	}
}

// desk is a client of a serving node.
func (c *cluster) desk(m *member) *remoteDesk {
	c.t.Helper()
	s, ok := m.data.server()
	if !ok {
		c.t.Fatalf("%s does not serve", m.name)
	}
	return newRemoteDesk(s.URL, localKey(s.Token, store.DefaultWorkspace), sights{}, time.Now)
}

// send has a serving node import a file.
func (c *cluster) send(m *member, path string) (view, error) {
	c.t.Helper()
	file, err := os.Open(path)
	if err != nil {
		c.t.Fatal(err)
	}
	defer file.Close()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	return c.desk(m).start(ctx, upload{name: filepath.Base(path), body: file})
}

// mustSend has a serving node import a file, and returns the import's id.
func (c *cluster) mustSend(m *member, path string) string {
	c.t.Helper()
	v, err := c.send(m, path)
	if err != nil {
		c.t.Fatalf("send %s to %s: %v", path, m.name, err)
	}
	return v.ID
}

// imp returns an import as it stands; ok is false while that cannot be told.
func (c *cluster) imp(id string) (imp store.Import, ok bool) {
	imp, err := c.sees.store.Import(context.Background(), c.ws.WS, id)
	return imp, err == nil
}

// batches are the batches of a pass; none while that cannot be told.
func (c *cluster) batches(id string, pass ledger.Pass) []store.Batch {
	imp, ok := c.imp(id)
	if !ok {
		return nil
	}
	all, err := c.sees.store.Batches(context.Background(), c.ws.WS, imp.No, pass)
	if err != nil {
		return nil
	}
	return all
}

// applied is the pass of a first import that writes.
var applied = ledger.ApplyOf(0)

// ended waits for the end of an import, which must be a good one.
func (c *cluster) ended(id string) store.Import {
	c.t.Helper()
	var imp store.Import
	c.until("import "+id+" has ended", func() (ok bool) {
		imp, ok = c.imp(id)
		return ok && imp.State.Ended()
	})
	if imp.State != store.Done {
		c.t.Fatalf("the import ended as %s: %s: %s", imp.State, imp.FaultCode, imp.FaultMessage)
	}
	return imp
}

// doneBatches is how many batches of an import have written all of their rows.
func (c *cluster) doneBatches(id string) (n int) {
	for _, b := range c.batches(id, applied) {
		if b.State == store.BatchDone {
			n++
		}
	}
	return n
}

// atWork are the batches of rows that a node is working on.
func (c *cluster) atWork(id string, m *member) []store.Batch {
	return slices.DeleteFunc(c.batches(id, applied), func(b store.Batch) bool {
		return b.State != store.BatchRunning || !m.is(b.Node)
	})
}

// is reports whether a batch's node is this one.
func (m *member) is(node string) bool { return node == m.name }

// dump is what dump writes down, of the cluster's database.
func (c *cluster) dump() []string {
	c.t.Helper()
	return dumpAt(c.t, c.place("dump"))
}
