package telemetry

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// Many that ask at once are one question, and so are those soon after.
func TestPolledAsksOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		asked := 0
		p := newPolled(func(context.Context) (int, error) {
			asked++
			time.Sleep(time.Second)
			return asked, nil
		})
		var wg sync.WaitGroup
		for range 10 {
			wg.Go(func() {
				if v, err := p.get(); v != 1 || err != nil {
					t.Errorf("got %d, %v", v, err)
				}
			})
		}
		wg.Wait()
		time.Sleep(keepAnswers - time.Nanosecond)
		if v, _ := p.get(); v != 1 {
			t.Errorf("asked again before %s", keepAnswers)
		}
		time.Sleep(time.Nanosecond)
		if v, _ := p.get(); v != 2 {
			t.Errorf("the answer is %d after %s, want a new one", v, keepAnswers)
		}
	})
}

// One that never returns is waited for once in a while, and not asked twice.
func TestPolledDoesNotHang(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		asked, stuck := 0, make(chan struct{})
		p := newPolled(func(context.Context) (int, error) {
			asked++
			<-stuck
			return 7, nil
		})
		for range 2 {
			start := time.Now()
			if _, err := p.get(); !errors.Is(err, errNoAnswer) || time.Since(start) != patience {
				t.Errorf("got %v after %s", err, time.Since(start))
			}
		}
		close(stuck)
		synctest.Wait()
		if v, err := p.get(); v != 7 || err != nil || asked != 1 {
			t.Errorf("got %d, %v, asked %d times", v, err, asked)
		}
	})
}
