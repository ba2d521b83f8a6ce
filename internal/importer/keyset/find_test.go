package keyset

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strconv"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func TestFindIsASearchThroughAllKeys(t *testing.T) {
	st := openStore(t)
	rapid.Check(t, func(t *rapid.T) {
		var segments []string
		var keys []key
		row := int64(1)
		for i := range rapid.IntRange(0, 3).Draw(t, "segments") {
			var part []key
			for range rapid.IntRange(0, 60).Draw(t, "keys") {
				row += int64(rapid.IntRange(0, 3).Draw(t, "step"))
				part = append(part, key{byte(rapid.IntRange(1, 3).Draw(t, "tag")), strconv.Itoa(rapid.IntRange(0, 30).Draw(t, "value")), row, row * 10})
			}
			segments = append(segments, seal(t, st, "find-"+strconv.Itoa(i), 0, part))
			keys = append(keys, part...)
		}
		var hashes []uint64
		for range rapid.IntRange(0, 20).Draw(t, "wanted") {
			hashes = append(hashes, Hash(byte(rapid.IntRange(1, 3).Draw(t, "tag")), strconv.Itoa(rapid.IntRange(0, 40).Draw(t, "value"))))
		}
		slices.Sort(hashes)
		hashes = slices.Compact(hashes)
		var want, got []Found
		for _, k := range keys {
			if h := Hash(k.tag, k.value); slices.Contains(hashes, h) {
				want = append(want, Found{k.tag, h, k.row, k.offset})
			}
		}
		err := Find(context.Background(), st, segments, hashes, func(f Found) error {
			got = append(got, f)
			return nil
		})
		if err != nil {
			t.Fatalf("find: %v", err)
		}
		for _, fs := range [][]Found{want, got} {
			slices.SortFunc(fs, func(a, b Found) int {
				return cmp.Or(cmp.Compare(a.Row, b.Row), cmp.Compare(a.Tag, b.Tag), cmp.Compare(a.Hash, b.Hash))
			})
		}
		if diff := gocmp.Diff(want, got); diff != "" {
			t.Fatalf("find is off (-want +got):\n%s", diff)
		}
	})
}

func TestFindInManyBlocks(t *testing.T) {
	st := openStore(t)
	var keys []key
	for i := range int64(200_000) {
		keys = append(keys, key{1, strconv.FormatInt(i%150_000, 10), i, i * 3})
	}
	segment := seal(t, st, "blocks", partitions, keys)
	// One hash, all of them, and those of some partitions.
	for _, every := range []int{1, 7, 100_000} {
		var hashes []uint64
		for i := 0; i < 150_000; i += every {
			hashes = append(hashes, Hash(1, strconv.Itoa(i)))
		}
		slices.Sort(hashes)
		rows := make(map[int64]bool)
		err := Find(context.Background(), st, []string{segment}, hashes, func(f Found) error {
			if f.Hash != Hash(1, strconv.FormatInt(f.Row%150_000, 10)) || f.Offset != f.Row*3 || rows[f.Row] {
				t.Fatalf("row %d is not what was added, or comes twice: %+v", f.Row, f)
			}
			rows[f.Row] = true
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		want := 0
		for i := range 200_000 {
			if i%150_000%every == 0 {
				want++
			}
		}
		if len(rows) != want {
			t.Errorf("every %d: found %d rows, want %d", every, len(rows), want)
		}
	}
}

func TestFindEndsWithItsCallersError(t *testing.T) {
	st := openStore(t)
	segment := seal(t, st, "ends", 0, []key{{1, "a", 2, 10}, {1, "a", 3, 20}})
	stop := errors.New("stop")
	calls := 0
	err := Find(context.Background(), st, []string{segment}, []uint64{Hash(1, "a")}, func(Found) error {
		calls++
		return stop
	})
	if !errors.Is(err, stop) || calls != 1 {
		t.Errorf("got %v after %d calls", err, calls)
	}
}
