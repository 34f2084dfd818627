package handlers

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"io"
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

// receive handles one webhook: read, verify, decode, map, store, answer. A 2xx
// means that JetStream has acknowledged everything the webhook led to.
func (in Intake) receive(c *gin.Context) {
	start := time.Now()
	line := in.newLogLine(c, start)
	defer func() { in.finish(c, &line) }()

	config := in.Mapping()
	source, ok := config.Source(line.source)
	if !ok {
		in.refuseUnknownSource(c, &line)
		return
	}
	body, ok := in.readBody(c, &line)
	if !ok {
		return
	}
	delivery := deliveryOf(c, body, start)
	if reply, ok := answerHandshake(source.Handshakes(), delivery); ok {
		line.reason = reasonHandshake
		writeReply(c, reply)
		return
	}
	events, err := source.Receive(delivery)
	if err != nil {
		in.refuseDelivery(c, &line, err)
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

func deliveryOf(c *gin.Context, body []byte, received time.Time) mapping.Delivery {
	return mapping.Delivery{
		Method: c.Request.Method, URL: c.Request.URL, Header: c.Request.Header, Body: body, Received: received,
	}
}

const (
	// maxBodyBytes limits a webhook's body both as sent and decompressed: a
	// few kilobytes of gzip can hold gigabytes.
	maxBodyBytes = 1 << 20
	// maxPreallocated limits the memory that is allocated because of a
	// Content-Length alone.
	maxPreallocated = 16 << 10
)

// errTooLarge is a body that decompresses to more than maxBodyBytes.
var errTooLarge = errors.New("the decompressed body is too large")

// readBody returns the bytes that the sender signed, or refuses the webhook. A
// compressed body is decompressed first: senders sign the representation, and
// Content-Encoding is applied after that (RFC 9110 section 8.4).
func (in Intake) readBody(c *gin.Context, line *logLine) ([]byte, bool) {
	limited := http.MaxBytesReader(c.Writer, c.Request.Body, maxBodyBytes)
	var body []byte
	var err error
	switch c.GetHeader("Content-Encoding") {
	case "", "identity":
		body, err = readAll(limited, c.Request.ContentLength)
	case "gzip", "x-gzip":
		body, err = decompress(limited)
	default:
		line.reason = "content_encoding"
		in.refuseUnverified(c, line, http.StatusUnsupportedMediaType, "content_encoding", "send the body with gzip or without Content-Encoding")
		return nil, false
	}
	line.bytes = len(body)
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge), errors.Is(err, errTooLarge):
		line.reason = "too_large"
		in.refuseUnverified(c, line, http.StatusRequestEntityTooLarge, "too_large", "the body is larger than "+strconv.Itoa(maxBodyBytes)+" bytes")
	case err != nil:
		line.reason = "unreadable"
		in.refuseUnverified(c, line, http.StatusBadRequest, "unreadable", "the body could not be read")
	default:
		return body, true
	}
	return nil, false
}

// readAll is io.ReadAll with one allocation for a known, small length. length
// is the Content-Length, which net/http enforces; -1 is unknown.
func readAll(r io.Reader, length int64) ([]byte, error) {
	if length >= 0 && length <= maxPreallocated {
		body := make([]byte, length)
		n, err := io.ReadFull(r, body)
		return body[:n], err
	}
	body := bytes.NewBuffer(make([]byte, 0, min(max(length, 0), maxPreallocated)+bytes.MinRead))
	_, err := body.ReadFrom(r)
	return body.Bytes(), err
}

// decompress reads gzip. It stops at the limit, without decompressing the rest.
func decompress(compressed io.Reader) ([]byte, error) {
	reader, err := gzip.NewReader(compressed)
	if err != nil {
		return nil, err
	}
	body, err := io.ReadAll(io.LimitReader(reader, maxBodyBytes+1))
	if err == nil && len(body) > maxBodyBytes {
		return nil, errTooLarge
	}
	return body, err
}

// store maps the events of a webhook and stores what they lead to in one batch.
func (in Intake) store(ctx context.Context, config *mapping.Config, events []mapping.Incoming, trace span.Parent) (answer, error) {
	a := answer{Events: make([]eventAnswer, len(events))}
	var items []event.Item
	var owners []*eventAnswer // of the items
	for i, e := range events {
		owner := &a.Events[i]
		owner.ID = e.Event.ID
		led, err := config.Items(e)
		if err != nil {
			return a, err
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
	for i, owner := range owners {
		if existed[i] {
			owner.existing++
		}
		if owner.existing == owner.items {
			owner.Status = duplicate
		}
	}
	return a, nil
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

// refuseDelivery answers for a webhook that was not verified or not decoded.
// The answer names the kind of failure, the log the exact check.
func (in Intake) refuseDelivery(c *gin.Context, line *logLine, err error) {
	line.err = err
	var forged *signature.Failure
	switch {
	case errors.As(err, &forged):
		line.reason = "signature"
		in.refuseUnverified(c, line, http.StatusUnauthorized, "signature", "the sender could not be verified")
	case line.bytes == 0:
		line.reason = "unreadable"
		refuse(c, http.StatusBadRequest, "unreadable", "the body is empty")
	case errors.Is(err, payload.ErrUnsupported):
		line.reason = "media_type"
		refuse(c, http.StatusUnsupportedMediaType, "media_type", "send JSON, a form or XML")
	case errors.Is(err, mapping.ErrTooManyEvents):
		line.reason = "unreadable"
		refuse(c, http.StatusBadRequest, "unreadable", "the delivery has more events than max_events")
	default:
		line.reason = "unreadable"
		refuse(c, http.StatusBadRequest, "unreadable", "the body does not match its Content-Type")
	}
}

// refuseUnstored answers for a webhook that the bus did not store. A 413 is
// final; after a 503 the CRM sends the webhook again.
func (in Intake) refuseUnstored(c *gin.Context, line *logLine, err error) {
	line.err = err
	if errors.Is(err, bus.ErrTooLarge) {
		line.reason = "too_large"
		refuse(c, http.StatusRequestEntityTooLarge, "too_large", "an event is larger than the limit of NATS (max_payload)")
		return
	}
	line.reason = "bus"
	c.Header("Retry-After", strconv.Itoa(int(retryAfter.Seconds())))
	refuse(c, http.StatusServiceUnavailable, "unavailable", "the event could not be stored; please send it again")
}
