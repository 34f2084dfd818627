package callabsim_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"callbridge/callab/callabsim"
)

func (w *world) get(id string) call {
	w.t.Helper()
	var c call
	a, err := w.do("GET", "/v1/calls/"+id, "")
	if err == nil {
		err = json.Unmarshal(a.Data, &c)
	}
	if err != nil {
		w.t.Fatalf("get call: %v", err)
	}
	return c
}

func TestCallLives(t *testing.T) {
	t.Parallel()
	w := setup(t, callabsim.Options{RingTime: 5 * time.Second, CallLength: time.Minute})
	id := w.place(callTo).ID
	if c := w.get(id); c.CallStatus != "in-progress" || c.StartedAt != nil {
		t.Errorf("ringing: %+v", c)
	}
	w.pass(5 * time.Second)
	if c := w.get(id); c.CallStatus != "in-progress" || c.StartedAt == nil || c.Transcript != nil {
		t.Errorf("answered: %+v", c)
	}
	w.pass(time.Minute)
	c := w.get(id)
	if c.CallStatus != "completed" || c.CallDuration != 60 || c.Transcript == nil || !strings.Contains(*c.Transcript, "Ada") {
		t.Errorf("ended: %+v", c)
	}
	if w.query("search=hello+ada&status=completed") != "42" {
		t.Error("the transcript cannot be searched")
	}
}

func TestCallStaysInProgressWithoutLength(t *testing.T) {
	t.Parallel()
	w := setup(t, callabsim.Options{})
	id := w.place(callTo).ID
	w.pass(time.Hour)
	if c := w.get(id); c.CallStatus != "in-progress" {
		t.Errorf("after an hour: %+v", c)
	}
}

func TestNobodyAnswersAMagicNumber(t *testing.T) {
	t.Parallel()
	w := setup(t, callabsim.Options{RingTime: 5 * time.Second, CallLength: time.Minute, MagicNumbers: true})
	id := w.place("+12025550189").ID
	w.pass(5 * time.Second)
	if c := w.get(id); c.CallStatus != "failed" || c.Reason != "no-answer" || c.StartedAt != nil {
		t.Errorf("call %+v", c)
	}
}
