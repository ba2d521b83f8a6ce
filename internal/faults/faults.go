// Package faults puts a TCP proxy between a program and a server that it needs,
// and lets a test do to the connections what networks do: cut them, stall them in
// one direction or both, slow them down, and heal.
//
// It is for tests alone, and nothing about it is left to chance: it does what it
// is told, when it is told. What does not belong here: what passes through it, and
// when a fault is due.
package faults

import (
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"time"
)

// Direction is a way through the proxy.
type Direction uint8

// The directions; Both is all of them.
const (
	ToServer Direction = 1 << iota
	ToClient
	Both = ToServer | ToClient
)

// Proxy hands on what comes to its address to a server's, both ways. Its methods
// may be called from several goroutines.
type Proxy struct {
	target   string
	listener net.Listener
	done     sync.WaitGroup // the goroutines of the proxy

	mu      sync.Mutex
	changed *sync.Cond // a pair ended, or what is below changed
	pairs   map[*pair]struct{}
	closed  bool
	away    bool
	stalled Direction
	delay   time.Duration
	rate    int // bytes per second and direction of a connection; 0 is no limit
	waiting int // reads that a stall holds back
}

// Listen starts a proxy on a free port of this machine, before the server at
// target, HOST:PORT. Close must be called.
func Listen(target string) (*Proxy, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("start proxy before %s: %w", target, err)
	}
	p := &Proxy{target: target, listener: l, pairs: make(map[*pair]struct{})}
	p.changed = sync.NewCond(&p.mu)
	p.done.Go(p.accept)
	return p, nil
}

// Addr is where clients connect, HOST:PORT.
func (p *Proxy) Addr() string { return p.listener.Addr().String() }

// Cut resets every connection, on both sides, and returns how many there were. New
// ones are let through.
func (p *Proxy) Cut() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.cut()
}

func (p *Proxy) cut() int {
	n := len(p.pairs)
	for c := range p.pairs {
		c.reset()
	}
	clear(p.pairs)
	p.changed.Broadcast()
	return n
}

// Away resets every connection and each new one at once, as if there were no
// server, until Heal.
func (p *Proxy) Away() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.away = true
	p.cut()
}

// Stall hands nothing on in the direction until Heal. Connections stay and new
// ones are taken, but their bytes, and their ends, stay where they are. What is
// being written at this moment still arrives.
func (p *Proxy) Stall(d Direction) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.stalled |= d
}

// Delay hands every piece on only after d, in each direction, until Heal.
func (p *Proxy) Delay(d time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.delay = d
}

// Limit hands on no more than so many bytes a second, in each direction of each
// connection, until Heal.
func (p *Proxy) Limit(bytesPerSecond int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.rate = bytesPerSecond
}

// Heal ends every fault. What a stall held back arrives now, on the connections
// that are still there.
func (p *Proxy) Heal() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.away, p.stalled, p.delay, p.rate = false, 0, 0, 0
	p.changed.Broadcast()
}

// Close resets every connection and ends the proxy. A second call does nothing.
func (p *Proxy) Close() error {
	p.mu.Lock()
	p.closed = true
	p.cut()
	p.mu.Unlock()
	err := p.listener.Close()
	p.done.Wait()
	if errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}

func (p *Proxy) accept() {
	for {
		client, err := p.listener.Accept()
		if err != nil {
			if errors.Is(err, net.ErrClosed) {
				return
			}
			time.Sleep(time.Millisecond) // no file descriptor is free, which passes
			continue
		}
		p.done.Go(func() { p.connect(client.(*net.TCPConn)) })
	}
}

// connect serves one client until either side, or the proxy, ends it.
func (p *Proxy) connect(client *net.TCPConn) {
	c := &pair{client: client, ended: make(chan struct{})}
	if !p.enter(c) {
		c.reset()
		return
	}
	server, err := net.Dial("tcp", p.target)
	if err != nil || !p.join(c, server.(*net.TCPConn)) {
		p.leave(c, true)
		return
	}
	var both sync.WaitGroup
	both.Go(func() { p.pump(c, c.server, c.client, ToServer) })
	both.Go(func() { p.pump(c, c.client, c.server, ToClient) })
	both.Wait()
	p.leave(c, false)
}

// enter adds a pair; false while there is no way through.
func (p *Proxy) enter(c *pair) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed || p.away {
		return false
	}
	p.pairs[c] = struct{}{}
	return true
}

// join gives a pair its other side; false if it was cut meanwhile.
func (p *Proxy) join(c *pair, server *net.TCPConn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if _, ok := p.pairs[c]; !ok {
		abort(server)
		return false
	}
	c.server = server
	return true
}

func (p *Proxy) leave(c *pair, reset bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if _, ok := p.pairs[c]; !ok {
		return // it was cut
	}
	delete(p.pairs, c)
	if reset {
		c.reset()
		return
	}
	c.client.Close()
	c.server.Close()
}

// piece is how much is handed on at once.
const piece = 32 << 10

// pump hands on what comes from one side until that ends. An end is handed on
// like bytes: what follows a stall learns of it when the stall is over.
func (p *Proxy) pump(c *pair, to, from *net.TCPConn, d Direction) {
	buf := make([]byte, piece)
	for {
		n, err := from.Read(buf)
		if !p.pass(c, d, n) {
			return
		}
		if _, werr := to.Write(buf[:n]); werr != nil {
			p.drop(c)
			return
		}
		switch {
		case errors.Is(err, io.EOF):
			_ = to.CloseWrite() // the other side may be gone by now
			return
		case err != nil:
			p.drop(c)
			return
		}
	}
}

// drop resets a pair of which one side is gone.
func (p *Proxy) drop(c *pair) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if _, ok := p.pairs[c]; ok {
		c.reset()
		delete(p.pairs, c)
		p.changed.Broadcast()
	}
}

// pass waits until n bytes may be handed on; false if the pair was cut meanwhile.
func (p *Proxy) pass(c *pair, d Direction, n int) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if wait := p.wait(n); wait > 0 && !p.sleep(c, wait) {
		return false
	}
	_, there := p.pairs[c]
	for there && p.stalled&d != 0 {
		p.waiting++
		p.changed.Broadcast()
		p.changed.Wait()
		p.waiting--
		_, there = p.pairs[c]
	}
	return there
}

func (p *Proxy) wait(n int) time.Duration {
	wait := p.delay
	if p.rate > 0 {
		wait += time.Duration(n) * time.Second / time.Duration(p.rate)
	}
	return wait
}

// sleep gives mu up for a while; false if the pair ended before it was over.
func (p *Proxy) sleep(c *pair, d time.Duration) bool {
	p.mu.Unlock()
	defer p.mu.Lock()
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-c.ended:
		return false
	}
}

// pair is a connection of a client and the one to the server that belongs to it.
type pair struct {
	client, server *net.TCPConn // server is nil until it is there
	ended          chan struct{}
	once           sync.Once
}

// reset ends both sides as a network does that breaks: what was on its way is
// lost, and each side learns of it with an error.
func (c *pair) reset() {
	c.once.Do(func() {
		close(c.ended)
		abort(c.client)
		if c.server != nil {
			abort(c.server)
		}
	})
}

// abort closes a connection with a reset.
func abort(c *net.TCPConn) {
	_ = c.SetLinger(0) // it fails where the connection is gone
	c.Close()
}
