package handlers

import (
	"net/netip"
	"testing"
	"time"
)

var noon = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

func from(source, address string) sender {
	return sender{source, networkOf(netip.MustParseAddr(address).Unmap())}
}

func TestFailuresAreLimitedBySourceAndNetwork(t *testing.T) {
	t.Parallel()
	f, now := &failureLimiter{}, noon
	ip := netip.MustParseAddr("2001:db8::1")
	for i := range failures.burst {
		if wait := f.add(from("website", ip.String()), now); wait != 0 {
			t.Fatalf("failure %d waits %s", i+1, wait)
		}
		ip = ip.Next()
	}
	for _, c := range []struct {
		source, address string
		after, want     time.Duration
	}{
		{"website", "2001:db8::ffff", 0, failures.every},
		{"website", "2001:db8:0:1::1", 0, 0},
		{"hubspot", "2001:db8::1", 0, 0},
		{"website", "192.0.2.1", 0, 0},
		{"website", "::ffff:192.0.2.1", 0, 0},
		{"website", "2001:db8::1", failures.every / 2, failures.every / 2},
		{"website", "2001:db8::1", failures.every, 0},
		{"website", "2001:db8::1", failures.every, failures.every},
	} {
		if wait := f.admit(from(c.source, c.address), now.Add(c.after)).wait; wait != c.want {
			t.Errorf("%s from %s after %s is admitted after %s, want %s", c.source, c.address, c.after, wait, c.want)
		}
		if wait := f.add(from(c.source, c.address), now.Add(c.after)); wait != c.want {
			t.Errorf("%s from %s after %s waits %s, want %s", c.source, c.address, c.after, wait, c.want)
		}
	}
}

// A forger and a CRM may share an address: behind a proxy that is not in
// HTTP_TRUSTED_PROXIES, or because both use the same service.
func TestProvedSenderIsVerifiedUntilItHasFailedFarMoreOften(t *testing.T) {
	t.Parallel()
	f, s := &failureLimiter{}, from("website", "192.0.2.1")
	f.prove(s, noon)
	for i := range guesses.burst {
		if a := f.admit(s, noon); a.wait != 0 || !a.proved || !a.fresh {
			t.Fatalf("after %d failures: %+v", i, a)
		}
		f.add(s, noon)
		f.guessed(s, noon)
	}
	if wait := f.add(s, noon); wait != failures.every {
		t.Errorf("a failure waits %s, want %s: proved or not, it is answered 429", wait, failures.every)
	}
	for _, c := range []struct {
		name   string
		sender sender
		after  time.Duration
		want   admission
	}{
		{"at once", s, 0, admission{guesses.every, true, true}},
		{"after the time of one guess", s, guesses.every, admission{0, true, true}},
		{"proved a while ago", s, proveEvery, admission{0, true, false}},
		{"proved too long ago", s, provedFor, admission{0, false, false}},
		{"another source", from("hubspot", "192.0.2.1"), 0, admission{}},
		{"another network", from("website", "192.0.2.2"), 0, admission{}},
	} {
		if got := f.admit(c.sender, noon.Add(c.after)); got != c.want {
			t.Errorf("%s: %+v, want %+v", c.name, got, c.want)
		}
	}
}

func TestRememberedSendersAreBoundedAndForgersPushNoProvedOneOut(t *testing.T) {
	t.Parallel()
	f, crm := &failureLimiter{}, from("website", "192.0.2.1")
	f.prove(crm, noon)
	ip := netip.MustParseAddr("10.0.0.1")
	for range 5 * maxSenders {
		f.add(from("website", ip.String()), noon)
		f.guessed(from("website", ip.String()), noon)
		ip = ip.Next()
	}
	if n := len(f.failed.newer) + len(f.failed.older); n > 2*maxSenders {
		t.Errorf("%d addresses are remembered, want %d at most", n, 2*maxSenders)
	}
	if !f.admit(crm, noon).proved {
		t.Error("the proved sender is forgotten")
	}
	for range 5 * maxSenders {
		f.prove(from("website", ip.String()), noon)
		ip = ip.Next()
	}
	if n := len(f.proved.newer) + len(f.proved.older); n > 2*maxSenders {
		t.Errorf("%d proved addresses are remembered, want %d at most", n, 2*maxSenders)
	}
}

func TestLeftOutLinesAreCounted(t *testing.T) {
	t.Parallel()
	s := &sampler{kinds: map[lineKind]*sample{}}
	limited := lineKind{"website", true}
	for i := range 50 {
		if keep, _ := s.keep(limited, noon); keep != (i == 0) {
			t.Fatalf("line %d is written: %t", i+1, keep)
		}
	}
	if keep, _ := s.keep(lineKind{"website", false}, noon); !keep {
		t.Error("a line of another kind is left out")
	}
	if keep, _ := s.keep(lineKind{"hubspot", true}, noon); !keep {
		t.Error("a line of another source is left out")
	}
	if keep, leftOut := s.keep(limited, noon.Add(limitedLines.every)); !keep || leftOut != 49 {
		t.Errorf("the next line: written %t, %d left out, want 49", keep, leftOut)
	}
}
