// Package keyset finds the keys that stand twice in a file of any size, at
// constant memory.
//
// While a file is cut into batches every unique key of every row goes to a
// Writer. Each time slice seals what it saw as one immutable segment in the file
// store, so another process can go on with the next one, and a slice that died
// is simply written again. When all segments are there, Candidates goes through
// them partition by partition and names every later row whose key has the hash
// of an earlier row's.
//
// What does not belong here: what a key is and how it is brought into its
// canonical form (packages catalog and source), and what becomes of a row whose
// key stands twice (package importer). A candidate is two keys with one hash,
// not yet two equal keys: the caller reads both records and compares.
package keyset

import (
	"context"
	"fmt"

	"tallyman/internal/files"
)

// Pair says that a key of a row has the hash of a key of an earlier row.
type Pair struct {
	// Tag is the kind of key, as given to Writer.Add.
	Tag byte
	// Row and Offset are the later row.
	Row, Offset int64
	// FirstRow and FirstOffset are the first row in the file that has the hash:
	// where three rows share a key, the second and the third both name the first.
	FirstRow, FirstOffset int64
}

// Candidates calls fn with every pair in the segments, in order of the later
// row, then of the tag. A pair is given once, however many keys of one tag the
// two rows share. Keys that one row has twice make no pair with that row.
//
// Segments must be given in the order of the file. scratch is a folder for
// temporary files, written only where there are very many pairs, and gone on
// return; a killed process may leave some of them, named "keyset-*".
//
// Memory stays below 64 MiB whatever the number of keys; ten million of them take
// about a second. An error of fn ends the search and is returned as it is.
//
// Two different keys with one hash hide what comes behind them: if row 1 has key
// A, rows 2 and 3 have key B, and A and B have the same hash, then both pairs
// name row 1 and neither is confirmed. Among 100 million keys the odds that any
// two collide are about 1 in 4,000; the store's own unique keys still hold.
func Candidates(ctx context.Context, st files.Store, segments []string, scratch string, fn func(Pair) error) error {
	f := finder{limits: defaultLimits, scratch: scratch}
	defer f.close()
	if err := f.open(ctx, st, segments); err != nil {
		return err
	}
	if err := f.find(ctx); err != nil {
		return fmt.Errorf("find keys that stand twice: %w", err)
	}
	return f.pairs.each(ctx, fn)
}
