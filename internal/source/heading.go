package source

import (
	"strings"
	"unicode"

	"golang.org/x/text/runes"
	"golang.org/x/text/transform"
	"golang.org/x/text/unicode/norm"
)

// fold brings a heading to the form in which headings are compared: lower
// case, without accents, blanks, '-', '_' and the '*' that marks required ones.
func fold(heading string) string {
	plain, _, err := transform.String(transform.Chain(norm.NFD, runes.Remove(runes.In(unicode.Mn)), norm.NFC), heading)
	if err != nil {
		plain = heading
	}
	return strings.Map(func(r rune) rune {
		switch {
		case r == '-' || r == '_' || r == '*' || unicode.IsSpace(r) || r == '\ufeff':
			return -1
		}
		return unicode.ToLower(r)
	}, strings.ReplaceAll(plain, "ß", "ss"))
}

// OwnPrefix begins the headings of the columns that the program's own downloads
// add. Such a column means nothing in a file that comes back, and is not missed.
const OwnPrefix = "tallyman_"

func isOwn(heading string) bool {
	return strings.HasPrefix(strings.ToLower(strings.TrimSpace(heading)), OwnPrefix)
}

// nearest returns the candidate closest to the heading, if one is close enough
// to be a misspelling.
func nearest(heading string, candidates []string) string {
	want := fold(heading)
	best, bestDistance := "", 1+len(want)/3
	for _, c := range candidates {
		if d := distance(want, fold(c), bestDistance); d < bestDistance {
			best, bestDistance = c, d
		}
	}
	return best
}

// distance is the Levenshtein distance of a and b, or bound when it is not less.
func distance(a, b string, bound int) int {
	if len(a)-len(b) >= bound || len(b)-len(a) >= bound {
		return bound
	}
	prev := make([]int, len(b)+1)
	for j := range prev {
		prev[j] = j
	}
	for i := 1; i <= len(a); i++ {
		diagonal := prev[0]
		prev[0] = i
		for j := 1; j <= len(b); j++ {
			cost := diagonal
			if a[i-1] != b[j-1] {
				cost = 1 + min(diagonal, prev[j], prev[j-1])
			}
			diagonal, prev[j] = prev[j], cost
		}
	}
	return min(prev[len(b)], bound)
}
