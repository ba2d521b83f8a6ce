package faults

import (
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"syscall"
	"testing"
	"time"
)

// patience bounds what a test waits for, which comes at once or never.
const patience = 20 * time.Second

// behind is a server behind a proxy. Each connection to it comes out of conns.
type behind struct {
	t        *testing.T
	proxy    *Proxy
	listener net.Listener
	conns    chan net.Conn
}

func newBehind(t *testing.T) *behind {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p, err := Listen(l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	b := &behind{t: t, proxy: p, listener: l, conns: make(chan net.Conn)}
	var accepting sync.WaitGroup
	accepting.Go(func() {
		defer close(b.conns)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			b.conns <- bounded(t, c)
		}
	})
	t.Cleanup(func() {
		if err := p.Close(); err != nil {
			t.Error(err)
		}
		l.Close()
		for range b.conns {
		}
		accepting.Wait()
	})
	return b
}

func bounded(t *testing.T, c net.Conn) net.Conn {
	if err := c.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Error(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// connect returns both ends of a connection through the proxy.
func (b *behind) connect() (client, server net.Conn) {
	b.t.Helper()
	c, err := net.Dial("tcp", b.proxy.Addr())
	if err != nil {
		b.t.Fatal(err)
	}
	return bounded(b.t, c), <-b.conns
}

// refused expects that a connection is reset, at once or with its first use.
func (b *behind) refused() {
	b.t.Helper()
	c, err := net.Dial("tcp", b.proxy.Addr())
	switch {
	case err == nil:
		wantReset(b.t, bounded(b.t, c))
	case !errors.Is(err, syscall.ECONNRESET):
		b.t.Errorf("dial: %v", err)
	}
}

func send(t *testing.T, c net.Conn, text string) {
	t.Helper()
	if _, err := io.WriteString(c, text); err != nil {
		t.Fatal(err)
	}
}

func expect(t *testing.T, c net.Conn, text string) {
	t.Helper()
	got := make([]byte, len(text))
	if _, err := io.ReadFull(c, got); err != nil || string(got) != text {
		t.Fatalf("received %q, %v; want %q", got, err, text)
	}
}

func wantReset(t *testing.T, c net.Conn) {
	t.Helper()
	if _, err := c.Read(make([]byte, 1)); !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("read: %v, want a reset", err)
	}
}

// held waits until a stall holds n reads back.
func (b *behind) held(n int) {
	b.proxy.mu.Lock()
	defer b.proxy.mu.Unlock()
	for b.proxy.waiting < n {
		b.proxy.changed.Wait()
	}
}

func TestHandsOnBothWays(t *testing.T) {
	b := newBehind(t)
	client, server := b.connect()
	big := bytes.Repeat([]byte("0123456789"), piece)
	go func() {
		_, _ = client.Write(big) // a failure is seen where it is read
		client.(*net.TCPConn).CloseWrite()
	}()
	got, err := io.ReadAll(server)
	if err != nil || !bytes.Equal(got, big) {
		t.Fatalf("%d bytes, %v; want %d", len(got), err, len(big))
	}
	// One direction has ended and the other has not.
	send(t, server, "answer")
	server.Close()
	if got, err := io.ReadAll(client); err != nil || string(got) != "answer" {
		t.Errorf("received %q, %v", got, err)
	}
}

func TestCut(t *testing.T) {
	b := newBehind(t)
	one, oneServer := b.connect()
	other, otherServer := b.connect()
	if n := b.proxy.Cut(); n != 2 {
		t.Errorf("cut %d connections of 2", n)
	}
	for _, c := range []net.Conn{one, oneServer, other, otherServer} {
		wantReset(t, c)
	}
	client, server := b.connect()
	send(t, client, "again")
	expect(t, server, "again")
	if n := b.proxy.Cut(); n != 1 {
		t.Errorf("cut %d connections of 1", n)
	}
}

func TestAway(t *testing.T) {
	b := newBehind(t)
	client, server := b.connect()
	b.proxy.Away()
	wantReset(t, client)
	wantReset(t, server)
	b.refused()
	b.proxy.Heal()
	client, server = b.connect()
	send(t, server, "back")
	expect(t, client, "back")
}

func TestStall(t *testing.T) {
	for _, tt := range []struct {
		name     string
		stalled  Direction
		held     int
		toServer bool // what passes meanwhile
		toClient bool
	}{
		{"to the server", ToServer, 1, false, true},
		{"to the client", ToClient, 1, true, false},
		{"both", Both, 2, false, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b := newBehind(t)
			client, server := b.connect()
			send(t, client, "a")
			expect(t, server, "a")
			b.proxy.Stall(tt.stalled)
			send(t, client, "request")
			send(t, server, "answer")
			b.held(tt.held)
			if tt.toServer {
				expect(t, server, "request")
			} else {
				wantNothing(t, server)
			}
			if tt.toClient {
				expect(t, client, "answer")
			} else {
				wantNothing(t, client)
			}
			b.proxy.Heal()
			if !tt.toServer {
				expect(t, server, "request")
			}
			if !tt.toClient {
				expect(t, client, "answer")
			}
		})
	}
}

// wantNothing expects that nothing has arrived by now.
func wantNothing(t *testing.T, c net.Conn) {
	t.Helper()
	if err := c.SetReadDeadline(time.Now().Add(time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	if n, err := c.Read(make([]byte, 1)); n != 0 || !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("read %d bytes, %v; want nothing", n, err)
	}
	if err := c.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
}

// A server behind a stall does not learn that its client has gone.
func TestStallHoldsTheEnd(t *testing.T) {
	b := newBehind(t)
	client, server := b.connect()
	b.proxy.Stall(ToServer)
	client.Close()
	b.held(1)
	wantNothing(t, server)
	b.proxy.Heal()
	if _, err := server.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
		t.Errorf("read: %v, want the end", err)
	}
}

// A connection that comes during a stall is taken, and served after it.
func TestStallTakesConnections(t *testing.T) {
	b := newBehind(t)
	b.proxy.Stall(Both)
	client, server := b.connect()
	send(t, client, "patient")
	b.held(1)
	wantNothing(t, server)
	b.proxy.Heal()
	expect(t, server, "patient")
}

// A cut ends what a stall holds, which is lost.
func TestCutOfAStall(t *testing.T) {
	b := newBehind(t)
	client, server := b.connect()
	b.proxy.Stall(Both)
	send(t, client, "lost")
	b.held(1)
	b.proxy.Cut()
	wantReset(t, client)
	wantReset(t, server)
	b.proxy.Heal()
	client, server = b.connect()
	send(t, client, "new")
	expect(t, server, "new")
}

// An hour's delay holds a byte back until the connection is cut; none does not.
func TestDelay(t *testing.T) {
	b := newBehind(t)
	client, server := b.connect()
	b.proxy.Delay(time.Hour)
	send(t, client, "late")
	wantNothing(t, server)
	b.proxy.Cut()
	wantReset(t, server)
	b.proxy.Heal()
	b.proxy.Delay(time.Microsecond)
	client, server = b.connect()
	send(t, client, "soon")
	expect(t, server, "soon")
}

func TestLimit(t *testing.T) {
	b := newBehind(t)
	client, server := b.connect()
	b.proxy.Limit(1 << 30)
	send(t, client, "fast")
	expect(t, server, "fast")
	b.proxy.Limit(1)
	send(t, client, "fifteen seconds")
	wantNothing(t, server)
	b.proxy.Cut()
	wantReset(t, server)
}

// A side that breaks off takes the other with it.
func TestResetIsHandedOn(t *testing.T) {
	b := newBehind(t)
	client, server := b.connect()
	abort(client.(*net.TCPConn))
	wantReset(t, server)
}

func TestNoServer(t *testing.T) {
	b := newBehind(t)
	b.listener.Close()
	b.refused()
}

func TestClose(t *testing.T) {
	b := newBehind(t)
	client, _ := b.connect()
	b.proxy.Stall(Both)
	send(t, client, "held")
	b.held(1)
	if err := b.proxy.Close(); err != nil {
		t.Fatal(err)
	}
	wantReset(t, client)
	if _, err := net.Dial("tcp", b.proxy.Addr()); err == nil {
		t.Error("a closed proxy takes connections")
	}
	if n := b.proxy.Cut(); n != 0 {
		t.Errorf("%d connections after the end", n)
	}
}
