package embedded

import "testing"

func TestRoomForWebhooks(t *testing.T) {
	t.Parallel()
	const mb = 1 << 20
	for name, c := range map[string]struct {
		room  room
		taken taken
		want  bool
	}{
		"empty":                        {room{limit: 100 * mb}, taken{1, 1000}, true},
		"nine tenths used":             {room{used: 90 * mb, limit: 100 * mb}, taken{1, 1000}, false},
		"little less":                  {room{used: 89 * mb, limit: 100 * mb}, taken{1, 1000}, true},
		"the rest is reserved":         {room{used: 50 * mb, reserved: 41 * mb, limit: 100 * mb}, taken{}, false},
		"a webhook counts three times": {room{limit: 100 * mb}, taken{1, 30 * mb}, false},
		"and fits below that":          {room{limit: 100 * mb}, taken{1, 29 * mb}, true},
		"many small ones":              {room{limit: 100 * mb}, taken{11_600, 0}, false},
		"a tiny store":                 {room{limit: 1000}, taken{1, 100}, false},
	} {
		if got := c.room.accepts(c.taken); got != c.want {
			t.Errorf("%s: accepts is %t", name, got)
		}
	}
	if !(room{free: 6, limit: 100}).takesRestart() || (room{free: 4, limit: 100}).takesRestart() {
		t.Error("a restart needs a twentieth of a small limit")
	}
	if !(room{free: 65 * mb, limit: 1 << 40}).takesRestart() || (room{free: 63 * mb, limit: 1 << 40}).takesRestart() {
		t.Error("a restart needs 64 MB of a large limit")
	}
}

// TestAStoreThatRefusesTheSmallestWebhookIsNotReady: the last webhook that fitted leaves less
// than one more needs.
func TestAStoreThatRefusesTheSmallestWebhookIsNotReady(t *testing.T) {
	t.Parallel()
	s := &Server{}
	s.monitor.room = room{limit: 1_000_000, used: 895_000}
	if err := s.Accept(1, 100); err == nil {
		t.Fatal("a webhook is accepted")
	}
	if err := s.Ready(); err == nil {
		t.Error("ready, although every webhook is refused")
	}
	s.monitor.room.used = 880_000
	if err := s.Ready(); err != nil {
		t.Errorf("with room for one: %v", err)
	}
}
