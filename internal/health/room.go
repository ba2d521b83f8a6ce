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
		return &Bad{Sentence: fmt.Sprintf("The disk of %s has %s left of the %s that are kept free there; make room, or set TALLYMAN_MIN_FREE lower (--min-free of serve and work).",
			where, size(n), size(min))}
	}
}

// size writes a number of bytes in the largest unit that it has one of.
func size(n int64) string {
	units := []string{"B", "KiB", "MiB", "GiB", "TiB", "PiB"}
	shown, unit := float64(n), 0
	for shown >= 1<<10 && unit < len(units)-1 {
		shown, unit = shown/(1<<10), unit+1
	}
	if unit == 0 {
		return fmt.Sprintf("%d B", n)
	}
	return fmt.Sprintf("%.1f %s", shown, units[unit])
}
