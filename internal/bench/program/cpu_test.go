package program

import (
	"testing"
	"time"
)

func TestParseStat(t *testing.T) {
	line := "4711 (a (b) c) S 42 1 1 0 -1 4194560 1 2 3 4 100 50 7 3 20 0 1 0 99 0 0"
	pid, p, ok := parseStat(line)
	if want := (process{name: "a (b) c", parent: 42, used: 1600 * time.Millisecond}); !ok || pid != 4711 || p != want {
		t.Errorf("%d %+v %v, want %+v", pid, p, ok, want)
	}
	for _, line := range []string{"", "x (a) S 1", "1 (a) S 1 2 3", "1 a S 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16"} {
		if pid, p, ok := parseStat(line); ok {
			t.Errorf("%q: %d %+v", line, pid, p)
		}
	}
}
