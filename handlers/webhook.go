package handlers

import (
	"context"
	"errors"
	"io"
	"net/http"
	"regexp"
	"strconv"
	"time"

	"github.com/gin-gonic/gin"

	"callbridge/bus"
	"callbridge/mapping"
	"callbridge/mapping/payload"
	"callbridge/signature"
)

// maxBodyBytes is the largest webhook that is read.
const maxBodyBytes = 1 << 20

// retryAfter is what a CRM is asked to wait while the bus cannot take events.
const retryAfter = 5 * time.Second

// lookTimeout bounds the looks for results that stand already, over all events
// of a webhook: they only spare subscribers a repeat.
const lookTimeout = time.Second

// receive takes one webhook: read, verify, decode, map, publish, answer. 2xx
// means that JetStream has acknowledged everything that came out of it.
func (in Intake) receive(c *gin.Context) {
	start := time.Now()
	line := line{start: start, source: c.Param("source")}
	defer func() { in.finish(c, &line) }()

	config := in.Mapping()
	source, ok := config.Source(line.source)
	if !ok {
		line.source, line.reason = unknownSource, "unknown_source"
		refuse(c, http.StatusNotFound, "unknown_source", "no source of this name is configured")
		return
	}
	body, ok := readBody(c, &line)
	if !ok {
		return
	}
	events, err := source.Receive(mapping.Delivery{
		Method: c.Request.Method, URL: c.Request.URL, Header: c.Request.Header, Body: body, Received: start,
	})
	if err != nil {
		in.refuseDelivery(c, &line, err)
		return
	}
	answer, err := in.keep(c.Request.Context(), config, events, trace(c.Request.Header))
	line.count(answer)
	if err != nil {
		in.refuseKeeping(c, &line, err)
		return
	}
	c.JSON(http.StatusAccepted, answer)
}

// readBody reads the raw bytes: the signature is over them, not over what a
// decoder makes of them.
func readBody(c *gin.Context, line *line) ([]byte, bool) {
	if encoding := c.GetHeader("Content-Encoding"); encoding != "" && encoding != "identity" {
		line.reason = "content_encoding"
		refuse(c, http.StatusUnsupportedMediaType, "content_encoding", "send the body without Content-Encoding")
		return nil, false
	}
	body, err := io.ReadAll(http.MaxBytesReader(c.Writer, c.Request.Body, maxBodyBytes))
	line.bytes = len(body)
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		line.reason = "too_large"
		refuse(c, http.StatusRequestEntityTooLarge, "too_large", "the body is larger than "+strconv.Itoa(maxBodyBytes)+" bytes")
	case err != nil:
		line.reason = "unreadable"
		refuse(c, http.StatusBadRequest, "unreadable", "the body could not be read")
	default:
		return body, true
	}
	return nil, false
}

// refuseDelivery answers for a webhook that never became an event. The sender
// learns the kind of failure, the log which check it was.
func (in Intake) refuseDelivery(c *gin.Context, line *line, err error) {
	line.err = err
	var forged *signature.Failure
	switch {
	case errors.As(err, &forged):
		line.reason = "signature"
		refuse(c, http.StatusUnauthorized, "signature", "the sender could not be verified")
	case errors.Is(err, payload.ErrUnsupported):
		line.reason = "media_type"
		refuse(c, http.StatusUnsupportedMediaType, "media_type", "send JSON, a form or XML")
	default:
		line.reason = "unreadable"
		refuse(c, http.StatusBadRequest, "unreadable", "the body is not what its Content-Type says")
	}
}

func (in Intake) refuseKeeping(c *gin.Context, line *line, err error) {
	line.err = err
	if errors.Is(err, bus.ErrTooLarge) {
		line.reason = "too_large"
		refuse(c, http.StatusRequestEntityTooLarge, "too_large", "an event is larger than the bus takes")
		return
	}
	line.reason = "bus"
	c.Header("Retry-After", strconv.Itoa(int(retryAfter.Seconds())))
	refuse(c, http.StatusServiceUnavailable, "unavailable", "the event could not be stored; please send it again")
}

// keep maps events and publishes all that comes of them in one go.
func (in Intake) keep(ctx context.Context, config *mapping.Config, events []mapping.Incoming, trace string) (answer, error) {
	a := answer{Events: make([]eventAnswer, len(events))}
	looking, cancel := context.WithTimeout(ctx, lookTimeout)
	defer cancel()
	var messages []bus.Message
	var owner []int
	for i, e := range events {
		a.Events[i].ID = e.Event.ID
		for _, d := range config.Map(e) {
			a.Events[i].expect(d)
			if d.Result != nil && in.Bus.Published(looking, *d.Result) {
				a.Events[i].seen++
				continue
			}
			m, err := in.message(d, trace)
			if err != nil {
				return a, err
			}
			messages, owner = append(messages, m), append(owner, i)
		}
	}
	// A sender that hangs up does not take back what is half stored.
	for i, err := range in.Bus.Publish(context.WithoutCancel(ctx), messages...) {
		switch {
		case errors.Is(err, bus.ErrExists):
			a.Events[owner[i]].seen++
		case err != nil:
			return a, err
		}
	}
	for i := range a.Events {
		a.Events[i].settle()
	}
	return a, nil
}

func (in Intake) message(d mapping.Decision, trace string) (bus.Message, error) {
	if d.Request != nil {
		return in.Bus.Request(*d.Request, trace)
	}
	d.Result.TraceParent = trace
	return in.Bus.Result(*d.Result)
}

// traceParent is the form of W3C Trace Context, version 00.
var traceParent = regexp.MustCompile(`^00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$`)

func trace(h http.Header) string {
	if t := h.Get("traceparent"); traceParent.MatchString(t) {
		return t
	}
	return ""
}
