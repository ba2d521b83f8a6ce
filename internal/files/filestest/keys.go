package filestest

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"tallyman/internal/files"
)

const allowed = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-"

func testAllowedKeys(t *testing.T, s files.Store) {
	// No two keys differ by case alone: those are two files only where the file
	// system below a store tells them apart.
	want := []string{allowed, "a..b", "x...", "-", "_", "1/2/3/4/5/6/7/8/9", "1/-.csv"}
	want = append(want, "long/"+strings.Repeat("x", 255), "deep/"+strings.Repeat("x/", 509)+"x")
	for _, c := range allowed[26:] {
		want = append(want, "last/x"+string(c))
		if c != '.' {
			want = append(want, "first/"+string(c)+"/x")
		}
	}
	for _, key := range want {
		put(t, s, key, []byte(key))
	}
	for _, key := range want {
		if got := get(t, s, key); string(got) != key {
			t.Errorf("file %q reads %q", key, got)
		}
	}
	slices.Sort(want)
	if got := keys(t, s, ""); !slices.Equal(got, want) {
		t.Errorf("List = %q\nwant   %q", got, want)
	}
}

func testRefusedKeys(t *testing.T, s files.Store) {
	for _, key := range []string{
		"", "/", "a/", "/a", "a//b", ".", "..", "./a", "../a", "a/..", "a/../b", "a/./b", ".hidden", "a/.b",
		"a b", "ü", "a\\b", "a\x00b", "a\nb", "a:b", "a*", "~", "a%2fb", "\xff", "a/../../../../etc/passwd",
		strings.Repeat("x", 256), "a/" + strings.Repeat("x", 256), strings.Repeat("x/", 512) + "x",
	} {
		if w, err := s.Create(t.Context(), key); err == nil {
			w.Abort()
			t.Errorf("Create(%q) was allowed", key)
		}
		_, open := s.Open(t.Context(), key)
		_, stat := s.Stat(t.Context(), key)
		for name, err := range map[string]error{"Open": open, "Stat": stat, "Delete": s.Delete(t.Context(), key)} {
			if err == nil || errors.Is(err, files.ErrNotFound) {
				t.Errorf("%s(%q): %v, want the key refused", name, key, err)
			}
		}
	}
	if got := keys(t, s, ""); len(got) != 0 {
		t.Errorf("List = %q", got)
	}
}

func testList(t *testing.T, s files.Store) {
	all := []string{
		"1/a-b/x", "1/a.csv", "1/a/b.csv", "1/a/b/c", "1/a0", "1/ab/x", "10/a", "2/a",
	} // in order of keys: '-' and '.' come before '/', '0' after it
	for i, key := range slices.Backward(all) {
		put(t, s, key, body(i, 1))
	}
	for _, c := range []struct {
		prefix string
		want   []string
	}{
		{"", all},
		{"1", all[:7]},
		{"1/", all[:6]},
		{"1/a", all[:6]},
		{"1/a/", all[2:4]},
		{"1/a/b", all[2:4]},
		{"1/a/b/", all[3:4]},
		{"1/a.", all[1:2]},
		{"1/a.csv", all[1:2]},
		{"1/a.csv/", nil},
		{"1/b", nil},
		{"3/", nil},
		{"/", nil},
		{"../", nil},
		{"1/../2/", nil},
		{"1//", nil},
		{".", nil},
	} {
		if got := keys(t, s, c.prefix); !slices.Equal(got, c.want) {
			t.Errorf("List(%q) = %q, want %q", c.prefix, got, c.want)
		}
	}
	err := s.List(t.Context(), "", func(info files.Info) error {
		if want := int64(slices.Index(all, info.Key)); info.Size != want || info.ModTime.IsZero() {
			t.Errorf("List gave %+v, want size %d and a time", info, want)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

func testListProperty(t *testing.T, s files.Store) {
	element := rapid.StringMatching(`[a-c_-][a-c.-]{0,2}`)
	key := rapid.Map(rapid.SliceOfN(element, 1, 4), func(e []string) string { return strings.Join(e, "/") })
	rapid.Check(t, func(r *rapid.T) {
		for _, k := range keysOf(r, s, "") {
			if err := s.Delete(context.Background(), k); err != nil {
				r.Fatal(err)
			}
		}
		model := withoutFolders(rapid.SliceOfNDistinct(key, 0, 12, rapid.ID).Draw(r, "keys"))
		for _, k := range model {
			put(r, s, k, []byte(k))
		}
		prefix := rapid.OneOf(key, rapid.StringMatching(`[a-c/.-]{0,3}`)).Draw(r, "prefix")
		want := slices.DeleteFunc(model, func(k string) bool { return !strings.HasPrefix(k, prefix) })
		slices.Sort(want)
		if got := keysOf(r, s, prefix); !slices.Equal(got, want) {
			r.Fatalf("List(%q) = %q, want %q", prefix, got, want)
		}
	})
}

// withoutFolders drops the keys that are the folder of another one, which a
// store on a file system cannot keep.
func withoutFolders(all []string) []string {
	return slices.DeleteFunc(slices.Clone(all), func(k string) bool {
		return slices.ContainsFunc(all, func(other string) bool { return strings.HasPrefix(other, k+"/") })
	})
}

func testListStops(t *testing.T, s files.Store) {
	for _, key := range []string{"a/1", "a/2", "b"} {
		put(t, s, key, nil)
	}
	stop, calls := errors.New("stop"), 0
	err := s.List(t.Context(), "", func(files.Info) error {
		calls++
		if calls == 2 {
			return stop
		}
		return nil
	})
	if !errors.Is(err, stop) || calls != 2 {
		t.Errorf("List = %v after %d calls, want the callback's error after 2", err, calls)
	}
}

func testListDelete(t *testing.T, s files.Store) {
	for _, key := range []string{"a/1", "a/2", "a/b/3", "c"} {
		put(t, s, key, nil)
	}
	err := s.List(t.Context(), "", func(info files.Info) error { return s.Delete(t.Context(), info.Key) })
	if err != nil {
		t.Fatal(err)
	}
	if got := keys(t, s, ""); len(got) != 0 {
		t.Errorf("List = %q after all were deleted", got)
	}
}
