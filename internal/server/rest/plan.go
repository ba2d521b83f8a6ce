package rest

import (
	"net/url"
	"strconv"

	"tallyman/internal/catalog"
	"tallyman/internal/importer"
	"tallyman/internal/store"
)

// PlanCounts are the rows of a plan by what would become of them.
type PlanCounts struct {
	Created   int64 `json:"created"`
	Updated   int64 `json:"updated"`
	Unchanged int64 `json:"unchanged"`
	Deleted   int64 `json:"deleted"`
	Failed    int64 `json:"failed"`
	Skipped   int64 `json:"skipped"`
	Held      int64 `json:"held"`
	Warnings  int64 `json:"warnings" doc:"Rows with at least one warning"`
}

func planCounts(t catalog.Tally) PlanCounts {
	return PlanCounts{Created: t.Created, Updated: t.Updated, Unchanged: t.Unchanged, Deleted: t.Deleted,
		Failed: t.Failed, Skipped: t.Skipped, Held: t.Held, Warnings: t.Warned}
}

// Finding is a limit that a plan ran into.
type Finding struct {
	Rail       string  `json:"rail" example:"changed_percent" doc:"changed_percent, price_move_percent, cleared_or_deleted, rows_down_percent, unreadable_keys or nothing_named"`
	Limit      float64 `json:"limit" doc:"What was allowed, in per cent or in rows and values"`
	Found      float64 `json:"found" doc:"What there is, in the same unit"`
	Message    string  `json:"message" doc:"The same for people"`
	ChangesURL string  `json:"changes_url,omitempty" doc:"Lists the changes that it is about, where they can be told apart"`
}

// setPlan shows the plan, if there is one.
func (o *Import) setPlan(imp *store.Import) {
	planned := imp.State == store.Planning || imp.State == store.Planned
	if planned || imp.Fingerprint != "" || imp.Plan.Rows() > 0 {
		counts := planCounts(imp.Plan)
		o.Plan = &counts
	}
	found := importer.FindingsOf(imp)
	o.Fingerprint, o.NeedsConfirmation, o.Stale = imp.Fingerprint, found.Confirm, found.Stale
	for i := range found.Tripped {
		o.Findings = append(o.Findings, findingObject(imp.ID, &found.Tripped[i]))
	}
}

// findingObject's address is one of this server's; see object.
func findingObject(id string, t *importer.Tripped) Finding {
	f := Finding{Rail: t.Rail, Limit: t.Limit, Found: t.Found, Message: t.Message}
	if t.Changes != nil {
		f.ChangesURL = Prefix + "/imports/" + id + "/changes?" + changesQuery(t.Changes).Encode()
	}
	return f
}

// changesQuery is the query that asks for the changes that fit a filter.
func changesQuery(f *importer.ChangeFilter) url.Values {
	q := make(url.Values)
	set := func(name, value string, given bool) {
		if given {
			q.Set(name, value)
		}
	}
	percent := func(v float64) string { return strconv.FormatFloat(v, 'f', -1, 64) }
	set("plan", "true", f.Plan)
	set("outcome", f.Outcome.String(), f.Outcome != catalog.Pending)
	set("property", f.Property, f.Property != "")
	set("cleared", "true", f.Cleared)
	set("min_percent", percent(f.MinPercent), f.MinPercent != 0)
	set("max_percent", percent(f.MaxPercent), f.MaxPercent != 0)
	return q
}
