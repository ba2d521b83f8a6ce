package catalog

// Outcome is how a row ended. Every row ends in exactly one.
type Outcome uint8

// The outcomes. Their numbers are written into ledger pages and never change.
const (
	Pending   Outcome = 0 // not yet done
	Created   Outcome = 1
	Updated   Outcome = 2
	Unchanged Outcome = 3
	Deleted   Outcome = 4
	Failed    Outcome = 5
	Skipped   Outcome = 6 // the row asks for nothing: blank, or marked to be ignored
	Held      Outcome = 7 // what the row touches moved since the plan
)

// Outcomes is the number of outcomes, Pending included.
const Outcomes = 8

var outcomeNames = [Outcomes]string{"pending", "created", "updated", "unchanged", "deleted", "failed", "skipped", "held"}

// String returns the outcome's name as reports spell it.
func (o Outcome) String() string { return outcomeNames[o] }

// ParseOutcome returns the outcome named s, and whether there is one.
func ParseOutcome(s string) (Outcome, bool) {
	for i, n := range outcomeNames {
		if n == s {
			return Outcome(i), true
		}
	}
	return Pending, false
}

// rank orders outcomes for a row that asked for several changes: the row's
// outcome is the one of its changes that matters most to a reader.
var rank = [Outcomes]uint8{Failed: 7, Held: 6, Created: 5, Updated: 4, Deleted: 3, Unchanged: 2, Skipped: 1, Pending: 0}

// Join returns the outcome of a row whose changes ended as a and b.
func (o Outcome) Join(b Outcome) Outcome {
	if rank[b] > rank[o] {
		return b
	}
	return o
}

// Tally counts rows by outcome, and the problems found. It is what one chunk
// did when it stands on a page, and what an import did when pages are summed.
// On the pages of later passes (a retry) counts are signed.
type Tally struct {
	Created   int64
	Updated   int64
	Unchanged int64
	Deleted   int64
	Failed    int64
	Skipped   int64
	Held      int64
	Errors    int64 // problems that refuse a row, not rows
	Warnings  int64 // problems that do not
	Warned    int64 // rows that have at least one warning
}

// Add returns the sum of two tallies.
func (t Tally) Add(u Tally) Tally {
	t.Created += u.Created
	t.Updated += u.Updated
	t.Unchanged += u.Unchanged
	t.Deleted += u.Deleted
	t.Failed += u.Failed
	t.Skipped += u.Skipped
	t.Held += u.Held
	t.Errors += u.Errors
	t.Warnings += u.Warnings
	t.Warned += u.Warned
	return t
}

// Rows is the number of rows that the tally accounts for.
func (t Tally) Rows() int64 {
	return t.Created + t.Updated + t.Unchanged + t.Deleted + t.Failed + t.Skipped + t.Held
}

// Successful is the number of rows that ended as asked.
func (t Tally) Successful() int64 { return t.Created + t.Updated + t.Unchanged + t.Deleted }

// Count adds one row with its outcome and problems.
func (t *Tally) Count(o Outcome, problems []Problem) {
	switch o {
	case Created:
		t.Created++
	case Updated:
		t.Updated++
	case Unchanged:
		t.Unchanged++
	case Deleted:
		t.Deleted++
	case Failed:
		t.Failed++
	case Skipped:
		t.Skipped++
	case Held:
		t.Held++
	}
	warned := false
	for i := range problems {
		if problems[i].Severity == Warning {
			t.Warnings++
			warned = true
		} else {
			t.Errors++
		}
	}
	if warned {
		t.Warned++
	}
}
