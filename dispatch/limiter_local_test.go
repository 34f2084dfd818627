package dispatch

import (
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/time/rate"
)

func TestLocalLimiterHasABurstOfOne(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const perSecond, tokens = 20, 101
		l := localLimiter{rate.NewLimiter(perSecond, 1), func() float64 { return 1 }, make(chan struct{}, 1)}
		start := time.Now()
		for range tokens {
			release, err := l.acquire(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			release()
		}
		if took, want := time.Since(start), (tokens-1)*time.Second/perSecond; took < want-time.Millisecond || took > want+time.Millisecond {
			t.Errorf("%d tokens took %s, want %s", tokens, took, want)
		}
	})
}

// TestACallTakesMoreTokensAfterAResume: at a quarter of the rate, a call takes four.
func TestACallTakesMoreTokensAfterAResume(t *testing.T) {
	t.Parallel()
	const calls = 20_000
	for share, want := range map[float64]float64{1: 1, 0.25: 4, 0.625: 1.6, 0: 20} {
		sum := 0
		for range calls {
			sum += tokens(share)
		}
		if mean := float64(sum) / calls; mean < want*0.97 || mean > want*1.03 {
			t.Errorf("at a share of %v a call takes %v tokens, want %v", share, mean, want)
		}
	}
}
