package s3

import (
	"context"
	"io"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"tallyman/internal/files/s3/s3test"
)

// outage is a server behind a wire, which counts the bytes that pass and kills
// the server at one of them. The store's clock goes on only while it waits, and
// the server comes back when that clock says so. So nothing here takes its time.
type outage struct {
	t      *testing.T
	server *s3test.Server
	wire   net.Listener
	after  atomic.Int64  // bytes that still pass until the server is killed
	length time.Duration // of the outage
	kills  atomic.Int32

	mu    sync.Mutex
	now   time.Time
	until time.Time // zero while the server is there
}

func newOutage(t *testing.T, length time.Duration) *outage {
	t.Helper()
	s, err := s3test.Start()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	o := &outage{t: t, server: s, wire: l, length: length, now: time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC)}
	o.after.Store(1 << 60)
	go o.accept()
	return o
}

func (o *outage) url(bucket string) string {
	return "s3://" + bucket + "?endpoint=http://" + o.wire.Addr().String() + "&path_style=true&part_mib=5"
}

func (o *outage) options() Options { return Options{Now: o.clock, Wait: o.wait} }

func (o *outage) clock() time.Time {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.now
}

// wait lets the store's time pass and brings the server back when that is over.
func (o *outage) wait(ctx context.Context, d time.Duration) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.now = o.now.Add(d)
	if !o.until.IsZero() && !o.now.Before(o.until) {
		if err := o.server.Restart(); err != nil {
			o.t.Error(err)
		}
		o.until = time.Time{}
	}
	return ctx.Err()
}

// kill ends the server as kill -9 does, until the outage is over.
func (o *outage) kill() {
	o.mu.Lock()
	defer o.mu.Unlock()
	if !o.until.IsZero() {
		return
	}
	o.kills.Add(1)
	if err := o.server.Kill(); err != nil {
		o.t.Error(err)
	}
	o.until = o.now.Add(o.length)
}

func (o *outage) accept() {
	for {
		c, err := o.wire.Accept()
		if err != nil {
			return
		}
		go o.connect(c)
	}
}

func (o *outage) connect(client net.Conn) {
	defer client.Close()
	server, err := net.Dial("tcp", strings.TrimPrefix(o.server.Endpoint, "http://"))
	if err != nil {
		return
	}
	defer server.Close()
	done := make(chan struct{}, 2)
	for _, c := range [][2]net.Conn{{client, server}, {server, client}} {
		go func() {
			_, _ = io.Copy(counted{c[1], o}, c[0]) // a cut is what this is for
			done <- struct{}{}
		}()
	}
	<-done
}

// counted is one direction of a connection.
type counted struct {
	to net.Conn
	o  *outage
}

func (c counted) Write(p []byte) (int, error) {
	left := c.o.after.Add(int64(-len(p)))
	if left <= 0 && left > int64(-len(p)) {
		c.o.kill()
	}
	return c.to.Write(p)
}
