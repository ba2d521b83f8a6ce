package disk

import (
	"os"

	"golang.org/x/sys/unix"
)

// beginSync has the system begin to write a part of a file to the disk, and does
// not wait for it. What becomes of it, the file's sync tells.
func beginSync(f *os.File, off, n int64) {
	raw, err := f.SyscallConn()
	if err != nil {
		return
	}
	// Where the file system cannot do this, the sync does it all.
	_ = raw.Control(func(fd uintptr) { _ = unix.SyncFileRange(int(fd), off, n, unix.SYNC_FILE_RANGE_WRITE) })
}
