package postgres

import (
	"context"
	"errors"
	"syscall"

	"golang.org/x/sys/unix"
)

// boundUnacknowledged ends a connection whose bytes find no receipt. What asks an
// idle one whether it is there does not run while bytes are on their way.
func boundUnacknowledged(_ context.Context, network, _ string, c syscall.RawConn) error {
	if !isTCP(network) {
		return nil
	}
	var set error
	err := c.Control(func(fd uintptr) {
		set = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT, int(goneAfter.Milliseconds()))
	})
	return errors.Join(err, set)
}
