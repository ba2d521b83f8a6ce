package health

import (
	"context"
	"fmt"
)

// Room returns a check that min bytes are free of what free tells, and once they
// were not, a quarter more than that, so that a disk at the brink does not stop
// and start the node. where names the disk.
func Room(where string, min int64, free func() (int64, error)) func(context.Context) error {
	wanted := min
	return func(context.Context) error {
		n, err := free()
		if err != nil {
			return err
		}
		if n >= wanted {
			wanted = min
			return nil
		}
		wanted = min + min/4
		return &Bad{Sentence: fmt.Sprintf("The disk of %s has %s left of the %s that are kept free there; make room, or lower --min-free (TALLYMAN_MIN_FREE).",
			where, mebibytes(n), mebibytes(min))}
	}
}

func mebibytes(n int64) string { return fmt.Sprintf("%.1f MiB", float64(n)/(1<<20)) }
