//go:build unix

package crash_test

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"callbridge/bus/people"
	"callbridge/bus/personkey"
	"callbridge/bus/role"
	"callbridge/internal/testkit"
)

const (
	// capped is the number of people whom all events are about.
	capped = 20
	// mostCalls is the cap of the short form for each of them, mostCallsLong that of the
	// long form.
	mostCalls, mostCallsLong = 8, 40
)

// capOf is the cap of each person.
func capOf() int {
	if *long {
		return mostCallsLong
	}
	return mostCalls
}

func capsScenario(seed uint64) scenario {
	return scenario{
		bridges: 2, nats: 1, plan: points(seed, .0005), people: capped, environ: redial,
		policy: fmt.Sprintf(`{countries: [US], caps: {30d: %d}, expire: 1h}`, capOf()),
	}
}

// TestNobodyIsCalledAboveTheCap while two processes are killed and frozen and Callab fails:
// 20 people for all events. In the end everybody was called as often as the cap allows.
func TestNobodyIsCalledAboveTheCap(t *testing.T) {
	t.Parallel()
	s := capsScenario(21)
	s.plan.Kill["reserved"], s.plan.Freeze["reserved"] = .01, .005
	f := newFixture(t, s)
	c := chaos{kills: 8, freezes: 2}
	if *long {
		c = chaos{kills: 100, freezes: 30, killNATS: true}
	}
	f.runChaos(c)
	if !f.waitComplete(completeLimit) {
		t.Errorf("not complete within %s", completeLimit)
	}
	// What was given back can be used now.
	for range capped * capOf() {
		f.crm.newEvent(1)
	}
	f.crm.pending.Wait()
	a := f.finish("caps")
	placed := f.placedPerPerson()
	for number, n := range placed {
		if n > capOf() {
			t.Errorf("%s was called %d times, the cap is %d", number, n, capOf())
		}
	}
	for i := range capped {
		if n := len(f.remembered(lead(i)).Calls); n != capOf() || len(placed) != capped {
			t.Errorf("of %s %d calls are remembered and %d were placed, the cap is %d", lead(i), n, placed[lead(i)], capOf())
		}
	}
	table(t, []account{a})
}

// TestWithoutReservationsTheCapIsBroken is the negative control.
func TestWithoutReservationsTheCapIsBroken(t *testing.T) {
	t.Parallel()
	s := capsScenario(22)
	s.plan = plan{Seed: 22, ReservationOff: true}
	f := newFixture(t, s)
	for range capped * (capOf() + 5) {
		f.crm.newEvent(1)
	}
	f.crm.pending.Wait()
	f.finish("reservation off")
	above := 0
	for _, n := range f.placedPerPerson() {
		if n > capOf() {
			above++
		}
	}
	if above == 0 {
		t.Error("nobody was called above the cap")
	}
	t.Logf("%d of %d people were called above the cap", above, capped)
}

// placedPerPerson counts the calls that were placed to each number.
func (f *fixture) placedPerPerson() map[string]int {
	placed := map[string]int{}
	for _, p := range f.callab.Placed() {
		var body struct {
			To string `json:"call_to"`
		}
		if err := json.Unmarshal(p.Body, &body); err != nil {
			f.t.Fatal(err)
		}
		placed[body.To]++
	}
	return placed
}

// remembered is what NATS has of a person.
func (f *fixture) remembered(number string) (d people.Document) {
	f.t.Helper()
	key, err := personkey.Read(filepath.Join(f.dir, "person-key"))
	if err != nil {
		f.t.Fatal(err)
	}
	js := testkit.JetStream(f.t, f.natsURL(), nats.CustomInboxPrefix(role.Inbox(role.Operator)))
	s, err := js.Stream(f.t.Context(), "CALLBRIDGE_PEOPLE")
	if err != nil {
		f.t.Fatal(err)
	}
	m, err := s.GetLastMsgForSubject(f.t.Context(), "callbridge.person."+key.Person(number))
	if err == nil {
		err = json.Unmarshal(m.Data, &d)
	}
	if err != nil && !strings.Contains(err.Error(), jetstream.ErrMsgNotFound.Error()) {
		f.t.Fatal(err)
	}
	return d
}
