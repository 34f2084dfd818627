package lookup

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/google/uuid"

	"callbridge/bus"
	"callbridge/event"
	"callbridge/mapping"
	"callbridge/span"
)

const (
	// busTrouble is the pause after NATS did not do what it was asked.
	busTrouble = time.Second
	// inFlight is the pause while somebody else asks the same.
	inFlight = 100 * time.Millisecond
)

// job is one event in hand.
type job struct {
	delivery bus.Delivery
	in       mapping.Incoming
	config   *mapping.Config
	request  *mapping.LookupRequest
}

// handle takes one event as far as it can go now.
func (f *Finder) handle(ctx context.Context, d bus.Delivery) (done bool, again time.Duration) {
	in, err := resume(d)
	asking := f.tracer.Start(string(span.ContinueOf(d.Trace, in.Event.ID)), span.Consumer, "look up event")
	d.Trace = string(asking.Parent())
	defer func() {
		asking.End(slog.String("callbridge.source", d.Source), slog.String("callbridge.event_id", in.Event.ID.String()), slog.Bool("callbridge.done", done))
	}()
	if err != nil {
		return f.keep(ctx, d, in.Rejected(event.ReasonBadEvent, event.Redact(err.Error())))
	}
	j := job{delivery: d, in: in, config: f.mapping()}
	var needed bool
	if j.request, needed = j.config.Lookup(in); !needed {
		// The configuration has changed since, or another wants no look-up.
		return f.mapAndKeep(ctx, j)
	}
	if f.versions.superseded(j.request, in.Event.Type) {
		return f.conclude(ctx, j, answered{}, verdict{result: superseded})
	}
	return f.lookUp(ctx, j)
}

// resume reads what handlers have stored. Anybody may have written it: source
// and id are those of the subject, and the clock is that of the server where
// there is no other.
func resume(d bus.Delivery) (mapping.Incoming, error) {
	var p event.Pending
	err := event.Unmarshal(d.Data, &p)
	p.Event.Source = d.Source
	var idErr error
	if p.Event.ID, idErr = uuid.Parse(d.ID); idErr != nil {
		p.Event.ID = event.EventID(d.Source, d.ID)
	}
	if p.Event.Received.IsZero() {
		p.Event.Received = d.Stored
	}
	if err != nil {
		return mapping.Incoming{Event: p.Event}, fmt.Errorf("read the event that waits: %w", err)
	}
	return mapping.Resume(p)
}

// lookUp has the question asked, or takes the answer that another event had.
func (f *Finder) lookUp(ctx context.Context, j job) (done bool, again time.Duration) {
	q, received := j.request, j.in.Event.Received
	if q.Coalesce > 0 {
		if answer, ok := f.answers.get(q.Object, received); ok {
			return f.conclude(ctx, j, answer, verdict{result: shared, status: answer.status})
		}
		if rest := time.Until(received.Add(q.Coalesce)); rest > 0 {
			return false, min(rest, q.Coalesce)
		}
		if !f.answers.begin(q.Object) {
			return false, inFlight
		}
		defer f.answers.end(q.Object)
	}
	g := f.gate(j.in.Event.Source)
	if wait := g.wait(j.delivery.ID, q, time.Now()); wait > 0 {
		return false, wait
	}
	asked := time.Now()
	answer, err := f.ask(ctx, q)
	answer.asked, answer.took = asked, time.Since(asked)
	if ctx.Err() != nil {
		return false, 0 // we stop; whoever comes next asks again
	}
	f.metrics.duration.Observe(answer.took.Seconds())
	return f.conclude(ctx, j, answer, f.settle(g, j, judge(answer, err, time.Now())))
}

// settle tells the gate what the answer says about the source, and decides
// what a 403 is about.
func (f *Finder) settle(g *gate, j job, v verdict) verdict {
	now, source := time.Now(), j.in.Event.Source
	if v.result == forbidden {
		v.result = retried
		if g.aboutUs() {
			v.result = refused
		}
	}
	switch v.result {
	case found, notFound:
		if g.accept() {
			f.log.Info("lookup.credentials_accepted", "source", source)
		}
	case refused:
		pause, news := g.refuse(j.request.Auth, now)
		v.throttle = pause
		if news {
			f.log.Error("lookup.credentials_refused", "source", source, "detail", v.detail,
				"hint", "the events of this source wait until its credentials work")
		}
	case retried:
		if v.throttle > 0 {
			g.throttle(v.throttle, now)
		}
	}
	return v
}

// conclude maps the event with the answer, ends it without, or has it come
// again.
func (f *Finder) conclude(ctx context.Context, j job, answer answered, v verdict) (done bool, again time.Duration) {
	in := j.in
	if v.result == found || v.result == shared {
		in, v = f.take(j, answer, v)
	}
	now, deadline := time.Now(), in.Event.Received.Add(j.request.Timeout)
	if v.result == retried && !now.Before(deadline) {
		v.result = failed
		v.detail += fmt.Sprintf("; tried for %s", j.request.Timeout)
	}
	f.report(j, v, answer.took)
	switch v.result {
	case refused:
		return false, v.throttle
	case retried:
		return false, max(v.throttle, backoff(in.Event.Received, deadline, now))
	case notFound:
		return f.keep(ctx, j.delivery, in.Rejected(event.ReasonLookupNotFound, v.detail))
	case failed:
		return f.keep(ctx, j.delivery, in.Rejected(event.ReasonLookupFailed, v.detail))
	case superseded:
		return f.keep(ctx, j.delivery, in.Skipped(event.ReasonSuperseded, "a newer event about the same record was looked up before"))
	}
	j.in = in
	return f.mapAndKeep(ctx, j)
}

func (f *Finder) mapAndKeep(ctx context.Context, j job) (done bool, again time.Duration) {
	items, err := j.config.Items(j.in)
	if err != nil {
		items = []event.Item{j.in.Rejected(event.ReasonBadEvent, event.Redact(err.Error()))}
	}
	return f.keep(ctx, j.delivery, items...)
}

// take reads an answer, and leaves it where a newer event was faster.
func (f *Finder) take(j job, answer answered, v verdict) (mapping.Incoming, verdict) {
	in, err := j.in.WithLookup(answer.body, answer.contentType)
	problem := ""
	if err == nil {
		problem = j.request.Problem(in)
	}
	switch {
	case err != nil:
		v.result, v.detail = retried, "the CRM's API answered with neither JSON nor XML"
	case problem != "":
		v.result, v.detail = retried, problem
	case !f.versions.advance(j.request, j.in.Event.Type):
		v.result = superseded
	case v.result == found && j.request.Coalesce > 0:
		f.answers.put(j.request.Object, answer)
	}
	return in, v
}

// keep publishes what came of an event, under the same identities as handlers
// do. Only after that the event is done with.
//
// An event that was done with may come again after a crash, and the CRM may
// answer otherwise then. What has an outcome keeps it.
func (f *Finder) keep(ctx context.Context, d bus.Delivery, items ...event.Item) (done bool, again time.Duration) {
	if err := f.bus.StoreResumed(context.WithoutCancel(ctx), d.Trace, items...); err != nil {
		f.log.Warn("lookup.bus_trouble", "source", d.Source, "event_id", d.ID, "trace_id", span.Parent(d.Trace).TraceID(), "error", err)
		return false, busTrouble
	}
	return true, 0
}

// report writes the one line of a look-up.
func (f *Finder) report(j job, v verdict, took time.Duration) {
	e := j.in.Event
	f.metrics.lookups.WithLabelValues(e.Source, string(v.result)).Inc()
	f.log.Info("event.looked_up",
		"event_id", e.ID, "source", e.Source, "type", e.Type, "result", v.result,
		"http_status", v.status, "detail", v.detail, "duration_ms", took.Milliseconds(),
		"age_ms", time.Since(e.Received).Milliseconds(), "trace_id", span.Parent(j.delivery.Trace).TraceID())
}
