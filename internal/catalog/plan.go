package catalog

import (
	"fmt"
	"slices"
)

// keepToPlan compares what the group's rows do with what the plan showed of them.
// A row that would do anything else is held: its writes are shown and not done.
func (d *decider) keepToPlan() {
	moved := false
	for i := range d.g.Planned {
		moved = d.keepRow(i) || moved
	}
	if !moved {
		return
	}
	d.holdDependants()
	d.keepWrites(func(w *Write) bool {
		o := d.decided(w.Row).Outcome
		if o == Held {
			d.out.Held = append(d.out.Held, *w)
		}
		return o != Held && o != Failed
	})
}

// keepRow compares the group's i-th row with its plan, and reports whether that
// took its writes away.
func (d *decider) keepRow(i int) bool {
	r, p := &d.out.Rows[d.first+i], &d.g.Planned[i]
	switch {
	case p.Outcome == Failed:
		if r.Outcome == Created {
			r.ItemID = ""
		}
		r.Outcome, r.Row.Problems = Failed, p.Problems
	case r.Outcome == Failed, p.Outcome == r.Outcome && d.asPlanned(r.Row.Number, p.Writes):
		return false
	default:
		d.hold(r, d.moved(i))
	}
	return true
}

func (d *decider) hold(r *RowDecision, p Problem) {
	r.Outcome = Held
	r.Row.Problems = append(r.Row.Problems[:len(r.Row.Problems):len(r.Row.Problems)], p)
}

// holdDependants holds rows that would write and belong to a row that is held.
func (d *decider) holdDependants() {
	for again := true; again; {
		again = false
		for i := range d.g.Changes {
			c := &d.g.Changes[i]
			if c.Parent == 0 || d.row(&d.g.Changes[c.Parent-1]).Outcome != Held || !d.row(c).Outcome.wrote() {
				continue
			}
			d.hold(d.row(c), Problem{Code: CodeMovedSincePlan, Severity: Warning,
				Message: "The row that this one belongs to is held; look at that row first, then retry both, or leave them."})
			again = true
		}
	}
}

// asPlanned reports whether the row's writes are exactly the planned ones.
func (d *decider) asPlanned(row int64, planned []PlannedWrite) bool {
	lost, gained := d.unplanned(row, planned)
	return lost == nil && gained == nil
}

// unplanned finds a planned write that the row does not do, and one that it does
// and was not planned, of the same item where there is one; nil for none. Nearly
// always both stand in the same order, and nothing has to be remembered.
func (d *decider) unplanned(row int64, planned []PlannedWrite) (lost *PlannedWrite, gained *Write) {
	n := 0
	for i := d.write0; i < len(d.out.Writes); i++ {
		w := &d.out.Writes[i]
		if w.Row != row {
			continue
		}
		if n == len(planned) || !planned[n].is(w) {
			return d.unplannedInAnyOrder(row, planned)
		}
		n++
	}
	if n < len(planned) {
		return &planned[n], nil
	}
	return nil, nil
}

func (d *decider) unplannedInAnyOrder(row int64, planned []PlannedWrite) (lost *PlannedWrite, gained *Write) {
	var rest []*PlannedWrite
	for i := range planned {
		rest = append(rest, &planned[i])
	}
	var more []*Write
	for i := d.write0; i < len(d.out.Writes); i++ {
		w := &d.out.Writes[i]
		if w.Row != row {
			continue
		}
		if at := slices.IndexFunc(rest, func(p *PlannedWrite) bool { return p.is(w) }); at >= 0 {
			rest = slices.Delete(rest, at, at+1)
		} else {
			more = append(more, w)
		}
	}
	if len(more) > 0 {
		gained = more[0]
	}
	if len(rest) > 0 {
		lost = rest[0]
		if at := slices.IndexFunc(more, func(w *Write) bool { return w.After.ID == lost.ItemID }); at >= 0 {
			gained = more[at]
		}
	}
	return lost, gained
}

// is reports whether a write is the planned one. An update is what it changes: a
// new version of the item alone, or who wrote it, does not matter.
func (p *PlannedWrite) is(w *Write) bool {
	switch {
	case p.Outcome != w.Outcome:
		return false
	case p.Outcome == Created:
		return true
	case p.ItemID != w.After.ID:
		return false
	case p.Outcome == Deleted:
		return p.Version == w.Before.Version
	}
	return slices.Equal(p.Changes, w.Changes)
}

// moved is the problem of the group's i-th row, which no longer does what the
// plan showed: what moved, and what to do.
func (d *decider) moved(i int) Problem {
	r, p := &d.out.Rows[d.first+i], &d.g.Planned[i]
	lost, gained := d.unplanned(r.Row.Number, p.Writes)
	m := movement{d: d, row: i, reached: r.ItemID, planned: p.Outcome, now: r.Outcome}
	switch {
	case p.Outcome == Pending:
		m.say("The plan did not show this row, which would be %s now", r.Outcome)
	case lost != nil:
		m.lost(lost, gained)
	case gained != nil && gained.Outcome == Updated:
		m.fields(nil, gained.Changes, gained.Before)
	default:
		m.say("The plan showed the row as %s, and it would be %s now", p.Outcome, r.Outcome)
	}
	return Problem{Code: CodeMovedSincePlan, Severity: Warning, Column: m.column, Value: m.value,
		Message: m.what + "; look at the new values and retry the row, or leave it."}
}

// movement words what moved since the plan.
type movement struct {
	d       *decider
	row     int    // its index in the group
	reached string // the item that the row reaches now
	// planned and now are the row's outcomes.
	planned, now Outcome
	// column and value are those of the field that moved, if it is one.
	column, value string
	what          string
}

func (m *movement) say(format string, args ...any) { m.what = fmt.Sprintf(format, args...) }

// lost words a planned write that would not be done now; instead is what would
// be, if anything.
func (m *movement) lost(p *PlannedWrite, instead *Write) {
	id := p.ItemID
	if p.Outcome == Created {
		id = m.reached
	}
	it := m.item(id)
	switch {
	case p.Outcome == Created && it != nil:
		m.say("The %s exists now (%s), and the plan would have created it", it.Kind, describe(it))
	case p.Outcome != Created && m.elsewhere(id):
		m.say("The row reaches another item now (%s) than in the plan (%s)", m.reached, id)
	case p.Outcome != Created && it == nil:
		m.say("The item that the plan showed is gone (%s)", id)
	case p.Outcome == Deleted && instead != nil && instead.Outcome == Deleted:
		m.say("The %s to be deleted has changed since the plan (version %d now, %d then)", it.Kind, it.Version, p.Version)
	case p.Outcome == Updated && (instead == nil || instead.Outcome == Updated):
		var now []FieldChange
		if instead != nil && instead.After.ID == id {
			now = instead.Changes
		}
		m.fields(p.Changes, now, it)
	default:
		m.say("The plan showed the row as %s, and it would be %s now", m.planned, m.now)
	}
}

// item finds an item among those that the row may be about; nil when it is gone.
func (m *movement) item(id string) *Item {
	for i := range m.d.g.Changes {
		if c := &m.d.g.Changes[i]; c.Row == m.row {
			if items := m.d.w.Match(c.Kind, Key{KeyID, id}); len(items) > 0 {
				return items[0]
			}
		}
	}
	return nil
}

// elsewhere reports whether the row is about one item alone, and that is not the
// planned one.
func (m *movement) elsewhere(planned string) bool {
	changes := 0
	for i := range m.d.g.Changes {
		if m.d.g.Changes[i].Row == m.row {
			changes++
		}
	}
	return changes == 1 && m.reached != planned && m.item(m.reached) != nil
}

// fields words the first field of which the plan and now differ: what it showed,
// what would change now, and the item as it is.
func (m *movement) fields(was, now []FieldChange, it *Item) {
	for len(was) > 0 || len(now) > 0 {
		switch {
		case len(now) == 0 || len(was) > 0 && was[0].Field < now[0].Field:
			m.field(&was[0], nil, it.Doc)
			return
		case len(was) == 0 || now[0].Field < was[0].Field:
			m.field(nil, &now[0], it.Doc)
			return
		case was[0] != now[0]:
			m.field(&was[0], &now[0], it.Doc)
			return
		}
		was, now = was[1:], now[1:]
	}
	m.say("What the storefront sees of the %s has moved since the plan", it.Kind)
}

func (m *movement) field(was, now *FieldChange, doc Doc) {
	field := was
	if was == nil {
		field = now
	}
	token := doc.Token(field.Field)
	m.column, m.value = m.d.f.heading(field.Field), Shorten(Unquote(token))
	switch {
	case was == nil:
		m.say("%s is %s and would become %s now, and the plan showed it unchanged", m.column, told(token), told(now.New))
	case was.Old != token:
		m.say("%s was %s in the plan and is %s now", m.column, told(was.Old), told(token))
	case now == nil:
		m.say("%s would have become %s by the plan and would not change now", m.column, told(was.New))
	default:
		m.say("%s would have become %s by the plan and would become %s now", m.column, told(was.New), told(now.New))
	}
}
