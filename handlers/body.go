package handlers

import (
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"net/http"
	"strconv"

	"github.com/gin-gonic/gin"
)

// maxBodyBytes is the largest webhook that is read, as it is sent and as it
// unpacks: a few kilobytes of gzip can hold gigabytes.
const maxBodyBytes = 1 << 20

// errTooLarge is a body that unpacks to more than maxBodyBytes.
var errTooLarge = errors.New("the body unpacks to too much")

// readBody reads the bytes that the sender signed: what it wrote before any
// Content-Encoding, not what a decoder makes of it. Senders that compress sign
// first and pack then, as RFC 9110 section 8.4 has it: a coding is applied to
// the representation.
func (in Intake) readBody(c *gin.Context, line *line) ([]byte, bool) {
	packed := http.MaxBytesReader(c.Writer, c.Request.Body, maxBodyBytes)
	var body []byte
	var err error
	switch encoding := c.GetHeader("Content-Encoding"); encoding {
	case "", "identity":
		body, err = readAll(packed, c.Request.ContentLength)
	case "gzip", "x-gzip":
		body, err = unpack(packed)
	default:
		line.reason = "content_encoding"
		in.turnAway(c, line, http.StatusUnsupportedMediaType, "content_encoding", "send the body with gzip or without Content-Encoding")
		return nil, false
	}
	line.bytes = len(body)
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge), errors.Is(err, errTooLarge):
		line.reason = "too_large"
		in.turnAway(c, line, http.StatusRequestEntityTooLarge, "too_large", "the body is larger than "+strconv.Itoa(maxBodyBytes)+" bytes")
	case err != nil:
		line.reason = "unreadable"
		in.turnAway(c, line, http.StatusBadRequest, "unreadable", "the body could not be read")
	default:
		return body, true
	}
	return nil, false
}

// roomAhead bounds what is set aside on the mere word of a Content-Length.
const roomAhead = 16 << 10

// readAll is io.ReadAll for a length that most senders tell; net/http sees to it
// that no more comes. It is below zero for those who do not.
func readAll(r io.Reader, length int64) ([]byte, error) {
	if length >= 0 && length <= roomAhead {
		body := make([]byte, length)
		n, err := io.ReadFull(r, body)
		return body[:n], err
	}
	body := bytes.NewBuffer(make([]byte, 0, min(max(length, 0), roomAhead)+bytes.MinRead))
	_, err := body.ReadFrom(r)
	return body.Bytes(), err
}

// unpack stops at the limit, however much more would come.
func unpack(packed io.Reader) ([]byte, error) {
	reader, err := gzip.NewReader(packed)
	if err != nil {
		return nil, err
	}
	body, err := io.ReadAll(io.LimitReader(reader, maxBodyBytes+1))
	if err == nil && len(body) > maxBodyBytes {
		return nil, errTooLarge
	}
	return body, err
}
