package disk

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"syscall"

	"tallyman/internal/files"
)

// What file systems and object stores have in common bounds a key.
const (
	maxKeyBytes     = 1024 // S3 object keys
	maxElementBytes = 255  // a name on ext4, XFS, APFS and NTFS
)

// checkKey returns an error unless key is one the contract allows. No key it
// allows can leave the store's folder or name a temporary file.
func checkKey(key string) error {
	if len(key) > maxKeyBytes {
		return fmt.Errorf("key has %d bytes, at most %d are allowed", len(key), maxKeyBytes)
	}
	for element := range strings.SplitSeq(key, "/") {
		if err := checkElement(element); err != nil {
			return err
		}
	}
	return nil
}

func checkElement(element string) error {
	switch {
	case element == "":
		return errors.New("key has an empty element")
	case element[0] == '.':
		return fmt.Errorf("key element %q begins with a dot", element)
	case len(element) > maxElementBytes:
		return fmt.Errorf("key element has %d bytes, at most %d are allowed", len(element), maxElementBytes)
	}
	for i := range len(element) {
		if !keyByte(element[i]) {
			return fmt.Errorf("key element %q has a character other than A-Z, a-z, 0-9, '.', '_' and '-'", element)
		}
	}
	return nil
}

func keyByte(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' ||
		c == '.' || c == '_' || c == '-'
}

// notFound turns the system's ways to say that there is no such file into
// files.ErrNotFound: no entry, or a file where the key has a folder.
func notFound(err error) error {
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) {
		return files.ErrNotFound
	}
	return err
}
