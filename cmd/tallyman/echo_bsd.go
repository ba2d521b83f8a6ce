//go:build darwin || dragonfly || freebsd || netbsd || openbsd

package main

import "golang.org/x/sys/unix"

// How the system is asked about a terminal, and told.
const (
	getTerminal = unix.TIOCGETA
	setTerminal = unix.TIOCSETA
)
