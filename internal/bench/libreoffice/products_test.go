package main

import "testing"

// Every bad row has a right value of its own, so that one which went to another row
// shows.
func TestEachCorrectionIsItsOwn(t *testing.T) {
	titles, texts := map[string]bool{}, map[string]bool{}
	bad := 0
	for _, p := range products() {
		if titles[p.title()] {
			t.Errorf("two rows are called %s", p.title())
		}
		titles[p.title()] = true
		for _, f := range p.truth {
			if key := f.heading + f.text; texts[key] {
				t.Errorf("two rows are to have %s %s", f.heading, f.text)
			} else {
				texts[key] = true
			}
		}
		if len(p.truth) > 0 {
			bad++
		}
	}
	if bad < len(oddities)/2 || bad == len(titles) {
		t.Errorf("%d of %d rows are bad", bad, len(titles))
	}
}
