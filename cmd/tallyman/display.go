package main

import (
	"fmt"
	"io"
	"time"
)

// display shows how an import moves on.
type display interface {
	show(v view)
	// close ends the display; more calls do nothing.
	close()
}

// display returns the display that fits who is looking: a bar for a person,
// lines for a pipe, nothing for --quiet.
func (p *program) display(w io.Writer, quiet bool) display {
	switch {
	case quiet:
		return nothing{}
	case p.terminal:
		return newBar(w, p.now)
	}
	return &lines{w: w, now: p.now}
}

type nothing struct{}

func (nothing) show(view) {}
func (nothing) close()    {}

// lineTime is the least time between two lines.
const lineTime = time.Second

// lines prints a plain line about every second, and only when something moved.
type lines struct {
	w    io.Writer
	now  func() time.Time
	last time.Time
	rate meter
	said string
}

func (l *lines) show(v view) {
	now := l.now()
	l.rate.add(now, v.moved())
	text := l.text(v)
	if text == l.said || v.rests() || now.Sub(l.last) < lineTime {
		return
	}
	// The first look comes too soon to tell anything.
	first := l.last.IsZero()
	l.last = now
	if first && v.moved() == 0 && v.WaitingFor == "" {
		return
	}
	l.said = text
	if v.WaitingFor != "" {
		fmt.Fprintln(l.w, text)
		return
	}
	fmt.Fprintf(l.w, "%s%s\n", text, l.rate.pace(v))
}

func (l *lines) text(v view) string {
	if v.WaitingFor != "" {
		return v.waits()
	}
	if v.moved() == 0 {
		if v.goal() == 0 {
			return stateWords(v.State)
		}
		return fmt.Sprintf("%s: %s found", stateWords(v.State), counted(v.goal(), "row"))
	}
	return v.progress()
}

func (l *lines) close() {}
