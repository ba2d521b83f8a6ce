package catalog

import (
	"fmt"
	"strconv"
)

// undo takes one write of an import back, as far as nobody changed it since; it
// knows no mode. It reports false where the row failed.
func (d *decider) undo(c *Change, item *Item) bool {
	d.row(c).ItemID = firstKey(c).Value
	switch c.Undo.Outcome {
	case Created:
		return d.undoCreation(c, item)
	case Deleted:
		return d.undoDeletion(c, item)
	}
	return d.undoUpdate(c, item)
}

// undoUpdate gives an item's fields the values they had, each for itself: one
// that somebody changed since is kept as it is.
func (d *decider) undoUpdate(c *Change, item *Item) bool {
	if item == nil {
		d.keep(c, Problem{Code: CodeDeletedSince, Severity: Warning,
			Message: fmt.Sprintf("The %s was deleted since, so there is nothing to take back; undo its deletion first if it is wanted.", c.Kind)})
		return true
	}
	back, kept := d.takeBack(c, item)
	after := *item
	if len(back) > 0 {
		after.Doc = d.patched(item.Doc, back)
		after.readKeys()
	}
	after.Live = c.Undo.liveOf(item, after.Doc)
	if len(back) == 0 && after.Live == item.Live {
		if !kept {
			d.undone(c, Unchanged)
		}
		return true
	}
	if !d.keysFree(c, &after, item) {
		return false
	}
	d.stamp(c, &after)
	after.Hash = 0
	if !kept && item.ImportNo == c.Undo.ImportNo {
		// Nobody wrote since: the document is what that hash left.
		after.Hash = c.Undo.Hash
	}
	after.Version++
	d.out.Writes = append(d.out.Writes, Write{Outcome: Updated, Row: d.row(c).Row.Number, Before: item, After: after, Changes: back})
	d.undone(c, Updated)
	return true
}

// takeBack lists what has to change in the item so that its fields are as they
// were before the import, and reports whether some are kept; each of those is a
// problem. Required properties do not count: the item may lack what it lacked.
func (d *decider) takeBack(c *Change, item *Item) (back []FieldChange, kept bool) {
	for i := range c.Undo.Changes {
		ch := &c.Undo.Changes[i]
		switch now := item.Doc.Token(ch.Field); {
		case now == ch.Old:
		case now == ch.New || c.Undo.Force:
			back = append(back, FieldChange{Field: ch.Field, Old: now, New: ch.Old})
		default:
			d.keep(c, d.keptField(item, ch, now))
			kept = true
		}
	}
	return back, kept
}

func (d *decider) keptField(item *Item, ch *FieldChange, now string) Problem {
	column := d.f.heading(ch.Field)
	set := "set to " + told(ch.New)
	if ch.New == "" {
		set = "cleared"
	}
	return Problem{Code: CodeChangedSince, Severity: Warning, Column: column, Value: Shorten(Unquote(now)),
		Message: fmt.Sprintf("%s was %s and is %s now, so it was kept (last written by %s); undo again with force to take it back as well.",
			column, set, told(now), d.f.writerOf(item))}
}

// patched returns the document with the changes made.
func (d *decider) patched(doc Doc, changes []FieldChange) Doc {
	w := docWriter{b: d.out.scratch[:0]}
	w.patch(doc, changes, func(c *FieldChange) string { return c.New })
	after := w.doc()
	d.out.scratch = w.b
	return after
}

// liveOf works out what the storefront sees once the item's document is doc: what
// it saw before the import if nobody wrote since, else what it sees now.
func (u *Undo) liveOf(item *Item, doc Doc) Live {
	live := item.Live
	if u.LiveChanged && item.ImportNo == u.ImportNo {
		live = u.Live
	}
	if live.State == LiveOlder && live.Doc == doc {
		return Live{}
	}
	return live
}

// undoCreation deletes an item that the import made, if nobody wrote it since.
func (d *decider) undoCreation(c *Change, item *Item) bool {
	u := c.Undo
	switch {
	case item == nil:
		d.undone(c, Unchanged)
	case u.Force || item.ImportNo == u.ImportNo && item.Row == u.Row:
		d.delete(d.row(c), item)
		d.undone(c, Deleted)
	default:
		d.keep(c, Problem{Code: CodeChangedSince, Severity: Warning,
			Message: fmt.Sprintf("The %s was written since it was created (by %s), so it was kept; undo again with force to delete it.", c.Kind, d.f.writerOf(item))})
	}
	return true
}

// undoDeletion makes an item again that the import deleted.
func (d *decider) undoDeletion(c *Change, item *Item) bool {
	if item != nil && item.Doc == c.Undo.Doc {
		d.undone(c, Unchanged)
		return true
	}
	if item != nil {
		d.keep(c, Problem{Code: CodeChangedSince, Severity: Warning,
			Message: fmt.Sprintf("The %s is there again (written by %s), so it was left as it is.", c.Kind, d.f.writerOf(item))})
		return true
	}
	u := c.Undo
	after := Item{ID: firstKey(c).Value, Kind: c.Kind, Doc: u.Doc, GTINShared: u.GTINShared, Live: u.Live,
		CreatedNo: u.CreatedNo, CreatedAt: u.CreatedAt}
	after.readKeys()
	if !d.keysFree(c, &after, nil) {
		return false
	}
	d.stamp(c, &after)
	after.Hash = u.Hash
	// The deletion was a write as well, and no version may come twice.
	after.Version = u.Version + 2
	d.out.Writes = append(d.out.Writes, Write{Outcome: Created, Row: d.row(c).Row.Number, After: after})
	d.undone(c, Created)
	return true
}

// keep notes why something was left as it is.
func (d *decider) keep(c *Change, p Problem) {
	d.problem(c, p)
	d.undone(c, Held)
}

// undone joins the outcome of one undo to its row's: that something was taken
// back says more of a row than that something was kept.
func (d *decider) undone(c *Change, o Outcome) {
	r := d.row(c)
	switch {
	case r.Outcome == Held && o.wrote():
		r.Outcome = o
	case o == Held && r.Outcome.wrote():
	default:
		r.Outcome = r.Outcome.Join(o)
	}
}

// wrote reports whether something was written.
func (o Outcome) wrote() bool { return o == Created || o == Updated || o == Deleted }

// writerOf words who last wrote an item.
func (f *Facts) writerOf(item *Item) string {
	by := "import " + strconv.FormatInt(item.ImportNo, 10)
	if f.Writer != nil {
		by = f.Writer(item.ImportNo)
	}
	return by + ", row " + strconv.FormatInt(item.Row, 10)
}

// maxTold bounds a value within a sentence, in bytes.
const maxTold = 80

// told words a field's token for people: texts in quotes, "empty" for none.
func told(token string) string {
	switch {
	case token == "":
		return "empty"
	case token[0] == '"':
		return strconv.Quote(shortenTo(Unquote(token), maxTold))
	}
	return shortenTo(token, maxTold)
}
