package callabsim_test

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"callbridge/callab/callabsim"
)

func TestFaultAppliesToMatchingRequests(t *testing.T) {
	t.Parallel()
	f := setup(t, callabsim.Options{})
	f.sim.Fail(
		callabsim.Fault{Kind: callabsim.Refuse, CallTo: "+12025550111", Times: 2},
		callabsim.Fault{Kind: callabsim.Throttle},
		callabsim.Fault{Kind: callabsim.ErrorBefore, On: callabsim.OnQuery},
	)
	if got := f.codes(callTo, 2); got[0] != 429 || got[1] != 200 {
		t.Errorf("any number: %v, want 429 once", got)
	}
	if got := f.codes("+12025550111", 3); got[0] != 400 || got[1] != 400 || got[2] != 200 {
		t.Errorf("the number: %v, want 400 twice", got)
	}
	if a, err := f.do("GET", "/v1/calls/query", ""); err != nil || a.code != http.StatusInternalServerError {
		t.Errorf("list: HTTP %d: %v", a.code, err)
	}
}

func TestFaultsWithProbabilityAreRepeatable(t *testing.T) {
	t.Parallel()
	run := func(seed uint64) (refused int, pattern string) {
		f := setup(t, callabsim.Options{Seed: seed})
		f.sim.Fail(callabsim.Fault{Kind: callabsim.Refuse, Times: callabsim.Always, Probability: 0.3})
		var marks strings.Builder
		for _, code := range f.codes(callTo, 100) {
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

func TestMagicNumbersFailAsDocumented(t *testing.T) {
	t.Parallel()
	f := setup(t, callabsim.Options{MagicNumbers: true})
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
		if got := f.codes(to, 2); [2]int(got) != row.codes {
			t.Errorf("%s: HTTP %v, want %v", to, got, row.codes)
		}
		placed := 0
		for _, p := range f.sim.Placed() {
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
	f := setup(t, callabsim.Options{})
	if got := f.codes("+12025550190", 1); got[0] != http.StatusOK {
		t.Errorf("HTTP %d", got[0])
	}
}

func TestHangEndsWhenTheClientDisconnects(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		sim := callabsim.New(callabsim.Options{MagicNumbers: true})
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		began := time.Now()
		if got := serve(ctx, sim, "POST", "/v1/calls", createBody("+12025550193")); got != nil || time.Since(began) != time.Hour {
			t.Errorf("answer %v after %v", got, time.Since(began))
		}
		if placed := len(sim.Placed()); placed != 1 {
			t.Errorf("placed %d, want 1", placed)
		}
	})
}

func TestSlowAnswersAfterItsDelay(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		sim := callabsim.New(callabsim.Options{MagicNumbers: true})
		began := time.Now()
		got := serve(t.Context(), sim, "POST", "/v1/calls", createBody("+12025550199"))
		if got == nil || got.Code != http.StatusOK || time.Since(began) != 3*time.Second || len(sim.Placed()) != 1 {
			t.Errorf("answer %v after %v, placed %d", got, time.Since(began), len(sim.Placed()))
		}
	})
}

func TestInvalidFaultPanics(t *testing.T) {
	t.Parallel()
	for _, fault := range []callabsim.Fault{
		{}, {Kind: "explode"}, {Kind: callabsim.Slow}, {Kind: callabsim.Refuse, On: "monday"},
		{Kind: callabsim.Refuse, Times: -2}, {Kind: callabsim.Refuse, Probability: 2},
		{Kind: callabsim.HangAfter, Delay: -1},
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%+v is accepted", fault)
				}
			}()
			callabsim.New(callabsim.Options{}).Fail(fault)
		}()
	}
}
