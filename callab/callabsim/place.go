package callabsim

import (
	"bytes"
	"encoding/json"
	"errors"
	"slices"
	"time"
)

// Placed is one call that would have been dialled.
type Placed struct {
	Time   time.Time `json:"time"`
	CallID string    `json:"call_id"`
	// Endpoint is "/v1/calls" or "/v1/calls/make-call".
	Endpoint string `json:"endpoint"`
	// Body is the request's, as it came.
	Body json.RawMessage `json:"body"`
}

// Mentions reports whether the body holds the text, such as a request id in
// its metadata, notes or variables.
func (p Placed) Mentions(text string) bool { return bytes.Contains(p.Body, []byte(text)) }

// Placed returns every call that was placed, oldest first. Calls from AddCalls
// are not among them.
func (s *Sim) Placed() []Placed {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.placed)
}

// Posts returns how many requests to place a call have come in, whatever
// became of them.
func (s *Sim) Posts() int { return int(s.posts.Load()) }

// AddCalls puts calls on the list as if somebody else had placed them. Fields
// that every call has are filled in where they are empty.
func (s *Sim) AddCalls(calls ...Call) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range calls {
		s.keep(c.complete(s.options.Clock()))
	}
}

// keep needs mu.
func (s *Sim) keep(c Call) {
	s.index[c.ID] = len(s.calls)
	s.calls = append(s.calls, c)
}

// order is the body of an endpoint that places calls.
type order interface {
	// to is the number as the body writes it.
	to() string
	validate() error
	call() Call
}

// placeCall answers an order; one that is not valid is answered with the HTTP
// status invalid.
func (s *Sim) placeCall(a *answer, o order, invalid int) {
	err := decode(a.body, o)
	fault := s.strike(OnPlace, o.to())
	if fault.before(a) {
		return
	}
	if err == nil {
		err = o.validate()
	}
	if err != nil {
		a.refuse(invalid, err.Error())
		return
	}
	call := s.place(o.call(), a)
	s.options.Log.Info("callab.placed", "call_id", call.ID, "to", lastDigits(call.CallTo))
	if !fault.after(a, call) {
		a.ok(call)
	}
}

func decode(body []byte, into any) error {
	decoder := json.NewDecoder(bytes.NewReader(body))
	decoder.UseNumber()
	if err := decoder.Decode(into); err != nil {
		return errors.New("body is not the documented JSON object")
	}
	return nil
}

func (s *Sim) place(c Call, a *answer) Call {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.options.Clock()
	c = c.complete(now)
	s.keep(c)
	s.placed = append(s.placed, Placed{Time: now, CallID: c.ID, Endpoint: a.r.URL.Path, Body: a.body})
	return c
}
