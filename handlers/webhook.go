package handlers

import (
	"errors"
	"net/http"
	"strconv"
	"time"

	"github.com/gin-gonic/gin"

	"callbridge/bus"
	"callbridge/mapping"
	"callbridge/mapping/payload"
	"callbridge/signature"
)

// retryAfter is what a CRM is asked to wait while the bus cannot take events.
const retryAfter = 5 * time.Second

// receive takes one webhook: read, verify, decode, map, publish, answer. 2xx
// means that JetStream has acknowledged everything that came out of it.
func (in Intake) receive(c *gin.Context) {
	start := time.Now()
	line := in.newLine(c, start)
	defer func() { in.finish(c, &line) }()

	config := in.Mapping()
	source, ok := config.Source(line.source)
	if !ok {
		in.refuseUnknown(c, &line)
		return
	}
	body, ok := in.readBody(c, &line)
	if !ok {
		return
	}
	delivery := deliveryOf(c, body, start)
	if reply, ok := source.Challenge(delivery); ok {
		line.reason = reasonHandshake
		write(c, reply)
		return
	}
	events, err := source.Receive(delivery)
	if err != nil {
		in.refuseDelivery(c, &line, err)
		return
	}
	answer, err := in.keep(c.Request.Context(), config, events, line.span.Parent())
	line.count(answer)
	if err != nil {
		in.refuseKeeping(c, &line, err)
		return
	}
	succeed(c, source.Answer(), answer)
}

func deliveryOf(c *gin.Context, body []byte, received time.Time) mapping.Delivery {
	return mapping.Delivery{
		Method: c.Request.Method, URL: c.Request.URL, Header: c.Request.Header, Body: body, Received: received,
	}
}

// succeed says what the CRM wants to hear. Some take one status only, or one
// body; the others get to know what became of each event.
func succeed(c *gin.Context, as mapping.Answer, answer answer) {
	contentType, text := as.ContentType, []byte(as.Body)
	if as.Body == "" {
		contentType, text = jsonType, append(answer.encode(), '\n')
	}
	// The CRM has its answer before the log has its line, which may have to wait
	// for the lines of others and for the disk. Of a known length it is in one piece.
	c.Header("Content-Length", strconv.Itoa(len(text)))
	c.Data(as.Status, contentType, text)
	c.Writer.Flush()
}

// refuseDelivery answers for a webhook that never became an event. The sender
// learns the kind of failure, the log which check it was.
func (in Intake) refuseDelivery(c *gin.Context, line *line, err error) {
	line.err = err
	var forged *signature.Failure
	switch {
	case errors.As(err, &forged):
		line.reason = "signature"
		in.turnAway(c, line, http.StatusUnauthorized, "signature", "the sender could not be verified")
	case line.bytes == 0:
		line.reason = "unreadable"
		refuse(c, http.StatusBadRequest, "unreadable", "the body is empty")
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
