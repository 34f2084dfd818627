// Package wait waits for a duration or for the end of a context, whichever comes first.
package wait

import (
	"context"
	"time"
)

// For waits for d, or returns the error of ctx.
func For(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}
