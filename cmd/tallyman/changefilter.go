package main

import (
	"net/url"
	"strconv"

	"tallyman/internal/catalog"
	"tallyman/internal/importer"
)

// ofPlan selects all changes of the newest plan, heldRows what rows would do that
// were held.
var (
	ofPlan   = importer.ChangeFilter{Plan: true}
	heldRows = importer.ChangeFilter{Outcome: catalog.Held}
)

// changesQuery is a filter as the REST door's query.
func changesQuery(f importer.ChangeFilter) url.Values {
	q := url.Values{}
	set := func(name, value string, given bool) {
		if given {
			q.Set(name, value)
		}
	}
	set("plan", "true", f.Plan)
	set("outcome", f.Outcome.String(), f.Outcome != catalog.Pending)
	set("property", f.Property, f.Property != "")
	set("cleared", "true", f.Cleared)
	set("min_percent", strconv.FormatFloat(f.MinPercent, 'f', -1, 64), f.MinPercent > 0)
	set("max_percent", strconv.FormatFloat(f.MaxPercent, 'f', -1, 64), f.MaxPercent > 0)
	return q
}

// changesFlags is a filter as the flags of "tallyman imports changes", each behind a
// blank.
func changesFlags(f importer.ChangeFilter) string {
	flags := ""
	set := func(text string, given bool) {
		if given {
			flags += " " + text
		}
	}
	set("--plan", f.Plan)
	set("--outcome "+f.Outcome.String(), f.Outcome != catalog.Pending)
	set("--property "+quoted(f.Property), f.Property != "")
	set("--cleared", f.Cleared)
	set("--min-percent "+strconv.FormatFloat(f.MinPercent, 'f', -1, 64), f.MinPercent > 0)
	set("--max-percent "+strconv.FormatFloat(f.MaxPercent, 'f', -1, 64), f.MaxPercent > 0)
	return flags
}

// shown is a part of a diff with what it is called.
type shown struct {
	what   string
	filter importer.ChangeFilter
}

// railCleared is the rail that is about two things, which no one filter selects.
const railCleared = "cleared_or_deleted"

// trippedBy selects the changes that the first rail is about which can tell them
// apart; without one, all changes of the plan.
func (v *view) trippedBy() []shown {
	for _, t := range v.Findings {
		address, err := url.Parse(t.ChangesURL)
		switch {
		case t.Rail == railCleared:
			return []shown{{"cleared values", importer.ChangeFilter{Plan: true, Cleared: true}}, {"deleted items", importer.ChangeFilter{Plan: true, Outcome: catalog.Deleted}}}
		case err == nil && t.ChangesURL != "":
			return []shown{{"changes", changesAsked(address.Query())}}
		}
	}
	return []shown{{"changes", ofPlan}}
}

// changesAsked is changesQuery turned round, for a plan.
func changesAsked(q url.Values) importer.ChangeFilter {
	f := ofPlan
	f.Outcome, _ = catalog.ParseOutcome(q.Get("outcome"))
	f.Property, f.Cleared = q.Get("property"), q.Get("cleared") == "true"
	f.MinPercent, _ = strconv.ParseFloat(q.Get("min_percent"), 64)
	f.MaxPercent, _ = strconv.ParseFloat(q.Get("max_percent"), 64)
	return f
}
