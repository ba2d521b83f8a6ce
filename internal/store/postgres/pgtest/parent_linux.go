package pgtest

import "syscall"

// endWithParent has the kernel stop the server of a test binary that was killed.
func endWithParent() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Pdeathsig: syscall.SIGINT}
}
