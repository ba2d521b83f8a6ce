package source

import (
	"fmt"
	"slices"
	"strings"

	"tallyman/internal/catalog"
)

// Choice is the source that detection chose for a header, and why.
type Choice struct {
	Definition Definition
	Why        string
}

// Detect chooses the source that recognises most of the header's columns and
// finds all those it requires. Two that fit equally well are an error that
// lists them. A header that no source recognises a column of is left to the
// default source, whose Bind says what is missing.
func Detect(header []string) (Choice, error) {
	header = slices.DeleteFunc(slices.Clone(header), isOwn)
	best, bestScore := Definition{}, 0
	var tied []string
	for _, d := range All() {
		score, ok := d.score(header)
		switch {
		case !ok || score == 0 || score < bestScore:
		case score == bestScore:
			tied = append(tied, d.ID)
		default:
			best, bestScore, tied = d, score, []string{d.ID}
		}
	}
	switch {
	case len(tied) > 1:
		return Choice{}, catalog.Faultf(catalog.KindRefused, "source_ambiguous",
			"The header fits several sources: %s; name the one that is meant.", strings.Join(tied, ", "))
	case bestScore == 0:
		d, err := ByID(Default)
		return Choice{Definition: d, Why: "no source recognises the header; taken as a free table"}, err
	}
	return Choice{Definition: best, Why: fmt.Sprintf("%d of %d columns are known to %s", bestScore, len(header), best.Name)}, nil
}

// score counts the columns of a header that the source knows.
func (d *Definition) score(header []string) (int, bool) {
	names := d.headings()
	seen := make(map[*Column]bool)
	for _, h := range header {
		if c := names[fold(h)]; c != nil {
			seen[c] = true
		}
	}
	for i := range d.Columns {
		if d.Columns[i].Required && !seen[&d.Columns[i]] {
			return 0, false
		}
	}
	return len(seen), true
}
