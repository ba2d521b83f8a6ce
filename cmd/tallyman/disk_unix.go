//go:build unix

package main

import (
	"fmt"
	"syscall"
)

// freeSpace is the room left for us on the disk that holds the folder, in bytes.
func freeSpace(dir string) (int64, error) {
	var st syscall.Statfs_t
	if err := syscall.Statfs(dir, &st); err != nil {
		return 0, fmt.Errorf("look at disk: %w", err)
	}
	return int64(st.Bavail) * int64(st.Bsize), nil
}
