package lookup

import (
	"strconv"
	"testing"
	"time"

	"callbridge/mapping"
)

var noon = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

func TestGateGivesEachEventItsTurn(t *testing.T) {
	t.Parallel()
	g, q := newGate(), &mapping.LookupRequest{Rate: 2}
	turns := map[string]time.Duration{}
	for i := range 6 {
		turns[strconv.Itoa(i)] = g.wait(strconv.Itoa(i), q, noon)
	}
	for i := range 6 {
		if got, want := turns[strconv.Itoa(i)], time.Duration(i)*time.Second/2; got != want {
			t.Errorf("event %d waits %s, want %s", i, got, want)
		}
	}
	// Who asks too early waits on; who comes in time has its turn, however
	// many came meanwhile.
	if got := g.wait("3", q, noon.Add(time.Second)); got != time.Second/2 {
		t.Errorf("too early: waits %s more", got)
	}
	if got := g.wait("3", q, noon.Add(1500*time.Millisecond)); got != 0 {
		t.Errorf("in time: waits %s more", got)
	}
	if got := g.wait("new", q, noon.Add(1500*time.Millisecond)); got != 1500*time.Millisecond {
		t.Errorf("a newcomer waits %s, want 1.5s", got)
	}
}

func TestTurnsThatNobodyTakesAreForgotten(t *testing.T) {
	t.Parallel()
	g, q := newGate(), &mapping.LookupRequest{Rate: 1000}
	for i := range 5 * turnsMany {
		g.wait(strconv.Itoa(i), q, noon.Add(time.Duration(i)*10*time.Microsecond))
	}
	g.wait("much later", q, noon.Add(time.Hour))
	if n := len(g.turns); n > turnsMany {
		t.Errorf("%d turns are kept", n)
	}
}

func TestPauseSendsEverybodyToTheEndOfTheQueue(t *testing.T) {
	t.Parallel()
	g, q := newGate(), &mapping.LookupRequest{Rate: 1}
	for _, id := range []string{"a", "b", "c"} {
		g.wait(id, q, noon)
	}
	g.throttle(10*time.Second, noon)
	g.throttle(time.Second, noon) // a shorter one takes nothing back
	if got := g.wait("b", q, noon.Add(time.Second)); got != 9*time.Second {
		t.Errorf("waits %s, want 9s", got)
	}
	after := noon.Add(10 * time.Second)
	if b, c := g.wait("b", q, after), g.wait("c", q, after); b != 0 || c != time.Second {
		t.Errorf("after the pause b waits %s and c %s: they may not ask at the same time", b, c)
	}
}

func TestHoldGrowsAndEnds(t *testing.T) {
	t.Parallel()
	auth := mapping.Auth{Kind: mapping.AuthBearer, Token: "old"}
	g, q := newGate(), &mapping.LookupRequest{Rate: 1000, Auth: auth}
	now := noon
	for _, want := range []time.Duration{holdLeast, 2 * holdLeast, 4 * holdLeast} {
		if pause, _ := g.refuse(auth, now); pause != want || g.wait("a", q, now) != want || !g.held(now) {
			t.Errorf("held for %s, want %s", pause, want)
		}
		g.refuse(auth, now) // one that was on its way
		now = now.Add(want + time.Millisecond)
	}
	for range 10 {
		g.refuse(auth, now)
		now = now.Add(time.Hour)
	}
	if pause, news := g.refuse(auth, now); pause != holdMost || news {
		t.Errorf("held for %s (news: %t), want %s", pause, news, holdMost)
	}
	if !g.accept() || g.accept() || g.held(now) || g.wait("b", q, now) != 0 {
		t.Error("still held after the credentials were taken")
	}
	g.refuse(auth, now)
	if g.held(now.Add(time.Hour)) {
		t.Error("held although nobody has tried for an hour")
	}
	q.Auth.Token = "new"
	if later := now.Add(time.Second); g.wait("c", q, later) != 0 || g.held(later) {
		t.Error("still held with other credentials")
	}
}

func TestForbiddenIsAboutARecordUntilItIsAlways(t *testing.T) {
	t.Parallel()
	g := newGate()
	if !g.aboutUs() {
		t.Error("a CRM that never knew us does not mean one record")
	}
	g.accept()
	for i := range forbiddenMost {
		if g.aboutUs() {
			t.Errorf("the %d. in a row is not about us", i+1)
		}
	}
	if !g.aboutUs() {
		t.Errorf("more than %d in a row are about us", forbiddenMost)
	}
}
