//go:build darwin || freebsd || linux || netbsd

package s3test

import "golang.org/x/sys/unix"

func setAttribute(path, name string, value []byte) error { return unix.Setxattr(path, name, value, 0) }
