package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// tick is the unit in which Linux counts CPU time.
const tick = 10 * time.Millisecond

// cpu is the CPU time that this process and everything below it have taken, as
// Linux tells it; 0 elsewhere.
func cpu() (sum time.Duration) {
	stats, _ := filepath.Glob("/proc/[0-9]*/stat")
	parent, used := map[int]int{}, map[int]time.Duration{}
	for _, path := range stats {
		text, err := os.ReadFile(path)
		if err != nil {
			continue // it has ended
		}
		// The name in brackets may hold anything.
		head, tail, _ := strings.Cut(string(text), " (")
		tail = tail[strings.LastIndex(tail, ")")+1:]
		var pid, ppid int
		var skip string
		var own, system, children, childrenSystem int64
		if _, err := fmt.Sscan(head, &pid); err != nil {
			continue
		}
		if _, err := fmt.Sscan(tail, &skip, &ppid, &skip, &skip, &skip, &skip, &skip, &skip, &skip, &skip, &skip, &own, &system, &children, &childrenSystem); err != nil {
			continue
		}
		parent[pid], used[pid] = ppid, time.Duration(own+system+children+childrenSystem)*tick
	}
	for pid, time := range used {
		for up := pid; up > 0; up = parent[up] {
			if up == os.Getpid() {
				sum += time
				break
			}
		}
	}
	return sum
}

// perRow is microseconds a row.
func perRow(d time.Duration, rows int64) float64 {
	return float64(d.Microseconds()) / float64(rows)
}
