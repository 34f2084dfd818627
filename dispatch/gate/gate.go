// Package gate judges a call in the last moment before its claim: it reads the stops,
// the do-not-call list and the earlier calls to the person from the leaders of their
// streams, has package policy decide, and reserves the call. What cannot be read means no call.
//
//   - gate.go: what is known of a call, the decision, the reservation
//   - storm.go: a source that makes too many requests is stopped
//   - finding.go: what each gate found, for results and the log
package gate

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"callbridge/bus"
	"callbridge/bus/control"
	"callbridge/bus/dnc"
	"callbridge/bus/people"
	"callbridge/event"
	"callbridge/policy"
	"callbridge/untrusted"
)

// Policy returns the policy of a request and the facts that the request itself holds: its
// places, consent and expiry. It is pure.
type Policy func(*event.Request) (policy.Policy, policy.Facts)

// Listed reports whether a number must not be called by a list of this process, and why.
// An error means that the list is not known, and that no call may be placed.
type Listed func(event.Phone) (detail string, is bool, err error)

// Country returns the ISO 3166 code of a number's country, or "" if it is not known.
type Country func(event.Phone) string

// Gate judges calls.
type Gate struct {
	Bus *bus.Bus
	// Now is the clock of the NATS server.
	Now func(context.Context) (time.Time, error)
	// Policy is what holds for a request by the configuration in force; nil: no gate but
	// stops and the do-not-call list.
	Policy Policy
	// Listed is a list of this process of numbers that must not be called; nil: none.
	Listed Listed
	// Country is the country of a number, for stops of a country; nil: never known.
	Country Country
	Log     *slog.Logger

	storms storms
}

// Call is a call that is judged.
type Call struct {
	*event.Request
	To event.Phone
	// Attempt is the attempt of the request that the call would be.
	Attempt int
	// Unsent: no earlier attempt may have placed a call.
	Unsent bool
	// Stored is when NATS stored the request.
	Stored time.Time
}

// Scope is what a stop may cover of a call.
func (g *Gate) Scope(c Call) control.Scope {
	s := control.Scope{Source: c.Event.Source, Route: c.Route}
	if g.Country != nil {
		s.Country = g.Country(c.To)
	}
	return s
}

// Judgement is the verdict about a call.
type Judgement struct {
	policy.Verdict
	// Held: an earlier judgement has reserved a call of the request.
	Held bool
	// reserved is the call that was reserved; nil for none.
	reserved *people.Call
}

// readTimeout bounds the questions about one call.
const readTimeout = 4 * time.Second

// maxConflicts is how often a call is judged again because another call to the person was
// reserved meanwhile.
const maxConflicts = 50

// Judge decides about a call. If the verdict is Go, the call is reserved; it must then be
// claimed at once, or not at all. With an error nothing was decided.
func (g *Gate) Judge(ctx context.Context, c Call) (Judgement, error) {
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	for range maxConflicts {
		j, err := g.judge(ctx, c)
		if !errors.Is(err, people.ErrConflict) {
			return j, err
		}
	}
	return Judgement{}, fmt.Errorf("reserve a call of %s: %w", c.ID, people.ErrConflict)
}

func (g *Gate) judge(ctx context.Context, c Call) (Judgement, error) {
	now, err := g.Now(ctx)
	if err != nil {
		return Judgement{}, err
	}
	p, f := g.own(c)
	known := g.read(ctx, c, p, &f)
	if err := ctx.Err(); err != nil {
		return Judgement{}, fmt.Errorf("read whether %s may be called: %w", c.ID, err)
	}
	j := Judgement{Verdict: policy.Decide(bounded(p), f, now)}
	_, j.Held = known.document.Of(c.ID)
	if j.Action != policy.Go || !known.remembered || reservationOff {
		return j, nil
	}
	call := people.Call{Request: c.ID, Attempt: c.Attempt, At: now.UTC()}
	j.reserved = &call
	document := known.document
	if c.Unsent {
		document = document.Without(c.ID)
	}
	return j, g.Bus.Memory().Reserve(ctx, c.To.Reveal(), document, known.revision, call)
}

// own is what holds for a call, and the facts that it has itself.
func (g *Gate) own(c Call) (policy.Policy, policy.Facts) {
	p, f := policy.Policy{Purpose: policy.Service, AnyTime: true}, policy.Facts{Consent: policy.Yes, DoNotCall: policy.No}
	if g.Policy != nil {
		p, f = g.Policy(c.Request)
	}
	f.Request = c.ID.String()
	return p, f
}

// JudgeFirst decides about a call by what is known without a question: what it has itself,
// and the stops as this process last read them. arrived says that the request is judged
// for the first time; then it counts for the storm of its source.
func (g *Gate) JudgeFirst(ctx context.Context, c Call, now time.Time, arrived bool) (policy.Verdict, error) {
	v, storm := g.judgeKnown(c, now)
	if !arrived || storm.Calls == 0 || !g.storms.counts(c, storm, v, now, g.Bus.Resumed()) {
		return v, nil
	}
	stopped, err := g.storm(ctx, c, storm, now)
	if stopped {
		v, _ = g.judgeKnown(c, now)
	}
	return v, err
}

func (g *Gate) judgeKnown(c Call, now time.Time) (policy.Verdict, policy.Storm) {
	s, stopped := g.Bus.KnownStop(g.Scope(c))
	if !stopped && g.Policy == nil {
		return policy.Verdict{Action: policy.Go}, policy.Storm{}
	}
	p, f := g.own(c)
	if stopped {
		f.Stops = []policy.Stop{stop(s)}
	}
	return policy.Decide(bounded(p), f, now), p.Storm
}

// Times returns when a call expires, zero for never, and whether it may be made at an
// instant, by what the call has itself: nothing is read.
func (g *Gate) Times(c Call) (expires time.Time, mayCall func(time.Time) bool) {
	p, f := g.own(c)
	return f.Expires, func(at time.Time) bool { return policy.Decide(bounded(p), f, at).Action == policy.Go }
}

// stop is a stop as a fact.
func stop(s control.Stop) policy.Stop {
	return policy.Stop{Scope: s.Scope.String(), By: text(s.By), Why: text(s.Why), Until: s.Until}
}

// bounded is a policy with the caps that can be counted.
func bounded(p policy.Policy) policy.Policy {
	for _, most := range []*int{&p.DayCap, &p.MonthCap} {
		*most = min(*most, people.MaxCalls)
	}
	return p
}

// person is what the memory of calls has of a person.
type person struct {
	document people.Document
	revision uint64
	// remembered: the call is to be reserved.
	remembered bool
}

// read adds to the facts what NATS and the lists have, from the leaders of the streams.
func (g *Gate) read(ctx context.Context, c Call, p policy.Policy, f *policy.Facts) (known person) {
	var stops []control.Stop
	var entries []policy.Suppression
	var stopsErr, entriesErr, knownErr error
	var reads sync.WaitGroup
	reads.Go(func() { stops, stopsErr = g.Bus.Stopped(ctx, g.Scope(c)) })
	reads.Go(func() { entries, entriesErr = g.suppressed(ctx, c) })
	reads.Go(func() { known, knownErr = g.person(ctx, c, p) })
	reads.Wait()
	if err := errors.Join(stopsErr, entriesErr, knownErr); err != nil {
		f.Unread = untrusted.Redact(untrusted.Line(err.Error()))
	}
	for _, s := range stops {
		f.Stops = append(f.Stops, stop(s))
	}
	f.Suppressed = append(f.Suppressed, entries...)
	for _, call := range known.document.Calls {
		f.Calls = append(f.Calls, policy.Call{Request: call.Request.String(), At: call.At, Class: call.Class, Open: call.Open})
	}
	return known
}

// maxText is the number of characters that are kept of an operator's text.
const maxText = 256

// text makes what an operator has written fit for a result.
func text(s string) string { return untrusted.Cut(untrusted.Redact(untrusted.Line(s)), maxText) }

// suppressed returns why the person must not be called: by the file of this process, or by
// the list on NATS. No request is exempt.
func (g *Gate) suppressed(ctx context.Context, c Call) ([]policy.Suppression, error) {
	if g.Listed != nil {
		if detail, is, err := g.Listed(c.To); err != nil || is {
			return []policy.Suppression{{By: "DNC_FILE", Reason: detail}}, err
		}
	}
	e, is, err := g.Bus.DoNotCall(ctx, c.To, dnc.Scope{Source: c.Event.Source, Route: c.Route})
	if err != nil || !is {
		return nil, err
	}
	reason := fmt.Sprintf("%s (%s, since %s)", text(e.Why), e.Scope, e.Since.UTC().Format(time.RFC3339))
	return []policy.Suppression{{By: text(e.By), Reason: reason, Until: e.Until}}, nil
}

// person reads when the person was called, if the policy depends on it.
func (g *Gate) person(ctx context.Context, c Call, p policy.Policy) (known person, err error) {
	if !counts(p) {
		return person{}, nil
	}
	if g.Bus.Memory().Key.IsZero() {
		return person{}, errors.New("the policy limits calls to a person, and PERSON_KEY_FILE is not set: set it to a file with at least 32 random bytes, the same for every callbridge process")
	}
	known.remembered = true
	known.document, known.revision, err = g.Bus.Memory().Read(ctx, c.To.Reveal())
	return known, err
}

// counts reports whether a policy depends on earlier calls.
func counts(p policy.Policy) bool {
	for _, after := range p.CoolDown {
		if after > 0 {
			return true
		}
	}
	return p.DayCap > 0 || p.MonthCap > 0 || p.Gap > 0
}

// GiveBack takes a reservation away whose call was certainly not sent.
func (g *Gate) GiveBack(ctx context.Context, c Call, j Judgement) error {
	if j.reserved == nil {
		return nil
	}
	return g.giveBack(ctx, c, func(own people.Call) bool {
		return own.Attempt == j.reserved.Attempt && own.At.Equal(j.reserved.At)
	})
}

// GiveBackUnsent takes the reservation of a request away if no attempt may have placed a
// call, or if it was made for an attempt after the last claimed one. The ledger must have
// a record by now that prevents a claim of whoever has made it.
func (g *Gate) GiveBackUnsent(ctx context.Context, c Call, claimed int) error {
	return g.giveBack(ctx, c, func(own people.Call) bool { return c.Unsent || own.Attempt > claimed })
}

func (g *Gate) giveBack(ctx context.Context, c Call, meant func(people.Call) bool) error {
	if g.Bus.Memory().Key.IsZero() {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	if err := g.Bus.Memory().GiveBack(ctx, c.To.Reveal(), c.ID, meant); err != nil {
		return fmt.Errorf("give back the reserved call of %s: %w", c.ID, err)
	}
	return nil
}
