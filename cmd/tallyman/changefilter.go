package main

import (
	"net/url"
	"strconv"

	"tallyman/internal/catalog"
	"tallyman/internal/importer"
)

// ofPlan selects all changes of the newest plan.
var ofPlan = importer.ChangeFilter{Plan: true}

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

// trippedBy selects the changes that the first rail is about which can tell them
// apart; without one, all changes of the plan.
func (v *view) trippedBy() importer.ChangeFilter {
	for _, t := range v.Findings {
		if address, err := url.Parse(t.ChangesURL); err == nil && t.ChangesURL != "" {
			return changesAsked(address.Query())
		}
	}
	return ofPlan
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
