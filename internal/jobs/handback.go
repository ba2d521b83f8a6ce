package jobs

import (
	"errors"
	"fmt"
	"time"
)

// ErrGivenBack is what a handler returns that did not do its job, or not all of
// it, because the engine stops: the job is any node's at once, and the attempt
// does not count.
var ErrGivenBack = errors.New("the job was given back")

// PutOff returns an error for a job that cannot be done just now through no fault
// of its own: it is tried again after wait, however often it takes, and counts
// neither as an attempt nor as a failure.
func PutOff(wait time.Duration, cause error) error { return &putOff{wait: wait, cause: cause} }

type putOff struct {
	wait  time.Duration
	cause error
}

func (e *putOff) Error() string { return fmt.Sprintf("put off for %s: %v", e.wait, e.cause) }

func (e *putOff) Unwrap() error { return e.cause }
