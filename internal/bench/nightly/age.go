package main

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"tallyman/internal/bench/program"
)

// account is what must outlive the before-images: the counts of every import, and
// who wrote some items when.
type account struct {
	counts    map[string]program.Counts
	histories map[string][]step
}

// step is one write of an item: which import and row, and what it came to.
type step struct {
	ImportID string `json:"import_id"`
	Row      int64  `json:"row"`
	Outcome  string `json:"outcome"`
	Version  int64  `json:"version"`
}

// age lets the before-images age out and compares the books before and after.
func (s *season) age(ctx context.Context) error {
	before, err := s.books(ctx)
	if err != nil {
		return err
	}
	if err := s.retain(ctx); err != nil {
		return err
	}
	after, err := s.books(ctx)
	if err != nil {
		return err
	}
	_, ledger, err := s.sizes(ctx)
	if err != nil {
		return err
	}
	fmt.Fprintf(s.out, "before-images gone: the ledger's bodies shrank from %.0f to %.0f KiB\n",
		float64(s.nights[len(s.nights)-1].ledger)/1024, float64(ledger)/1024)
	return errors.Join(s.compare(before, after), s.refusesUndo(ctx))
}

// retain runs a server that keeps before-images for no time, until they are gone.
func (s *season) retain(ctx context.Context) error {
	server, err := s.program.Serve(ctx, "--keep-images", "1ms")
	if err != nil {
		return err
	}
	err = s.imagesGone(ctx)
	_, serr := server.Stop()
	return errors.Join(err, serr)
}

// patience is how long retention may take to begin and end.
const patience = 3 * time.Minute

func (s *season) imagesGone(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	tick := time.NewTicker(500 * time.Millisecond)
	defer tick.Stop()
	for {
		left, err := s.program.Number(ctx, ".timeout 5000\nSELECT count(*) FROM page WHERE images IS NOT NULL;")
		if err != nil || left == 0 {
			return err
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("%d pages still have before-images after %v", left, patience)
		}
	}
}

// books reads the counts of every import, and the histories of items written often.
func (s *season) books(ctx context.Context) (account, error) {
	a := account{counts: map[string]program.Counts{}, histories: map[string][]step{}}
	server, err := s.program.Serve(ctx)
	if err != nil {
		return a, err
	}
	err = s.read(ctx, server, &a)
	_, serr := server.Stop()
	return a, errors.Join(err, serr)
}

func (s *season) read(ctx context.Context, server *program.Server, a *account) error {
	for _, n := range s.nights {
		var imp program.Import
		if err := server.GetJSON(ctx, "/imports/"+n.imported.ID, &imp); err != nil {
			return err
		}
		a.counts[imp.ID] = imp.Counts()
	}
	ids, err := s.oftenWritten(ctx)
	if err != nil {
		return err
	}
	for _, id := range ids {
		var answer struct {
			Steps []step `json:"steps"`
		}
		if err := server.GetJSON(ctx, "/products/"+id+"/history?limit="+strconv.Itoa(s.feeds+1), &answer); err != nil {
			return err
		}
		a.histories[id] = answer.Steps
	}
	return nil
}

// oftenWritten are the ids of the ten items written most often.
func (s *season) oftenWritten(ctx context.Context) ([]string, error) {
	u, err := program.Shell(ctx, s.program.Embedded(), "SELECT id FROM item ORDER BY version DESC, id LIMIT 10;")
	return strings.Fields(string(u.Stdout)), err
}

// compare holds that the books after are those before, and that they are whole:
// the counts are those that the imports ended with, and an item's history has a
// step for each of its versions.
func (s *season) compare(before, after account) error {
	var wrong []error
	for _, n := range s.nights {
		id, want := n.imported.ID, n.imported.Counts()
		if before.counts[id] != want || after.counts[id] != want {
			wrong = append(wrong, fmt.Errorf("import %s: counts %+v became %+v, then %+v", id, want, before.counts[id], after.counts[id]))
		}
	}
	steps := 0
	for id, history := range before.histories {
		steps += len(history)
		if !reflect.DeepEqual(history, after.histories[id]) {
			wrong = append(wrong, fmt.Errorf("item %s: its history was %+v and is %+v", id, history, after.histories[id]))
		}
		if err := whole(history); err != nil {
			wrong = append(wrong, fmt.Errorf("item %s: %w: %+v", id, err, history))
		}
	}
	fmt.Fprintf(s.out, "counts of %d imports and %d steps of the histories of %d items compared: %d differ\n",
		len(s.nights), steps, len(before.histories), len(wrong))
	return errors.Join(wrong...)
}

// whole holds that a history, the newest step first, goes back to the item's
// creation without a gap.
func whole(history []step) error {
	if len(history) == 0 || history[len(history)-1].Outcome != "created" {
		return errors.New("the history does not begin with its creation")
	}
	versions := make([]int64, len(history))
	for i, h := range history {
		versions[i] = h.Version + int64(i)
	}
	if len(slices.Compact(versions)) != 1 {
		return errors.New("the history has a gap")
	}
	return nil
}

// refusesUndo holds that an import whose before-images are gone is not undone, and
// that the refusal says so.
func (s *season) refusesUndo(ctx context.Context) error {
	last := s.nights[len(s.nights)-1].imported
	server, err := s.program.Serve(ctx)
	if err != nil {
		return err
	}
	status, said, err := server.Post(ctx, "/imports/"+last.ID+"/undo")
	_, serr := server.Stop()
	if err := errors.Join(err, serr); err != nil {
		return err
	}
	if status != 409 || said.Code != "undo_expired" {
		return fmt.Errorf("undo of an import without before-images: %d %s %q; a refusal with undo_expired was due", status, said.Code, said.Message)
	}
	fmt.Fprintf(s.out, "undo is refused: %s\n", said.Message)
	return nil
}
