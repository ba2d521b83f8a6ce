package main

import (
	"testing"

	"tallyman/internal/catalog"
	"tallyman/internal/importer"
)

// TestRailsNameTheirChanges checks that what a rail is about is read from its
// address as it was put into it.
func TestRailsNameTheirChanges(t *testing.T) {
	for _, want := range []importer.ChangeFilter{
		{Plan: true},
		{Plan: true, Property: "price", MinPercent: 12.5},
		{Plan: true, Property: "attributes.Größe, cm", Cleared: true},
		{Plan: true, Outcome: catalog.Deleted, MaxPercent: 1000000},
	} {
		v := view{Findings: []tripped{{Rail: "rows_down_percent"}, {ChangesURL: "/api/v1/imports/imp_1/changes?" + changesQuery(want).Encode()}}}
		if got := v.trippedBy(); len(got) != 1 || got[0].filter != want {
			t.Errorf("%+v, not %+v", got, want)
		}
	}
	if got := (&view{}).trippedBy(); len(got) != 1 || got[0].filter != ofPlan {
		t.Errorf("without a rail: %+v", got)
	}
	v := view{Findings: []tripped{{Rail: railCleared, ChangesURL: "/api/v1/imports/imp_1/changes?plan=true&cleared=true"}}}
	if got := v.trippedBy(); len(got) != 2 || !got[0].filter.Cleared || got[1].filter.Outcome != catalog.Deleted {
		t.Errorf("a rail about two things: %+v", got)
	}
}

func TestChangesFlags(t *testing.T) {
	for want, f := range map[string]importer.ChangeFilter{
		"":                  {},
		" --plan --cleared": {Plan: true, Cleared: true},
		" --outcome held":   heldRows,
		" --plan --property price --min-percent 50.5":         {Plan: true, Property: "price", MinPercent: 50.5},
		" --property 'attributes.Größe (cm)' --max-percent 7": {Property: "attributes.Größe (cm)", MaxPercent: 7},
	} {
		if got := changesFlags(f); got != want {
			t.Errorf("%q, not %q", got, want)
		}
	}
}
