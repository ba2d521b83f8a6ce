//go:build !(darwin || freebsd || linux || netbsd)

package s3test

import "errors"

func setAttribute(string, string, []byte) error { return errors.ErrUnsupported }
