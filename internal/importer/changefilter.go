package importer

import (
	"tallyman/internal/catalog"
)

// byField reports whether the filter asks for what happens to fields. Then it
// selects updates alone: of a created item every field is new, and of a deleted
// one every field goes.
func (f *ChangeFilter) byField() bool {
	return f.Property != "" || f.Cleared || f.byPercent()
}

func (f *ChangeFilter) byPercent() bool { return f.MinPercent > 0 || f.MaxPercent > 0 }

// count returns how many changes of a unit the filter selects. known is false
// where headers cannot say: they count rows held, and not what those would
// write, and they count what happens to fields one by one.
func (f ChangeFilter) count(u diffUnit) (n int64, known bool) {
	t := u.tally()
	if t.Held != 0 && (f.Outcome == catalog.Pending || f.Outcome == catalog.Held) {
		return 0, false
	}
	if f.byField() {
		return f.countFields(u, &t)
	}
	switch f.Outcome {
	case catalog.Pending:
		return t.Created + t.Updated + t.Deleted, true
	case catalog.Created:
		return t.Created, true
	case catalog.Updated:
		return t.Updated, true
	case catalog.Deleted:
		return t.Deleted, true
	}
	return 0, true // such rows write nothing
}

// countFields is count for a filter by field, in a unit whose held rows do not
// matter.
func (f *ChangeFilter) countFields(u diffUnit, t *catalog.Tally) (n int64, known bool) {
	if t.Updated == 0 || f.Outcome != catalog.Pending && f.Outcome != catalog.Updated {
		return 0, true
	}
	sum, known := u.fields(f.Property)
	switch {
	case !known:
		return 0, false
	case f.byPercent() && f.Cleared:
		return 0, true // what goes does not move
	case f.byPercent():
		return 0, sum.Changed == 0
	case f.Property == "":
		return 0, sum.Cleared == 0
	case f.Cleared:
		return sum.Cleared, true
	}
	return sum.Added + sum.Changed + sum.Cleared, true
}

// selects reports whether the filter selects a change. Its error is a
// *catalog.Fault where that hangs on values that are not kept any more.
func (f *ChangeFilter) selects(c *imageChange) (bool, error) {
	switch {
	case f.Outcome != catalog.Pending && f.Outcome != c.Outcome:
		return false, nil
	case !f.byField():
		return true, nil
	case c.whole:
		return false, nil
	case c.Gone:
		return false, catalog.Faultf(catalog.KindConflict, "values_gone",
			"The values of this import are past their retention; its changes can be listed by outcome only.")
	}
	for i := range c.Fields {
		if f.selectsField(&c.Fields[i]) {
			return true, nil
		}
	}
	return false, nil
}

func (f *ChangeFilter) selectsField(fc *catalog.FieldChange) bool {
	if f.Property != "" && fc.Field != f.Property || f.Cleared && fc.New != "" {
		return false
	}
	if !f.byPercent() {
		return true
	}
	percent, ok := catalog.MovePercent(fc.Old, fc.New)
	return ok && percent >= f.MinPercent && (f.MaxPercent <= 0 || percent <= f.MaxPercent)
}
