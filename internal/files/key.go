package files

import (
	"errors"
	"fmt"
	"strings"
)

// What file systems and object stores have in common bounds a key.
const (
	maxKeyBytes     = 1024 // an object's key in S3
	maxElementBytes = 255  // a name on ext4, XFS, APFS and NTFS
)

// CheckKey returns an error unless key is one that the contract allows. No key
// that it allows can leave a folder that it is joined to, or name a file there
// that begins with a dot.
func CheckKey(key string) error {
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
