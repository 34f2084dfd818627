package callabsim_test

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"callbridge/callab/callabsim"
)

// codes places calls and returns the HTTP statuses; 0 is no answer.
func (w *world) codes(to string, times int) []int {
	w.t.Helper()
	got := make([]int, times)
	for i := range got {
		if a, err := w.do("POST", "/v1/calls", createBody(to)); err == nil {
			got[i] = a.code
		}
	}
	return got
}

func TestFaultStrikesWhatItFits(t *testing.T) {
	t.Parallel()
	w := setup(t, callabsim.Options{})
	w.sim.Fail(
		callabsim.Fault{Kind: callabsim.Refuse, CallTo: "+12025550111", Times: 2},
		callabsim.Fault{Kind: callabsim.Throttle},
		callabsim.Fault{Kind: callabsim.ErrorBefore, On: callabsim.OnQuery},
	)
	if got := w.codes(callTo, 2); got[0] != 429 || got[1] != 200 {
		t.Errorf("any number: %v, want 429 once", got)
	}
	if got := w.codes("+12025550111", 3); got[0] != 400 || got[1] != 400 || got[2] != 200 {
		t.Errorf("the number: %v, want 400 twice", got)
	}
	if a, err := w.do("GET", "/v1/calls/query", ""); err != nil || a.code != http.StatusInternalServerError {
		t.Errorf("list: HTTP %d: %v", a.code, err)
	}
}

func TestFaultsWithProbabilityRepeatWithTheirSeed(t *testing.T) {
	t.Parallel()
	run := func(seed uint64) (refused int, pattern string) {
		w := setup(t, callabsim.Options{Seed: seed})
		w.sim.Fail(callabsim.Fault{Kind: callabsim.Refuse, Times: callabsim.Always, Probability: 0.3})
		var marks strings.Builder
		for _, code := range w.codes(callTo, 100) {
			if code == http.StatusBadRequest {
				refused++
				marks.WriteByte('x')
			} else {
				marks.WriteByte('.')
			}
		}
		return refused, marks.String()
	}
	refused, first := run(1)
	_, again := run(1)
	_, other := run(2)
	if first != again || first == other {
		t.Errorf("seed 1: %s\nseed 1: %s\nseed 2: %s", first, again, other)
	}
	if refused < 15 || refused > 45 {
		t.Errorf("refused %d of 100 with probability 0.3", refused)
	}
}

func TestMagicNumbers(t *testing.T) {
	t.Parallel()
	w := setup(t, callabsim.Options{MagicNumbers: true})
	for _, row := range []struct {
		last   string
		codes  [2]int // of two calls; 0 is an answer that cannot be read
		placed int
	}{
		{"42", [2]int{200, 200}, 2},
		{"90", [2]int{400, 400}, 0},
		{"91", [2]int{429, 200}, 1},
		{"92", [2]int{500, 500}, 2},
		{"94", [2]int{0, 0}, 2},
		{"95", [2]int{200, 200}, 0},
		{"96", [2]int{500, 200}, 1},
		{"97", [2]int{0, 0}, 2},
		{"98", [2]int{200, 200}, 2},
	} {
		to := "+120255501" + row.last
		if got := w.codes(to, 2); [2]int(got) != row.codes {
			t.Errorf("%s: HTTP %v, want %v", to, got, row.codes)
		}
		placed := 0
		for _, p := range w.sim.Placed() {
			if p.Mentions(to) {
				placed++
			}
		}
		if placed != row.placed {
			t.Errorf("%s: placed %d, want %d", to, placed, row.placed)
		}
	}
}

func TestMagicNumbersAreOffByDefault(t *testing.T) {
	t.Parallel()
	w := setup(t, callabsim.Options{})
	if got := w.codes("+12025550190", 1); got[0] != http.StatusOK {
		t.Errorf("HTTP %d", got[0])
	}
}

func TestHangEndsWhenTheClientLeaves(t *testing.T) {
	t.Parallel()
	w := setup(t, callabsim.Options{MagicNumbers: true})
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, "POST", w.url+"/v1/calls", strings.NewReader(createBody("+12025550193")))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer t0ken")
	if resp, err := http.DefaultClient.Do(req); err == nil {
		resp.Body.Close()
		t.Errorf("answered HTTP %d", resp.StatusCode)
	}
	// The server of the world closes only when no answer hangs any more.
}

func TestFaultThatMakesNoSensePanics(t *testing.T) {
	t.Parallel()
	for _, fault := range []callabsim.Fault{
		{}, {Kind: "explode"}, {Kind: callabsim.Slow}, {Kind: callabsim.Refuse, On: "monday"},
		{Kind: callabsim.Refuse, Times: -2}, {Kind: callabsim.Refuse, Probability: 2},
		{Kind: callabsim.HangAfter, Delay: -1},
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%+v is taken", fault)
				}
			}()
			callabsim.New(callabsim.Options{}).Fail(fault)
		}()
	}
}
