package main

import (
	"io"
	"sync/atomic"
	"time"

	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"
)

// bar is a progress bar for a terminal: rows, rate, time left and failures.
type bar struct {
	progress *mpb.Progress
	bar      *mpb.Bar
	now      func() time.Time
	rate     meter
	// text stands behind the bar. The bar is drawn by a goroutine of its own.
	text   atomic.Pointer[string]
	closed bool
}

// barWidth is the width of the bar itself, in characters; on a narrow terminal it
// gives way to the numbers.
const barWidth = 30

func newBar(w io.Writer, now func() time.Time) *bar {
	b := &bar{now: now, progress: mpb.New(mpb.WithOutput(w), mpb.WithAutoRefresh())}
	b.text.Store(new(string))
	b.bar = b.progress.New(0, mpb.BarStyle(), mpb.BarWidth(barWidth),
		mpb.AppendDecorators(
			decor.NewPercentage("% d"),
			decor.Any(func(decor.Statistics) string { return *b.text.Load() }),
		))
	return b
}

func (b *bar) show(v view) {
	b.rate.add(b.now(), v.moved())
	text := "  " + v.progress() + b.rate.pace(v)
	if v.moved() == 0 {
		text = "  " + stateWords(v.State)
	}
	if v.WaitingFor != "" {
		text = "  " + v.waits()
	}
	b.text.Store(&text)
	b.bar.SetTotal(v.goal(), false)
	b.bar.SetCurrent(v.moved())
	if v.State == "done" || v.planned() {
		b.bar.SetTotal(-1, true)
	}
}

func (b *bar) close() {
	if b.closed {
		return
	}
	b.closed = true
	b.bar.Abort(false)
	b.progress.Wait()
}
