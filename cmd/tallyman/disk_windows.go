package main

import (
	"fmt"

	"golang.org/x/sys/windows"
)

// freeSpace is the room left for us on the disk that holds the folder, in bytes.
func freeSpace(dir string) (int64, error) {
	path, err := windows.UTF16PtrFromString(dir)
	if err != nil {
		return 0, fmt.Errorf("look at disk: %w", err)
	}
	var free uint64
	if err := windows.GetDiskFreeSpaceEx(path, &free, nil, nil); err != nil {
		return 0, fmt.Errorf("look at disk: %w", err)
	}
	return int64(free), nil
}
