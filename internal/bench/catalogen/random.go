package catalogen

// random is SplitMix64 (Steele, Lea, Flood 2014): a row's numbers are drawn
// from a generator that costs nothing to start, and its bytes are the same
// whatever Go's own generators become.
type random struct{ state uint64 }

func newRandom(seed, index, salt uint64) random {
	r := random{state: seed ^ index*0x9E3779B97F4A7C15 ^ salt*0xD1342543DE82EF95}
	r.next()
	return r
}

func (r *random) next() uint64 {
	r.state += 0x9E3779B97F4A7C15
	z := r.state
	z = (z ^ z>>30) * 0xBF58476D1CE4E5B9
	z = (z ^ z>>27) * 0x94D049BB133111EB
	return z ^ z>>31
}

// below returns a number from 0 to n-1.
func (r *random) below(n int) int { return int(r.next() >> 32 * uint64(n) >> 32) }

func (r *random) pick(list []string) string { return list[r.below(len(list))] }
