package files

import (
	"path/filepath"
	"strings"
	"testing"
)

func TestCheckKey(t *testing.T) {
	long := strings.Repeat("x", maxElementBytes)
	for key, allowed := range map[string]bool{
		"a": true, "A/b-c_d.e/9": true, "a..b": true, "x...": true, "-": true,
		long: true, long + "x": false, "a/" + long: true,
		strings.Repeat("x/", 511) + "xx": true, strings.Repeat("x/", 511) + "xxx": false,
		"": false, "/": false, "/a": false, "a/": false, "a//b": false, ".": false, "..": false, "a/.b": false, "a/../b": false,
		"a b": false, "ü": false, `a\b`: false, "a\x00": false, "C:/x": false,
	} {
		if err := CheckKey(key); (err == nil) != allowed {
			t.Errorf("%.40q (%d bytes): %v, allowed should be %v", key, len(key), err, allowed)
		}
	}
}

// FuzzCheckKey: an allowed key joined to a folder stays below it, as it is, and
// names nothing hidden.
func FuzzCheckKey(f *testing.F) {
	for _, key := range []string{"a/b.csv", "../a", ".tmp-1", "a//b", "a/.lock", "C:/x", "a\x00"} {
		f.Add(key)
	}
	f.Fuzz(func(t *testing.T, key string) {
		if CheckKey(key) != nil {
			return
		}
		if !filepath.IsLocal(filepath.FromSlash(key)) || strings.Contains("/"+key, "/.") {
			t.Fatalf("key %q is allowed", key)
		}
		if path := filepath.Join("/store", filepath.FromSlash(key)); filepath.ToSlash(path) != "/store/"+key {
			t.Fatalf("key %q is stored at %q", key, path)
		}
	})
}
