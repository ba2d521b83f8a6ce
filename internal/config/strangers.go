package config

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// prefix is how the names of the program's environment variables begin; those of
// its tests begin with testPrefix.
const (
	prefix     = "TALLYMAN_"
	testPrefix = "TALLYMAN_TEST_"
)

// linked are the names that container platforms give the address of a service
// called tallyman.
var linked = regexp.MustCompile(`_(SERVICE_HOST|SERVICE_PORT(_.+)?|PORT(_[0-9]+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)?)$`)

// Strangers returns a sentence for each variable of an environment (NAME=VALUE)
// that looks like one of the program's and is none: a misspelt name sets nothing.
// known are the names that there are; a secret's has another with _FILE behind it.
// Values are not shown. The sentences are in order of names.
func Strangers(environment, known []string) []string {
	var all []string
	for _, entry := range slices.Sorted(slices.Values(environment)) {
		name, _, _ := strings.Cut(entry, "=")
		if !strings.HasPrefix(name, prefix) || strings.HasPrefix(name, testPrefix) || slices.Contains(known, name) ||
			linked.MatchString(name) {
			continue
		}
		sentence := fmt.Sprintf("The environment variable %s is none of this program's, and sets nothing", name)
		if near := nearest(name, known); near != "" {
			sentence += "; is " + near + " meant?"
		} else {
			sentence += "."
		}
		all = append(all, sentence)
	}
	return all
}

// farthest is how many letters a misspelt name may differ in.
const farthest = 3

// nearest returns the known name that differs least, the first of several; "" where
// none is near.
func nearest(name string, known []string) string {
	best, least := "", farthest+1
	for _, k := range slices.Sorted(slices.Values(known)) {
		if d := distance(name, k); d < least {
			best, least = k, d
		}
	}
	return best
}

// distance is how many letters have to be put in, left out or replaced to make one
// word of the other.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j]+1, diagonal+1)
		}
	}
	return row[len(b)]
}
