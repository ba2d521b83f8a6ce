package main

import (
	"fmt"
	"io"
	"time"
)

// nextSteps are the command lines that can follow.
func (v *view) nextSteps(s sights, now time.Time) []string {
	var lines []string
	switch {
	case v.paused():
		lines = append(lines, "Go on: "+s.command("imports resume "+v.ID))
	case v.State == "rolling_back":
		lines = append(lines, "Follow it to its end: "+s.command("imports resume "+v.ID))
	case v.planned():
		lines = v.planSteps(s)
	}
	return append(append(lines, v.repairs(s)...), v.undoSteps(s, now)...)
}

// planSteps are what can be done with a plan.
func (v *view) planSteps(s sights) []string {
	switch {
	case v.Fingerprint == "":
		return []string{"Plan again: " + s.command("imports replan "+v.ID)}
	case v.barred():
		return nil
	}
	lines := []string{"See its changes: " + s.changes(v.ID, ofPlan)}
	for _, t := range v.trippedBy() {
		if t.filter != ofPlan {
			lines = append(lines, fmt.Sprintf("See the %s of the guard rail: %s", t.what, s.changes(v.ID, t.filter)))
		}
	}
	return append(lines, "Apply exactly this: "+v.applyCommand(s))
}

// repairs are what can be done about rows that are not as they were asked for.
func (v *view) repairs(s sights) []string {
	switch {
	case v.rolledBack():
		return []string{"Import the file again; nothing of this import stays."}
	case v.UndoneBy != "":
		return nil // its rows cannot run again
	case v.undo():
		return v.undoRepairs(s)
	case v.planned() && v.Fingerprint != "" && v.Plan.failed() > 0:
		return []string{"Correct the failed rows: " + s.failed(v.ID, true), "Then plan again: " + s.command("imports replan "+v.ID)}
	case v.State == "rolled_back" && v.Plan.failed() > 0:
		return []string{"Correct the failed rows: " + s.failed(v.ID, true), "Then run the rows again: " + s.command("imports retry "+v.ID)}
	case !v.ended():
		return nil
	}
	var lines []string
	if v.ErrorRows > 0 {
		lines = append(lines, "Correct the failed rows: "+s.failed(v.ID, false), "Then run them again: "+s.command("imports retry "+v.ID))
	}
	if v.HeldRows > 0 {
		lines = append(lines, "See the held rows: "+s.changes(v.ID, heldRows), "Apply them all the same: "+s.command("imports retry "+v.ID+" --held"))
	}
	return lines
}

// undoRepairs are what can be done about rows that an undo did not take back.
func (v *view) undoRepairs(s sights) []string {
	if !v.ended() {
		return nil
	}
	var lines []string
	if v.ErrorRows > 0 {
		lines = append(lines, "Run the failed rows again: "+s.command("imports retry "+v.ID))
	}
	if v.HeldRows > 0 {
		lines = append(lines, "See what was kept: "+s.kept(v.ID), "Take that back, too: "+s.command("imports retry "+v.ID+" --held"))
	}
	return lines
}

// undoSteps say whether the import can be taken back.
func (v *view) undoSteps(s sights, now time.Time) []string {
	switch {
	case v.UndoableUntil != nil && v.UndoableUntil.After(now):
		return []string{fmt.Sprintf("Take it back, until %s: %s", clock(*v.UndoableUntil), s.command("undo "+v.ID))}
	case v.ended() && v.State != "rolled_back" && v.UndoneBy == "" && v.CreatedRows+v.UpdatedRows+v.DeletedRows > 0:
		return []string{"It can no longer be taken back: what it replaced is past its retention."}
	}
	return nil
}

func printLines(w io.Writer, lines []string) {
	for _, line := range lines {
		fmt.Fprintln(w, line)
	}
}
