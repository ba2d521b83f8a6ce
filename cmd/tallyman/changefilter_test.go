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
		if got := v.trippedBy(); got != want {
			t.Errorf("%+v, not %+v", got, want)
		}
	}
	if got := (&view{}).trippedBy(); got != ofPlan {
		t.Errorf("without a rail: %+v", got)
	}
}
