package postgres

import (
	"errors"
	"fmt"
	"net"
	"os"
	"sync"
	"time"
)

// impatient is a connection that gives up when a read or a write moves nothing for
// a while, whatever deadlines its user sets. What is only idle is not asked for
// anything and stays.
type impatient struct {
	net.Conn
	silence time.Duration

	mu          sync.Mutex
	read, write time.Time // the user's own deadlines, zero for none
}

// silent says that a connection was given up. It is no time-out in the driver's
// eyes: after one of those a connection may be used on.
type silent struct{ after time.Duration }

func (e *silent) Error() string   { return fmt.Sprintf("the database said nothing for %s", e.after) }
func (e *silent) Timeout() bool   { return false }
func (e *silent) Temporary() bool { return false }

// Read reads what the server says.
func (c *impatient) Read(b []byte) (int, error) {
	mine, err := c.begin(&c.read, c.Conn.SetReadDeadline)
	if err != nil {
		return 0, err
	}
	n, err := c.Conn.Read(b)
	return n, c.judge(err, mine)
}

// Write writes all of b, or fails.
func (c *impatient) Write(b []byte) (int, error) {
	mine, err := c.begin(&c.write, c.Conn.SetWriteDeadline)
	if err != nil {
		return 0, err
	}
	n, err := c.Conn.Write(b)
	return n, c.judge(err, mine)
}

// begin bounds what comes next; mine is the bound if it is this connection's own
// and not its user's.
func (c *impatient) begin(users *time.Time, set func(time.Time) error) (mine time.Time, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	at := c.bound(*users)
	if !at.Equal(*users) {
		mine = at
	}
	return mine, set(at)
}

// bound is the earlier of a deadline and the end of patience.
func (c *impatient) bound(users time.Time) time.Time {
	at := time.Now().Add(c.silence)
	if !users.IsZero() && users.Before(at) {
		return users
	}
	return at
}

// judge closes the connection when its own bound, mine, is over.
func (c *impatient) judge(err error, mine time.Time) error {
	if !errors.Is(err, os.ErrDeadlineExceeded) || mine.IsZero() || time.Now().Before(mine) {
		return err
	}
	return errors.Join(&silent{c.silence}, c.Close())
}

// SetDeadline implements net.Conn. What is under way keeps a bound.
func (c *impatient) SetDeadline(t time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.read, c.write = t, t
	return c.Conn.SetDeadline(c.bound(t))
}

// SetReadDeadline implements net.Conn.
func (c *impatient) SetReadDeadline(t time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.read = t
	return c.Conn.SetReadDeadline(c.bound(t))
}

// SetWriteDeadline implements net.Conn.
func (c *impatient) SetWriteDeadline(t time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.write = t
	return c.Conn.SetWriteDeadline(c.bound(t))
}
