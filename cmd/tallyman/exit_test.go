package main

import (
	"errors"
	"testing"

	"tallyman/internal/catalog"
)

// TestMessage checks that a fault is told whole, and nothing of it twice.
func TestMessage(t *testing.T) {
	why := errors.New("past its retention")
	for _, c := range []struct {
		err  error
		want string
	}{
		{why, "past its retention"},
		{&catalog.Fault{Kind: catalog.KindConflict, Message: "The rows are past their retention.", Err: why}, "The rows are past their retention."},
		{&catalog.Fault{Kind: catalog.KindRefused, Message: "The file is empty.", Hint: "Send another."}, "The file is empty. Send another."},
		{&catalog.Fault{Kind: catalog.KindInternal, Message: "It broke.", Err: why}, "It broke. (past its retention)"},
		{&catalog.Fault{Kind: catalog.KindInvalid, Message: "Wrong.", Fields: map[string][]string{"a": {"Wrong."}, "b": {"Too long."}}}, "Wrong. b: Too long."},
	} {
		if got := message(c.err); got != c.want {
			t.Errorf("%q, not %q", got, c.want)
		}
	}
}
