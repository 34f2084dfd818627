package callabsim_test

import (
	"strings"
	"testing"
	"time"

	"callbridge/callab/callabsim"
)

func TestCallProgressesWithItsAge(t *testing.T) {
	t.Parallel()
	f := setup(t, callabsim.Options{RingTime: 5 * time.Second, CallLength: time.Minute})
	id := f.place(callTo).ID
	if c := f.get(id); c.CallStatus != "in-progress" || c.StartedAt != nil {
		t.Errorf("ringing: %+v", c)
	}
	f.advance(5 * time.Second)
	if c := f.get(id); c.CallStatus != "in-progress" || c.StartedAt == nil || c.Transcript != nil {
		t.Errorf("answered: %+v", c)
	}
	f.advance(time.Minute)
	c := f.get(id)
	if c.CallStatus != "completed" || c.CallDuration != 60 || c.Transcript == nil || !strings.Contains(*c.Transcript, "Ada") {
		t.Errorf("ended: %+v", c)
	}
	if f.query("search=hello+ada") != "42" {
		t.Error("the transcript cannot be searched")
	}
}

func TestCallWithoutLengthStaysInProgress(t *testing.T) {
	t.Parallel()
	f := setup(t, callabsim.Options{})
	id := f.place(callTo).ID
	f.advance(time.Hour)
	if c := f.get(id); c.CallStatus != "in-progress" {
		t.Errorf("after an hour: %+v", c)
	}
}

func TestUnansweredMagicNumberFails(t *testing.T) {
	t.Parallel()
	f := setup(t, callabsim.Options{RingTime: 5 * time.Second, CallLength: time.Minute, MagicNumbers: true})
	id := f.place("+12025550189").ID
	f.advance(5 * time.Second)
	if c := f.get(id); c.CallStatus != "failed" || c.Reason != "no-answer" || c.StartedAt != nil {
		t.Errorf("call %+v", c)
	}
}
