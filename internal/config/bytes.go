package config

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// Bytes is a size in bytes, written as people do: 1048576, 512MB, 1GiB.
type Bytes int64

// byteUnits are the units a size may have, the largest first. Those of the SI
// are powers of 1000, those of the IEC powers of 1024.
var byteUnits = []struct {
	name string
	size int64
}{
	{"TiB", 1 << 40}, {"TB", 1e12},
	{"GiB", 1 << 30}, {"GB", 1e9},
	{"MiB", 1 << 20}, {"MB", 1e6},
	{"KiB", 1 << 10}, {"KB", 1e3},
	{"B", 1},
}

// UnmarshalText reads a whole number and a unit; without a unit it counts
// bytes. Case does not matter.
func (b *Bytes) UnmarshalText(text []byte) error {
	number, unit := splitUnit(string(text))
	size, ok := unitSize(unit)
	n, err := strconv.ParseInt(number, 10, 64)
	if !ok || err != nil || n < 0 || n > math.MaxInt64/size {
		return fmt.Errorf("size %q is none such as 1048576, 512MB or 1GiB (KB, MB, GB, TB; KiB, MiB, GiB, TiB)", text)
	}
	*b = Bytes(n * size)
	return nil
}

func splitUnit(text string) (number, unit string) {
	text = strings.TrimSpace(text)
	i := len(strings.TrimRight(text, "BKMGTIbkmgti"))
	return strings.TrimSpace(text[:i]), text[i:]
}

func unitSize(unit string) (int64, bool) {
	if unit == "" {
		return 1, true
	}
	for _, u := range byteUnits {
		if strings.EqualFold(u.name, unit) {
			return u.size, true
		}
	}
	return 0, false
}

// String writes the size exactly, in the largest unit that can.
func (b Bytes) String() string {
	for _, u := range byteUnits {
		if b != 0 && int64(b)%u.size == 0 {
			return strconv.FormatInt(int64(b)/u.size, 10) + u.name
		}
	}
	return "0B"
}
