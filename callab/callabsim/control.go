package callabsim

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"time"
)

// faultJSON is the JSON form of a Fault; durations are written as "2s".
type faultJSON struct {
	Kind        Kind    `json:"kind"`
	On          On      `json:"on,omitempty"`
	Times       int     `json:"times,omitempty"`
	CallTo      string  `json:"call_to,omitempty"`
	Probability float64 `json:"probability,omitempty"`
	Delay       string  `json:"delay,omitempty"`
	RetryAfter  string  `json:"retry_after,omitempty"`
}

// MarshalJSON encodes the form of POST /sim/faults.
func (f Fault) MarshalJSON() ([]byte, error) {
	return json.Marshal(faultJSON{
		Kind: f.Kind, On: f.On, Times: f.Times, CallTo: f.CallTo, Probability: f.Probability,
		Delay: duration(f.Delay), RetryAfter: duration(f.RetryAfter),
	})
}

func duration(d time.Duration) string {
	if d == 0 {
		return ""
	}
	return d.String()
}

// UnmarshalJSON decodes the form of POST /sim/faults. An unknown member is an
// error: with "call_to" mistyped, the fault would apply to every number.
func (f *Fault) UnmarshalJSON(data []byte) error {
	var j faultJSON
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&j); err != nil {
		return err
	}
	*f = Fault{Kind: j.Kind, On: j.On, Times: j.Times, CallTo: j.CallTo, Probability: j.Probability}
	for _, d := range []struct {
		name, text string
		into       *time.Duration
	}{{"delay", j.Delay, &f.Delay}, {"retry_after", j.RetryAfter, &f.RetryAfter}} {
		if d.text == "" {
			continue
		}
		parsed, err := time.ParseDuration(d.text)
		if err != nil {
			return fmt.Errorf("%s is not a duration such as 2s", d.name)
		}
		*d.into = parsed
	}
	return nil
}

func (s *Sim) addFault(w http.ResponseWriter, r *http.Request) {
	x := &exchange{w: w, r: r}
	var fault Fault
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBodyBytes))
	if err == nil {
		err = json.Unmarshal(body, &fault)
	}
	if err == nil {
		err = s.add(fault)
	}
	if err != nil {
		x.refuse(http.StatusBadRequest, err.Error())
		return
	}
	s.listFaults(w, r)
}

func (s *Sim) listFaults(w http.ResponseWriter, r *http.Request) {
	x := &exchange{w: w, r: r}
	s.mu.Lock()
	faults := slices.Clone(s.faults)
	s.mu.Unlock()
	x.ok(faults)
}

func (s *Sim) resetFaults(w http.ResponseWriter, r *http.Request) {
	s.ClearFaults()
	s.listFaults(w, r)
}

func (s *Sim) listPlaced(w http.ResponseWriter, r *http.Request) {
	x := &exchange{w: w, r: r}
	x.ok(s.Placed())
}

func (s *Sim) deleteCalls(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	s.calls, s.placed = nil, []Placed{}
	clear(s.index)
	s.posts.Store(0)
	s.mu.Unlock()
	s.listPlaced(w, r)
}
