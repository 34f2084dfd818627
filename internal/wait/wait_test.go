package wait_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"callbridge/internal/wait"
)

func TestForEndsWithTheTimeOrTheContext(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		begin := time.Now()
		if err := wait.For(t.Context(), time.Hour); err != nil || time.Since(begin) != time.Hour {
			t.Errorf("%v after %s", err, time.Since(begin))
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		begin = time.Now()
		if err := wait.For(ctx, time.Hour); err != context.DeadlineExceeded || time.Since(begin) != time.Minute {
			t.Errorf("with a context that ends: %v after %s", err, time.Since(begin))
		}
	})
}
