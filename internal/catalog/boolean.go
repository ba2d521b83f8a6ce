package catalog

import "strings"

// ParseBoolean reads true, false, 1, 0, yes, no, y or n in any case, and
// returns "true" or "false".
func ParseBoolean(cell string, ps []Problem) (string, []Problem) {
	s, ps := bare(cell, ps)
	if s == "" {
		return "", ps
	}
	for _, word := range [...]string{"true", "1", "yes", "y"} {
		if strings.EqualFold(s, word) {
			return "true", ps
		}
	}
	for _, word := range [...]string{"false", "0", "no", "n"} {
		if strings.EqualFold(s, word) {
			return "false", ps
		}
	}
	return "", refuse(ps, CodeInvalidBoolean, cell, "The value is neither true nor false; write true, false, yes, no, 1 or 0.")
}
