package main

import (
	"log/slog"
	"strings"
	"time"
)

// remindEvery is how often the log hears of what is still wrong.
const remindEvery = time.Minute

// complaint tells the log of something that is done again and again: once when it
// goes wrong, now and then while it does, and once when it is well again. It is for
// one goroutine.
type complaint struct {
	log  *slog.Logger
	what string
	now  func() time.Time

	since, said time.Time // zero while it is well
	failures    int       // since it went wrong
}

// hear takes what became of a try.
func (c *complaint) hear(err error) {
	now := c.now()
	switch {
	case err == nil && c.failures > 0:
		c.log.Info(c.what+": well again", "failures", c.failures, "after", now.Sub(c.since).Round(time.Second).String())
		c.failures = 0
	case err == nil:
	case c.failures == 0:
		c.failures, c.since, c.said = 1, now, now
		c.log.Warn(c.what, "error", oneLine(err))
	default:
		c.failures++
		if now.Sub(c.said) >= remindEvery {
			c.said = now
			c.log.Warn(c.what, "error", oneLine(err), "failures", c.failures, "for", now.Sub(c.since).Round(time.Second).String())
		}
	}
}

// oneLine is an error without line breaks.
func oneLine(err error) string { return strings.ReplaceAll(err.Error(), "\n", "; ") }
