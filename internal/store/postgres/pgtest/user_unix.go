//go:build unix

package pgtest

import (
	"os"
	"os/exec"
	"os/user"
	"strconv"
	"syscall"
)

// runAs is whom a server runs as that root starts: PostgreSQL refuses to run as
// root. Its own user is there where it was installed as a package.
func runAs() (uid, gid int) {
	for _, name := range []string{"postgres", "nobody"} {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, errUID := strconv.Atoi(u.Uid)
		gid, errGID := strconv.Atoi(u.Gid)
		if errUID == nil && errGID == nil {
			return uid, gid
		}
	}
	const nobody = 65534
	return nobody, nobody
}

// unprivileged makes a command of root's run as somebody else, and end with the
// process that started it.
func unprivileged(c *exec.Cmd) {
	c.SysProcAttr = endWithParent()
	if os.Geteuid() == 0 {
		uid, gid := runAs()
		c.SysProcAttr.Credential = &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
	}
}

// give makes a folder belong to whoever unprivileged commands run as.
func give(dir string) error {
	if os.Geteuid() != 0 {
		return nil
	}
	uid, gid := runAs()
	return os.Chown(dir, uid, gid)
}
