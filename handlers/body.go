package handlers

import (
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"net/http"
	"os"
	"strconv"
	"time"

	"github.com/gin-gonic/gin"
)

const (
	// maxBodyBytes limits a webhook's body both as sent and decompressed: a
	// few kilobytes of gzip can hold gigabytes.
	maxBodyBytes = 1 << 20
	// gzipBytes is about what the state of a gzip reader needs.
	gzipBytes = 48 << 10
)

const (
	// bodyTime is how long a body may take, and one second more for each bodyStep
	// that has arrived: 1 MiB at 64 KiB a second is accepted.
	bodyTime = 5 * time.Second
	bodyStep = 64 << 10
)

// errTooLarge is a body that is larger than maxBodyBytes, as sent or decompressed.
var errTooLarge = errors.New("the body is too large")

// busyAfter is the Retry-After of a webhook for which there is no memory.
const busyAfter = time.Second

// readBody returns the bytes that the sender signed, or refuses the webhook. A
// compressed body is decompressed first: senders sign the representation, and
// Content-Encoding is applied after that (RFC 9110 section 8.4). It is decompressed
// only when all of it has arrived, so that a sender
// cannot withhold its end while the decompressed bytes are held.
func (in Intake) readBody(c *gin.Context, line *logLine, h *held) ([]byte, bool) {
	packed := false
	switch c.GetHeader("Content-Encoding") {
	case "", "identity":
	case "gzip", "x-gzip":
		packed = true
	default:
		line.reason = "content_encoding"
		in.refuseUnverified(c, line, http.StatusUnsupportedMediaType, "content_encoding", "send the body with gzip or without Content-Encoding")
		return nil, false
	}
	body, err := receiveBody(c, h)
	if err == nil && packed {
		body, err = decompress(body, h)
	}
	line.bytes = len(body)
	if err != nil {
		in.refuseBody(c, line, err)
		return nil, false
	}
	return body, true
}

// refuseBody answers for a body that was not read to its end.
func (in Intake) refuseBody(c *gin.Context, line *logLine, err error) {
	var full budgetError
	switch {
	case errors.As(err, &full):
		line.reason, line.unverified, line.limited = "memory", true, true
		in.metrics.withoutMemory.WithLabelValues(string(full)).Inc()
		refuseBusy(c, http.StatusServiceUnavailable, busyAfter, "unavailable", "too many webhooks are being received; please send it again")
	case errors.Is(err, errTooLarge):
		line.reason = "too_large"
		in.refuseUnverified(c, line, http.StatusRequestEntityTooLarge, "too_large", "the body is larger than "+strconv.Itoa(maxBodyBytes)+" bytes")
	case errors.Is(err, os.ErrDeadlineExceeded):
		line.reason = "too_slow"
		in.refuseUnverified(c, line, http.StatusRequestTimeout, "too_slow", "the body did not arrive in time")
	default:
		line.reason = "unreadable"
		in.refuseUnverified(c, line, http.StatusBadRequest, "unreadable", "the body could not be read")
	}
}

// receiveBody reads a body as it was sent. Afterwards the connection has no deadline:
// net/http waits there for the end of the connection while the webhook is stored.
func receiveBody(c *gin.Context, h *held) ([]byte, error) {
	if c.Request.ContentLength > maxBodyBytes {
		return nil, errTooLarge
	}
	if err := h.take(firstBytes); err != nil {
		return nil, err
	}
	// Recorders of tests have no deadlines.
	connection, begun := http.NewResponseController(c.Writer), time.Now()
	_ = connection.SetReadDeadline(begun.Add(bodyTime))
	body, err := readAll(c.Request.Body, int(c.Request.ContentLength), h, func(arrived int) {
		_ = connection.SetReadDeadline(begun.Add(bodyTime + time.Duration(arrived/bodyStep)*time.Second))
	})
	if err == nil {
		_ = connection.SetReadDeadline(time.Time{})
	}
	return body, err
}

// readAll reads a body, with one allocation if its length is known and small; -1 is
// unknown. net/http enforces the length. progress is called each time that bodyStep
// has arrived. The first firstBytes are held already; more is taken before it is
// allocated, as the body arrives.
func readAll(r io.Reader, length int, h *held, progress func(arrived int)) ([]byte, error) {
	first := min(length, firstBytes)
	if length < 0 {
		first = bytes.MinRead
	}
	body, next := make([]byte, 0, first), bodyStep
	for len(body) != length {
		if len(body) == cap(body) {
			var err error
			if body, err = grow(body, h); err != nil {
				return nil, err
			}
		}
		n, err := r.Read(body[len(body):cap(body)])
		body = body[:len(body)+n]
		if len(body) > maxBodyBytes {
			return nil, errTooLarge
		}
		if len(body) >= next {
			progress(len(body))
			next = len(body) + bodyStep
		}
		if errors.Is(err, io.EOF) && (length < 0 || len(body) == length) {
			return body, nil
		}
		if err != nil {
			return body, err
		}
	}
	return body, nil
}

// grow doubles a buffer, up to one byte more than a body may have.
func grow(body []byte, h *held) ([]byte, error) {
	size := min(max(2*cap(body), bytes.MinRead), maxBodyBytes+1)
	if more := max(size, firstBytes) - max(cap(body), firstBytes); more > 0 {
		if err := h.take(more); err != nil {
			return nil, err
		}
	}
	return append(make([]byte, 0, size), body...), nil
}

// decompress decompresses gzip. It stops at the limit, without decompressing the rest.
func decompress(packed []byte, h *held) ([]byte, error) {
	if err := h.take(gzipBytes + firstBytes); err != nil {
		return nil, err
	}
	reader, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		return nil, err
	}
	return readAll(reader, -1, h, func(int) {})
}
