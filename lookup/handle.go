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
	"callbridge/mapping/lookups"
	"callbridge/span"
	"callbridge/untrusted"
)

const (
	// storeRetryDelay is the delay after NATS did not store what it was sent.
	storeRetryDelay = time.Second
	// inFlightDelay is the delay while another event looks up the same record.
	inFlightDelay = 100 * time.Millisecond
)

// job is one pending event that is being handled.
type job struct {
	delivery bus.Delivery
	in       mapping.Incoming
	config   *mapping.Config
	request  *lookups.Request
}

// handle looks up, maps and stores one pending event, or has it redelivered when
// it may be looked up.
func (s *Service) handle(ctx context.Context, d bus.Delivery) (disposition bus.Disposition) {
	in, err := resume(d)
	config := s.mapping()
	current := s.tracer.Start(string(span.ContinueOf(d.Trace, in.Event.ID)), span.Consumer, "look up event")
	d.Trace = string(current.Parent())
	defer func() {
		current.End(slog.String("callbridge.source", d.Source), slog.String("callbridge.event_id", in.Event.ID.String()),
			slog.Bool("callbridge.done", disposition.Ack))
	}()
	if err != nil {
		return s.store(ctx, d, config, in.Rejected(event.ReasonBadEvent, untrusted.Redact(err.Error())))
	}
	j := job{delivery: d, in: in, config: config}
	var needed bool
	if j.request, needed = j.config.Lookup(in); !needed {
		// The configuration has changed since the event was stored.
		return s.store(ctx, d, config, j.items()...)
	}
	if s.versions.superseded(j.request, in.Event.Type) {
		return s.finish(ctx, j, response{}, verdict{result: superseded})
	}
	return s.lookUp(ctx, j)
}

// resume decodes a pending event. Other programs may publish on its subject, so
// source and id are taken from the subject, not from the message. The server's
// time replaces a missing Received.
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
		return mapping.Incoming{Event: p.Event}, fmt.Errorf("read the pending event: %w", err)
	}
	return mapping.Resume(p)
}

// items returns what the event leads to after its lookup.
func (j job) items() []event.Item {
	items, err := j.config.Items(j.in)
	if err != nil {
		return []event.Item{j.in.Rejected(event.ReasonBadEvent, untrusted.Redact(err.Error()))}
	}
	return items
}

// deadline is when retries end.
func (j job) deadline() time.Time { return j.in.Event.Received.Add(j.request.Timeout) }

// conclude returns what to store after a verdict. Nothing means that the event is
// to be redelivered after delay.
func (j job) conclude(v verdict, now time.Time) (items []event.Item, delay time.Duration) {
	switch v.result {
	case found, shared:
		return j.items(), 0
	case notFound:
		return []event.Item{j.in.Rejected(event.ReasonLookupNotFound, v.detail)}, 0
	case failed:
		return []event.Item{j.in.Rejected(event.ReasonLookupFailed, v.detail)}, 0
	case superseded:
		return []event.Item{j.in.Skipped(event.ReasonSuperseded, "a newer event about the same record was looked up before")}, 0
	case refused:
		return nil, v.delay
	case incomplete:
		return nil, settle(j.in.Event.Received, j.deadline(), now)
	default: // retried
		return nil, max(v.delay, backoff(j.in.Event.Received, j.deadline(), now))
	}
}

// lookUp sends the request, or uses the response to another event's request.
func (s *Service) lookUp(ctx context.Context, j job) bus.Disposition {
	q, received := j.request, j.in.Event.Received
	if q.Coalesce > 0 {
		if r, ok := s.responses.get(q.Object, received); ok {
			return s.finish(ctx, j, r, verdict{result: shared, status: r.status})
		}
		if wait := time.Until(received.Add(q.Coalesce)); wait > 0 {
			return bus.RedeliverAfter(min(wait, q.Coalesce))
		}
		if !s.responses.begin(q.Object) {
			return bus.RedeliverAfter(inFlightDelay)
		}
		defer s.responses.end(q.Object)
	}
	c := s.crm(j.in.Event.Source)
	now := time.Now()
	if wait := c.enter(j.delivery.ID, q, share(int(s.workers.Load()), s.sources()), now); wait > 0 {
		if last, open := c.breaker.open(); open && last.sent.After(j.deadline()) {
			return s.finish(ctx, j, response{}, verdict{result: retried, detail: last.detail})
		}
		return bus.RedeliverAfter(wait)
	}
	r, v, sent := s.ask(ctx, j, c)
	if !sent {
		return bus.RedeliverAfter(0) // the process stops
	}
	return s.finish(ctx, j, r, v)
}

// ask sends the request and judges the answer. It reports false if the process stops.
func (s *Service) ask(ctx context.Context, j job, c *crm) (response, verdict, bool) {
	defer c.leave()
	sent := time.Now()
	r, err := s.fetch(ctx, j.request)
	r.sent, r.took = sent, time.Since(sent)
	if ctx.Err() != nil {
		c.breaker.abandoned()
		return r, verdict{}, false
	}
	s.metrics.duration.Observe(r.took.Seconds())
	v := classify(j.request.Meaning(r.status, r.contentType, r.body), r, err, time.Now())
	s.updateBreaker(c, j, v, outage{v.detail, sent}, err)
	return r, s.updateLimiter(c.limiter, j, v), true
}

// updateBreaker tells the breaker whether the CRM has answered.
func (s *Service) updateBreaker(c *crm, j job, v verdict, last outage, err error) {
	source := j.in.Event.Source
	if !v.isOutage(err) {
		if c.breaker.answered() {
			s.log.Info("lookup.breaker_closed", "source", source)
		}
		return
	}
	if c.breaker.unanswered(j.delivery.ID, last, time.Now()) {
		s.log.Warn("lookup.breaker_opened", "source", source, "detail", v.detail,
			"hint", "the events of this source wait; one lookup at a time finds out when the CRM answers again")
	}
}

// updateLimiter tells the source's limiter what the verdict says about the CRM as
// a whole. It resolves forbidden: a 403 is about the credentials (refused) or
// about one record (retried).
func (s *Service) updateLimiter(l *limiter, j job, v verdict) verdict {
	now, source := time.Now(), j.in.Event.Source
	if v.result == forbidden {
		v.result = retried
		if l.forbid() {
			v.result = refused
		}
	}
	switch v.result {
	case found, notFound, incomplete:
		if l.accept() {
			s.log.Info("lookup.credentials_accepted", "source", source)
		}
	case refused:
		pause, first := l.refuse(j.request.Auth, now)
		v.delay = pause
		if first {
			s.log.Error("lookup.credentials_refused", "source", source, "detail", v.detail,
				"hint", "the events of this source wait until the CRM accepts its credentials")
		}
	case retried:
		if v.delay > 0 {
			l.pause(v.delay, now)
		}
	}
	return v
}

// finish stores what the event leads to, or has it redelivered, as the verdict
// says.
func (s *Service) finish(ctx context.Context, j job, r response, v verdict) bus.Disposition {
	if v.result == found || v.result == shared {
		j.in, v = s.apply(j, r, v)
	}
	now := time.Now()
	if isLate := !now.Before(j.deadline()); isLate && (v.result == retried || v.result == incomplete) {
		v = v.last()
		v.detail += fmt.Sprintf("; tried for %s", j.request.Timeout)
	}
	s.report(j, v, r.took)
	items, delay := j.conclude(v, now)
	if len(items) == 0 {
		return bus.RedeliverAfter(delay)
	}
	return s.store(ctx, j.delivery, j.config, items...)
}

// last is the verdict when no time is left to ask again.
func (v verdict) last() verdict {
	if v.result == incomplete {
		v.result = v.final
	} else {
		v.result = failed
	}
	return v
}

// apply adds the CRM's response to the event. It changes the verdict if the
// response cannot be used, if it does not have the record or all of it yet, or if a
// newer event of the record was applied meanwhile.
func (s *Service) apply(j job, r response, v verdict) (mapping.Incoming, verdict) {
	in, err := j.in.WithLookup(r.body, r.contentType)
	problem, lack := "", ""
	if err == nil {
		if problem = in.LookupProblem(j.request); problem == "" {
			lack = j.config.Lacks(in)
		}
	}
	switch {
	case err != nil:
		v.result, v.detail = retried, "the CRM's API answered with neither JSON nor XML"
	case problem != "":
		v.result, v.detail = retried, problem
	case in.LookupIsEmpty(j.request):
		v.result, v.final, v.detail = incomplete, notFound, "the CRM's API has found no record"
		s.responses.drop(j.request.Object)
	case lack != "":
		v.result, v.final, v.detail = incomplete, found, "the record has no "+lack
		s.responses.drop(j.request.Object)
	case !s.versions.advance(j.request, j.in.Event.Type):
		v.result = superseded
	case v.result == found && j.request.Coalesce > 0:
		s.responses.add(j.request.Object, r)
	}
	return in, v
}

// store stores what the event leads to, and only then acknowledges the event. It
// continues while the process stops: the lookup is done already.
func (s *Service) store(ctx context.Context, d bus.Delivery, config *mapping.Config, items ...event.Item) bus.Disposition {
	for _, item := range items {
		item.DecidedBy(config.Hash())
	}
	if err := s.bus.StoreResumed(context.WithoutCancel(ctx), d.Trace, items...); err != nil {
		s.log.Warn("lookup.bus_trouble", "source", d.Source, "event_id", d.ID, "trace_id", span.Parent(d.Trace).TraceID(), "error", err)
		return bus.RedeliverAfter(storeRetryDelay)
	}
	return bus.Acknowledge()
}

// report counts the lookup and writes its one log line (event.looked_up).
func (s *Service) report(j job, v verdict, took time.Duration) {
	e := j.in.Event
	s.metrics.lookups.WithLabelValues(e.Source, string(v.result)).Inc()
	s.log.Info("event.looked_up",
		"event_id", e.ID, "source", e.Source, "type", e.Type, "result", v.result,
		"config_hash", j.config.Hash(), "http_status", v.status, "detail", v.detail, "duration_ms", took.Milliseconds(),
		"age_ms", time.Since(e.Received).Milliseconds(), "trace_id", span.Parent(j.delivery.Trace).TraceID())
}
