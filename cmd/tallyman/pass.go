package main

import (
	"fmt"
	"strings"
)

// planning reports whether the pass at work, or the one that stands still, makes a
// plan.
func (v *view) planning() bool {
	switch v.State {
	case "planning", "planned":
		return true
	case "pausing", "paused", "terminating":
		return v.Pass == "plan" || strings.HasPrefix(v.Pass, "plan-")
	}
	return false
}

// again reports whether the pass at work runs a part of the rows once more: then
// what was done before it is no part of its progress.
func (v *view) again() bool { return v.Round > 0 && (v.RoundRows > 0 || !v.ended()) }

// goal is how many rows the pass at work is about; 0 while that is not known.
func (v *view) goal() int64 {
	if v.again() {
		return max(v.RoundRows, v.moved())
	}
	return v.total()
}

// moved is how many rows the pass at work has done: a plan counts by itself, and so
// does a retry.
func (v *view) moved() int64 {
	switch {
	case v.planning():
		return v.Plan.rows()
	case v.again():
		return v.RoundDone
	}
	return v.ProcessedRows
}

// progress says how far the pass at work is.
func (v *view) progress() string {
	if v.State == "rolling_back" {
		return stateWords(v.State)
	}
	text := fmt.Sprintf("%s of %s", number(v.moved()), counted(v.goal(), "row"))
	failed := v.ErrorRows
	switch {
	case v.planning():
		text = "planned " + text
		failed = v.Plan.failed()
	case v.again() && !v.ended():
		failed = 0 // they are those of before as well
	}
	if failed > 0 {
		text += fmt.Sprintf(", %s failed", number(failed))
	}
	return text
}

// soFar is how many rows of how many a listing shows: while the import moves those
// of the pass at work, then all.
func (v *view) soFar() string {
	if v.ended() {
		return number(v.ProcessedRows) + "/" + number(v.total())
	}
	return number(v.moved()) + "/" + number(v.goal())
}

// doneBefore says in a few words how far the import was before the retry that it
// is at.
func (v *view) doneBefore() string {
	if v.ProcessedRows == v.total() {
		return "done"
	}
	return fmt.Sprintf("%s of %s done", number(v.ProcessedRows), counted(v.total(), "row"))
}

// planHeadline says how the plan of an import stands that is planned, or paused
// while it was.
func (v *view) planHeadline() string {
	what := "a retry of " + counted(v.goal(), "row")
	switch {
	case v.planned() && v.Round > 0:
		return fmt.Sprintf("%s; %s is planned", v.doneBefore(), what)
	case v.planned():
		return "planned; nothing of it is written yet"
	case v.Round > 0:
		return fmt.Sprintf("%s; paused while %s is planned", v.doneBefore(), what)
	}
	return "paused while it is planned; nothing of it is written yet"
}

// pausedWords says where an import was paused.
func (v *view) pausedWords() string {
	switch {
	case v.goal() == 0:
		return fmt.Sprintf("Import %s is paused.", v.ID)
	case v.planning():
		return fmt.Sprintf("Import %s is paused after %s of %s were planned.", v.ID, number(v.moved()), counted(v.goal(), "row"))
	}
	return fmt.Sprintf("Import %s is paused after %s of %s.", v.ID, number(v.moved()), counted(v.goal(), "row"))
}
