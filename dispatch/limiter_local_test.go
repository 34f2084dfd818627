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
		l := localLimiter{rate.NewLimiter(perSecond, 1)}
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
