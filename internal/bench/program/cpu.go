package program

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// tick is the unit in which Linux counts processor time.
const tick = 10 * time.Millisecond

// CPU is the processor time that this process and everything below it have taken,
// by the names of programs, as Linux tells it; nothing elsewhere.
func CPU() map[string]time.Duration {
	stats, _ := filepath.Glob("/proc/[0-9]*/stat")
	all := map[int]process{}
	for _, path := range stats {
		text, err := os.ReadFile(path)
		if err != nil {
			continue // it has ended
		}
		if pid, p, ok := parseStat(string(text)); ok {
			all[pid] = p
		}
	}
	used := map[string]time.Duration{}
	for pid, p := range all {
		for up := pid; up > 0; up = all[up].parent {
			if up == os.Getpid() {
				used[p.name] += p.used
				break
			}
		}
	}
	return used
}

// process is what Linux says of one.
type process struct {
	name   string
	parent int
	used   time.Duration // by it and by the children that it has waited for
}

// parseStat reads /proc/PID/stat (proc(5)): the name stands in brackets and may
// hold anything.
func parseStat(text string) (pid int, p process, ok bool) {
	head, tail, _ := strings.Cut(text, " (")
	end := strings.LastIndex(tail, ")")
	if _, err := fmt.Sscan(head, &pid); err != nil || end < 0 {
		return 0, p, false
	}
	p.name = tail[:end]
	fields := strings.Fields(tail[end+1:])
	if len(fields) < 15 {
		return 0, p, false
	}
	if _, err := fmt.Sscan(fields[1], &p.parent); err != nil {
		return 0, p, false
	}
	for _, field := range fields[11:15] { // utime, stime, cutime, cstime
		var ticks int64
		if _, err := fmt.Sscan(field, &ticks); err != nil {
			return 0, p, false
		}
		p.used += time.Duration(ticks) * tick
	}
	return pid, p, true
}
