package main

import (
	"fmt"
	"time"
)

// meter measures the rate of rows over the last few seconds, so that a pause or
// a slow beginning does not count for ever.
type meter struct{ samples []sample }

type sample struct {
	at   time.Time
	rows int64
}

// meterTime is how far back a meter looks.
const meterTime = 10 * time.Second

// add takes a sample. Fewer rows than before are those of another pass, which
// has a rate of its own.
func (m *meter) add(at time.Time, rows int64) {
	if last := len(m.samples) - 1; last >= 0 && rows < m.samples[last].rows {
		m.samples = nil
	}
	m.samples = append(m.samples, sample{at: at, rows: rows})
	for len(m.samples) > 2 && at.Sub(m.samples[1].at) >= meterTime {
		m.samples = m.samples[1:]
	}
}

// perSecond is the rate in rows, 0 while it cannot be told.
func (m *meter) perSecond() float64 {
	if len(m.samples) < 2 {
		return 0
	}
	first, last := m.samples[0], m.samples[len(m.samples)-1]
	seconds := last.at.Sub(first.at).Seconds()
	if seconds <= 0 {
		return 0
	}
	return float64(last.rows-first.rows) / seconds
}

// pace words how fast the rows go and how long the rest will take, where that
// can be told.
func (m *meter) pace(v view) string {
	perSecond := m.perSecond()
	if perSecond < 1 {
		return ""
	}
	text := fmt.Sprintf(", %s rows/s", number(int64(perSecond)))
	if left := v.goal() - v.moved(); left > 0 {
		d := time.Duration(float64(left) / perSecond * float64(time.Second))
		text += ", " + max(d.Round(time.Second), time.Second).String() + " left"
	}
	return text
}
