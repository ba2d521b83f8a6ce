package rest

import (
	"errors"
	"math"
	"strconv"
	"strings"

	"tallyman/internal/importer"
)

// The fields of the form that say when an import is not to go on by itself.

func asPlan(value string, opt *importer.Options) error {
	plan, ok := parseBool(value)
	if !ok {
		return errors.New("must be true or false")
	}
	opt.Plan = plan
	return nil
}

// asPolicy reads policy; stop stops at the first failed row where stop_after,
// which is read later, says nothing else.
func asPolicy(value string, opt *importer.Options) error {
	policy, ok := PolicyOf(value)
	if !ok {
		return errors.New("must be skip, stop or all_or_nothing")
	}
	opt.Policy = policy
	if policy == importer.PolicyStop {
		opt.StopAfter = 1
	}
	return nil
}

// PolicyOf returns the policy that a word stands for, and whether there is one.
func PolicyOf(word string) (importer.Policy, bool) {
	word = strings.ToLower(strings.TrimSpace(word))
	for policy, w := range policyWords {
		if w == word {
			return policy, true
		}
	}
	return "", false
}

func asStopAfter(value string, opt *importer.Options) error {
	n, err := strconv.ParseInt(strings.TrimSpace(value), 10, 64)
	if err != nil || n < 1 {
		return errors.New("must be a whole number from 1 on")
	}
	opt.StopAfter = n
	return nil
}

// stopAfterFits makes stop_after without a policy the policy stop, and reports
// whether the two go together.
func stopAfterFits(opt *importer.Options, policyGiven bool) bool {
	if opt.StopAfter > 0 && !policyGiven {
		opt.Policy = importer.PolicyStop
	}
	return opt.StopAfter == 0 || opt.Policy == importer.PolicyStop
}

// asPercent reads a limit in per cent.
func asPercent(to func(*importer.Options) **float64) func(string, *importer.Options) error {
	return func(value string, opt *importer.Options) error {
		n, err := strconv.ParseFloat(strings.TrimSpace(value), 64)
		if err != nil || n < 0 || math.IsNaN(n) || math.IsInf(n, 0) {
			return errors.New("must be a number of per cent, 0 or more")
		}
		*to(opt) = &n
		return nil
	}
}

func asMaxCleared(value string, opt *importer.Options) error {
	n, err := strconv.ParseInt(strings.TrimSpace(value), 10, 64)
	if err != nil || n < 0 {
		return errors.New("must be a whole number, 0 or more")
	}
	opt.Rails.ClearedOrDeleted = &n
	return nil
}

// maxFeed bounds a feed's name in bytes.
const maxFeed = 100

func asFeed(value string, opt *importer.Options) error {
	opt.Feed = strings.TrimSpace(value)
	if len(opt.Feed) > maxFeed {
		return errors.New("must have at most 100 bytes")
	}
	return nil
}
