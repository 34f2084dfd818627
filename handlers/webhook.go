package handlers

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/gin-gonic/gin"

	"callbridge/bus"
	"callbridge/event"
	"callbridge/mapping"
	"callbridge/mapping/payload"
	"callbridge/signature"
	"callbridge/span"
)

// retryAfter is the Retry-After of a 503: the bus cannot store events now.
const retryAfter = 5 * time.Second

// receive handles one webhook: admit, read, verify, decode, map, store, answer. A 2xx
// means that JetStream has acknowledged everything the webhook led to.
func (in Intake) receive(c *gin.Context) {
	start := time.Now()
	line := in.newLogLine(c, start)
	defer func() { in.finish(c, &line) }()

	config := in.Mapping()
	line.config = config.Hash()
	source, ok := config.Source(line.source)
	if !ok {
		in.refuseUnknownSource(c, &line)
		return
	}
	units := 0 // events hold the decoded body until they are stored
	defer func() { in.decoding.leave(units) }()
	events, ok := in.verified(c, &line, source, &units)
	if !ok {
		return
	}
	answer, err := in.store(c.Request.Context(), config, events, line.span.Parent())
	line.addEvents(answer)
	if err != nil {
		in.refuseUnstored(c, &line, err)
		return
	}
	succeed(c, source.Answer(), answer)
}

// verified reads a webhook and returns the events of a verified sender. It has answered
// every other one. Until then the memory of the webhook counts for the budget. It
// takes units of the gate.
func (in Intake) verified(c *gin.Context, line *logLine, source *mapping.Source, units *int) ([]mapping.Incoming, bool) {
	from := line.sender()
	admitted := in.failures.admit(from, line.start)
	if admitted.wait > 0 {
		in.refuseLimited(c, line, admitted.wait)
		return nil, false
	}
	h := in.bodies.hold(from.network, admitted.proved)
	defer h.release()
	if err := h.take(headerBytes(c.Request.Header)); err != nil {
		in.refuseBody(c, line, err)
		return nil, false
	}
	body, ok := in.readBody(c, line, &h)
	if !ok {
		return nil, false
	}
	delivery := deliveryOf(c, body, line.start)
	if reply, ok := answerHandshake(source.Handshakes(), delivery); ok {
		in.answer(c, line, reply)
		return nil, false
	}
	if *units, ok = in.decoding.enter(c.Request.Context(), len(body)); !ok {
		in.refuseBody(c, line, allFull)
		return nil, false
	}
	now := time.Now()
	if wait := in.failures.admit(from, now).wait; wait > 0 {
		in.refuseLimited(c, line, wait)
		return nil, false
	}
	events, err := source.Receive(delivery)
	if forged := new(signature.Failure); errors.As(err, &forged) {
		line.err, line.reason = err, "signature"
		in.failures.guessed(from, now)
		in.refuseUnverified(c, line, http.StatusUnauthorized, "signature", "the sender could not be verified")
		return nil, false
	}
	if !admitted.fresh {
		in.failures.prove(from, now)
	}
	if err != nil {
		refuseDelivery(c, line, err)
	}
	return events, err == nil
}

func deliveryOf(c *gin.Context, body []byte, received time.Time) mapping.Delivery {
	return mapping.Delivery{
		Method: c.Request.Method, URL: c.Request.URL, Header: c.Request.Header, Body: body, Received: received,
	}
}

// maxStored bounds the data of what one webhook stores. Each route that an event leads
// to stores the event once more.
const maxStored = 64 << 20

// errTooMuch is a webhook that leads to more than maxStored.
var errTooMuch = fmt.Errorf("the events of one webhook and the routes that they lead to need more than %d MiB", maxStored>>20)

// store maps the events of a webhook and stores what they lead to in one batch.
func (in Intake) store(ctx context.Context, config *mapping.Config, events []mapping.Incoming, trace span.Parent) (answer, error) {
	a := answer{Events: make([]eventAnswer, len(events))}
	var items []event.Item
	var owners []*eventAnswer // of the items
	size := 0
	for i, e := range events {
		owner := &a.Events[i]
		owner.ID = e.Event.ID
		led, err := config.Items(e)
		if err != nil {
			return a, err
		}
		if size += len(led) * len(e.Event.Data); size > maxStored {
			return a, errTooMuch
		}
		for _, item := range led {
			owner.add(item)
			items, owners = append(items, item), append(owners, owner)
		}
	}
	existed, err := in.Bus.Store(ctx, string(trace), items...)
	if err != nil {
		return a, err
	}
	var repeats []repeat
	for i, owner := range owners {
		if existed[i] {
			owner.existing++
			repeats = append(repeats, repeat{item: items[i], owner: owner})
		}
		if owner.existing == owner.items {
			owner.repeated()
		}
	}
	if len(repeats) == 0 {
		return a, nil
	}
	return a, in.compare(ctx, config, repeats, string(trace))
}

// succeed sends the answer that the source is configured to get, by default
// what each event led to: some CRMs accept only one status or one body.
func succeed(c *gin.Context, as mapping.Answer, answer answer) {
	contentType, text := as.ContentType, []byte(as.Body)
	if as.Body == "" {
		contentType, text = jsonType, encode(answer)
	}
	// The answer is flushed before the log line is written: writing the line
	// may block. With a Content-Length it is complete at once.
	c.Header("Content-Length", strconv.Itoa(len(text)))
	c.Data(as.Status, contentType, text)
	c.Writer.Flush()
}

// refuseUnknownSource answers 404. The name may be mistyped, so the log shows
// it.
func (in Intake) refuseUnknownSource(c *gin.Context, line *logLine) {
	line.unknown = line.source
	line.source, line.reason = unknownSource, "unknown_source"
	in.refuseUnverified(c, line, http.StatusNotFound, "unknown_source", "no source of this name is configured")
}

// refuseUnknownPath answers a request that is for no endpoint. It is logged and
// counted like one for an unknown source: the path may be mistyped in the CRM.
func (in Intake) refuseUnknownPath(c *gin.Context) {
	line := in.newLogLine(c, time.Now())
	defer func() { in.finish(c, &line) }()
	line.unknown = c.Request.URL.Path
	line.source, line.reason, line.unverified = unknownSource, reasonNotFound, true
	if wait := in.failures.add(line.sender(), line.start); wait > 0 {
		in.refuseLimited(c, &line, wait)
		return
	}
	if c.Writer.Status() == http.StatusMethodNotAllowed { // Gin has set it
		methodNotAllowed(c)
		return
	}
	notFound(c)
}

// refuseDelivery answers for a verified webhook that was not decoded. The answer names
// the kind of failure, the log the exact check.
func refuseDelivery(c *gin.Context, line *logLine, err error) {
	line.err = err
	switch {
	case line.bytes == 0:
		line.reason = "unreadable"
		refuse(c, http.StatusBadRequest, "unreadable", "the body is empty")
	case errors.Is(err, payload.ErrUnsupported):
		line.reason = "media_type"
		refuse(c, http.StatusUnsupportedMediaType, "media_type", "send JSON, a form or XML")
	case errors.Is(err, mapping.ErrTooManyEvents):
		line.reason = "unreadable"
		refuse(c, http.StatusBadRequest, "unreadable", "the delivery has more events than max_events")
	case errors.Is(err, mapping.ErrTooLarge):
		line.reason = "too_large"
		refuse(c, http.StatusRequestEntityTooLarge, "too_large", "the events of the delivery have more than 8 MB together")
	default:
		line.reason = "unreadable"
		refuse(c, http.StatusBadRequest, "unreadable", "the body does not match its Content-Type")
	}
}

// refuseUnstored answers for a webhook that the bus did not store. A 413 is
// final; after a 503 the CRM sends the webhook again.
func (in Intake) refuseUnstored(c *gin.Context, line *logLine, err error) {
	line.err = err
	if errors.Is(err, errTooMuch) {
		line.reason = "too_large"
		refuse(c, http.StatusRequestEntityTooLarge, "too_large", "the events of the webhook, once for each of their routes, have more than 64 MiB")
		return
	}
	if errors.Is(err, bus.ErrTooLarge) {
		line.reason = "too_large"
		refuse(c, http.StatusRequestEntityTooLarge, "too_large", "an event is larger than the limit of NATS (max_payload)")
		return
	}
	line.reason = "bus"
	c.Header("Retry-After", strconv.Itoa(int(retryAfter.Seconds())))
	refuse(c, http.StatusServiceUnavailable, "unavailable", "the event could not be stored; please send it again")
}
