package keyset

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"tallyman/internal/files"
	"tallyman/internal/files/disk"
)

// key is one key of one row, as a test adds it.
type key struct {
	tag    byte
	value  string
	row    int64
	offset int64
}

func openStore(t testing.TB) files.Store {
	t.Helper()
	st, err := disk.Open(t.TempDir(), disk.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return st
}

// seal writes keys as one segment of blocks of at most chunks chunks.
func seal(t require, st files.Store, name string, chunks int, keys []key) string {
	t.Helper()
	w, err := newWriter(context.Background(), st, name, chunks)
	if err != nil {
		t.Fatalf("new writer: %v", err)
	}
	defer w.Abort()
	for _, k := range keys {
		if err := w.Add(k.tag, Hash(k.tag, k.value), k.row, k.offset); err != nil {
			t.Fatalf("add %v: %v", k, err)
		}
	}
	if err := w.Seal(context.Background()); err != nil {
		t.Fatalf("seal: %v", err)
	}
	return name
}

// require is what testing and rapid have in common.
type require interface {
	Helper()
	Fatalf(format string, args ...any)
}

// search is Candidates with limits of its own.
func search(t require, st files.Store, segments []string, scratch string, l limits) []Pair {
	t.Helper()
	f := finder{limits: l, scratch: scratch}
	defer f.close()
	if err := f.open(context.Background(), st, segments); err != nil {
		t.Fatalf("open: %v", err)
	}
	if err := f.find(context.Background()); err != nil {
		t.Fatalf("find: %v", err)
	}
	var got []Pair
	err := f.pairs.each(context.Background(), func(p Pair) error {
		got = append(got, p)
		return nil
	})
	if err != nil {
		t.Fatalf("each: %v", err)
	}
	return got
}

// naive is what a search must find, by way of a map.
func naive(keys []key) []Pair {
	type ident struct {
		tag   byte
		value string
	}
	first := map[ident]key{}
	var want []Pair
	for _, k := range keys {
		id := ident{k.tag, k.value}
		f, seen := first[id]
		if !seen {
			first[id] = k
			continue
		}
		if f.row != k.row {
			want = append(want, Pair{Tag: k.tag, Row: k.row, Offset: k.offset, FirstRow: f.row, FirstOffset: f.offset})
		}
	}
	slices.SortFunc(want, comparePairs)
	return slices.Compact(want)
}

func TestCandidates(t *testing.T) {
	tests := []struct {
		name string
		keys []key
		want []Pair
	}{
		{"no keys", nil, nil},
		{"all different", []key{{1, "a", 2, 10}, {1, "b", 3, 20}}, nil},
		{"three rows name the first", []key{{1, "a", 2, 10}, {1, "a", 3, 20}, {1, "b", 4, 30}, {1, "a", 5, 40}},
			[]Pair{{1, 3, 20, 2, 10}, {1, 5, 40, 2, 10}}},
		{"one row twice is no pair", []key{{1, "a", 2, 10}, {1, "a", 2, 10}}, nil},
		{"tags are apart", []key{{1, "a", 2, 10}, {2, "a", 3, 20}}, nil},
		{"two tags, two pairs", []key{{1, "a", 2, 10}, {2, "x", 2, 10}, {2, "x", 3, 20}, {1, "a", 3, 20}},
			[]Pair{{1, 3, 20, 2, 10}, {2, 3, 20, 2, 10}}},
		{"a pair is given once", []key{{1, "a", 2, 10}, {1, "a", 3, 20}, {1, "a", 3, 20}},
			[]Pair{{1, 3, 20, 2, 10}}},
		{"two firsts of one row", []key{{1, "a", 2, 10}, {1, "b", 3, 20}, {1, "b", 4, 30}, {1, "a", 4, 30}},
			[]Pair{{1, 4, 30, 2, 10}, {1, 4, 30, 3, 20}}},
		{"offsets may fall", []key{{1, "a", 2, 90}, {1, "b", 3, 50}, {1, "a", 4, -1}},
			[]Pair{{1, 4, -1, 2, 90}}},
		{"row zero", []key{{1, "a", 0, 0}, {1, "a", 1, 5}}, []Pair{{1, 1, 5, 0, 0}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			st := openStore(t)
			segment := seal(t, st, "1/imports/1/keys/1", blockChunks, tt.keys)
			var got []Pair
			err := Candidates(t.Context(), st, []string{segment}, t.TempDir(), func(p Pair) error {
				got = append(got, p)
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("pairs (-want +got):\n%s", diff)
			}
		})
	}
}

func TestCandidatesWithoutSegments(t *testing.T) {
	err := Candidates(t.Context(), openStore(t), nil, t.TempDir(), func(Pair) error {
		return errors.New("there is nothing to find")
	})
	if err != nil {
		t.Error(err)
	}
}

// Whatever the keys, the cut into segments and blocks, and the limits, a search
// finds what a map finds.
func TestCandidatesEqualsMap(t *testing.T) {
	st, scratch := openStore(t), t.TempDir()
	rapid.Check(t, func(t *rapid.T) {
		keys := drawKeys(t)
		var segments []string
		for rest := keys; len(rest) > 0 || len(segments) == 0; {
			n := rapid.IntRange(0, len(rest)).Draw(t, "segment")
			name := fmt.Sprintf("1/keys/%d", len(segments))
			segments = append(segments, seal(t, st, name, rapid.SampledFrom([]int{1, blockChunks}).Draw(t, "chunks"), rest[:n]))
			rest = rest[n:]
		}
		l := limits{
			slots:  1 << rapid.IntRange(4, 10).Draw(t, "slots"),
			pairs:  rapid.IntRange(1, 100).Draw(t, "pairs"),
			buffer: rapid.SampledFrom([]int{1, 1 << 20}).Draw(t, "buffer"),
		}
		got := search(t, st, segments, scratch, l)
		if diff := cmp.Diff(naive(keys), got); diff != "" {
			t.Fatalf("pairs (-want +got):\n%s", diff)
		}
		if left, _ := filepath.Glob(filepath.Join(scratch, "*")); len(left) != 0 {
			t.Fatalf("scratch files are left: %v", left)
		}
	})
}

// drawKeys draws keys in order of rows, with few or many different values.
func drawKeys(t *rapid.T) []key {
	values := rapid.IntRange(1, 500).Draw(t, "values")
	rows := rapid.IntRange(0, 400).Draw(t, "rows")
	seed := rapid.Uint64().Draw(t, "seed")
	var keys []key
	offset := int64(0)
	for row := range int64(rows) {
		for i := range 1 + seed%3 {
			seed = fold(seed^uint64(row), hashB+i<<1)
			keys = append(keys, key{byte(seed % 2), fmt.Sprint("key-", seed>>8%uint64(values)), row + 2, offset})
		}
		offset += int64(seed % 5000)
	}
	return keys
}

// More different keys than the table holds take more than one round, and every
// round keeps the order of rows.
func TestCandidatesBeyondTheTable(t *testing.T) {
	var keys []key
	for pass := range int64(3) {
		for i := range int64(20_000) {
			keys = append(keys, key{1, fmt.Sprint(i), pass*20_000 + i, i})
		}
	}
	st := openStore(t)
	segment := seal(t, st, "1/keys/1", blockChunks, keys)
	got := search(t, st, []string{segment}, t.TempDir(), limits{slots: 16, pairs: 1000, buffer: 1})
	if diff := cmp.Diff(naive(keys), got); diff != "" {
		t.Errorf("pairs (-want +got):\n%s", diff)
	}
}

// A file whose rows all have one key has nearly as many pairs as rows, in one
// partition; they must not be held in memory.
func TestCandidatesAllOneKey(t *testing.T) {
	rows := sized(1_500_000, 300_000)
	st := openStore(t)
	w, err := NewWriter(t.Context(), st, "1/keys/1")
	if err != nil {
		t.Fatal(err)
	}
	h := Hash(1, "same")
	for row := range int64(rows) {
		w.Add(1, h, row, row*100)
	}
	if err := w.Seal(t.Context()); err != nil {
		t.Fatal(err)
	}
	w = nil
	base, peak, row := liveHeap(), uint64(0), int64(1)
	err = Candidates(t.Context(), st, []string{"1/keys/1"}, t.TempDir(), func(p Pair) error {
		want := Pair{Tag: 1, Row: row, Offset: row * 100}
		if p != want {
			return fmt.Errorf("got %+v, want %+v", p, want)
		}
		if row%100_000 == 0 {
			peak = max(peak, liveHeap())
		}
		row++
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if row != int64(rows) {
		t.Errorf("pairs up to row %d, want %d", row, rows)
	}
	if grown := int64(peak) - int64(base); grown > 24<<20 {
		t.Errorf("the pairs hold %d MiB", grown>>20)
	}
}

// The writer's memory does not grow with the number of keys, not even when all
// of them go to one partition after the other.
func TestWriterHoldsOneBlock(t *testing.T) {
	w, err := NewWriter(t.Context(), openStore(t), "1/keys/1")
	if err != nil {
		t.Fatal(err)
	}
	defer w.Abort()
	base, peak := liveHeap(), uint64(0)
	rows := int64(sized(6_000_000, 1_200_000))
	for row := range rows {
		part := uint64(row/(rows/6)) * 40
		if err := w.Add(1, part<<wordBits|uint64(row), row, row*100); err != nil {
			t.Fatal(err)
		}
		if row%(rows/12) == 0 {
			peak = max(peak, liveHeap())
		}
	}
	if grown := int64(peak) - int64(base); grown > 24<<20 {
		t.Errorf("the writer holds %d MiB", grown>>20)
	}
	runtime.KeepAlive(w)
}

// sized is a test's size: the full one, or a small one under -short, which goes
// with the race detector.
func sized(full, short int) int {
	if testing.Short() {
		return short
	}
	return full
}

func liveHeap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

func TestCandidatesErrors(t *testing.T) {
	st := openStore(t)
	first := seal(t, st, "1/keys/1", blockChunks, []key{{1, "a", 2, 0}, {1, "b", 3, 0}})
	second := seal(t, st, "1/keys/2", blockChunks, []key{{1, "a", 3, 0}, {1, "b", 4, 0}})
	none := func(Pair) error { return nil }

	if err := Candidates(t.Context(), st, []string{first, second}, t.TempDir(), none); err != nil {
		t.Errorf("a row may go on in the next segment: %v", err)
	}
	if err := Candidates(t.Context(), st, []string{second, first}, t.TempDir(), none); err == nil {
		t.Error("segments out of order were taken")
	}
	if err := Candidates(t.Context(), st, []string{"1/keys/9"}, t.TempDir(), none); !errors.Is(err, files.ErrNotFound) {
		t.Errorf("missing segment: %v", err)
	}
	stop := errors.New("stop")
	if err := Candidates(t.Context(), st, []string{first, second}, t.TempDir(), func(Pair) error { return stop }); !errors.Is(err, stop) {
		t.Errorf("error of fn: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := Candidates(ctx, st, []string{first, second}, t.TempDir(), none); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

func TestScratchFolderMissing(t *testing.T) {
	st := openStore(t)
	segment := seal(t, st, "1/keys/1", blockChunks, []key{{1, "a", 1, 0}, {1, "a", 2, 0}, {1, "a", 3, 0}})
	f := finder{limits: limits{slots: 16, pairs: 1, buffer: 1}, scratch: filepath.Join(t.TempDir(), "none")}
	defer f.close()
	if err := f.open(t.Context(), st, []string{segment}); err != nil {
		t.Fatal(err)
	}
	if err := f.find(t.Context()); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("got %v", err)
	}
}

func TestWriterRefuses(t *testing.T) {
	st := openStore(t)
	w, err := NewWriter(t.Context(), st, "1/keys/1")
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Add(1, 7, 5, 0); err != nil {
		t.Fatal(err)
	}
	if w.Len() != 1 {
		t.Errorf("Len %d", w.Len())
	}
	if err := w.Add(1, 7, 4, 0); err == nil {
		t.Error("descending rows were taken")
	}
	if err := w.Seal(t.Context()); err == nil {
		t.Error("sealed after an error")
	}
	w.Abort()
	if _, err := st.Stat(t.Context(), "1/keys/1"); !errors.Is(err, files.ErrNotFound) {
		t.Errorf("an unsealed segment is visible: %v", err)
	}
}

func TestWriterAfterSeal(t *testing.T) {
	st := openStore(t)
	w, err := NewWriter(t.Context(), st, "1/keys/1")
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Seal(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.Abort()
	if err := w.Add(1, 7, 4, 0); err == nil {
		t.Error("a sealed segment took a key")
	}
	if _, err := st.Stat(t.Context(), "1/keys/1"); err != nil {
		t.Errorf("the segment is gone: %v", err)
	}
}

// A slice that died half way is written again under its key.
func TestSegmentIsReplaced(t *testing.T) {
	st := openStore(t)
	for _, value := range []string{"b", "a"} {
		seal(t, st, "1/keys/1", blockChunks, []key{{1, "a", 2, 0}, {1, value, 3, 1}})
	}
	got := search(t, st, []string{"1/keys/1"}, t.TempDir(), defaultLimits)
	if diff := cmp.Diff([]Pair{{1, 3, 1, 2, 0}}, got); diff != "" {
		t.Errorf("pairs (-want +got):\n%s", diff)
	}
}
