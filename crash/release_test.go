//go:build unix

package crash_test

import (
	"bytes"
	"os"
	"testing"
)

// TestReleaseHasNoCrashPoints: what operators get cannot be told to kill
// itself or to forget its fence.
func TestReleaseHasNoCrashPoints(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		path string
		want bool
	}{{release(t), false}, {hooked(t), true}} {
		program, err := os.ReadFile(c.path)
		if err != nil {
			t.Fatal(err)
		}
		if has := bytes.Contains(program, []byte("CRASHTEST_PLAN")); has != c.want {
			t.Errorf("%s has crash points: %v, want %v", c.path, has, c.want)
		}
	}
}
