package jobs

import "time"

// clock is the time that River goes by: what it compares with the times in the
// database, where a node's own clock may be wrong.
type clock struct{ now func() time.Time }

// Now implements rivertype.TimeGenerator.
func (c clock) Now() time.Time { return c.now() }

// NowOrNil leaves the times of statements to the database, which has one clock.
func (c clock) NowOrNil() *time.Time { return nil }
