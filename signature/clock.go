package signature

import (
	"net/http"
	"strconv"
	"strings"
	"time"
)

// clock is the sender's time of signing. A nil clock is no time at all.
type clock struct {
	// spot is nowhere when the time is packed with the signatures.
	spot      spot
	format    string
	tolerance time.Duration
}

func newClock(t *Timestamp) (*clock, error) {
	if t == nil {
		return nil, nil
	}
	c := &clock{format: t.Format, tolerance: t.Tolerance}
	if err := oneOf("format", t.Format, "unix", "unix_ms", "rfc3339", "http_date"); err != nil {
		return nil, err
	}
	if t.Tolerance < 0 {
		return nil, faulty("tolerance", "is negative")
	}
	var err error
	switch {
	case t.Field != "" && len(t.Header) == 0 && t.BodyPath == "":
	case t.Field == "" && (len(t.Header) == 0) != (t.BodyPath == ""):
		c.spot, err = newSpot(t.Header, "", t.BodyPath)
	default:
		err = faulty("header", "exactly one of header, field and body_path must say where to look")
	}
	return c, err
}

// read returns the time as text, as it was signed.
func (c *clock) read(r Request, g given) (string, *Failure) {
	if c == nil || g.timestamp != "" {
		return g.timestamp, nil
	}
	return c.spot.read(r)
}

// check compares the time, which the signature has proved by now, with ours.
func (c *clock) check(text string, now time.Time) *Failure {
	if c == nil || c.tolerance == 0 {
		return nil
	}
	signed, err := c.parse(text)
	if err != nil {
		return failed(ReasonMalformed, "timestamp is not %s", c.format)
	}
	age := now.Sub(signed)
	switch {
	case age > c.tolerance:
		return failed(ReasonStale, "timestamp is %s old, %s allowed", age.Round(time.Second), c.tolerance)
	case age < -c.tolerance:
		return failed(ReasonStale, "timestamp is %s ahead, %s allowed", -age.Round(time.Second), c.tolerance)
	}
	return nil
}

func (c *clock) parse(text string) (time.Time, error) {
	switch c.format {
	case "rfc3339":
		return time.Parse(time.RFC3339, text)
	case "http_date":
		return http.ParseTime(text)
	}
	// 48 bits of milliseconds reach beyond the year 10000; more would only
	// overflow the arithmetic.
	n, err := strconv.ParseInt(strings.TrimSpace(text), 10, 49)
	if c.format == "unix_ms" {
		return time.UnixMilli(n), err
	}
	return time.Unix(n, 0), err
}

// text writes a time as the sender would.
func (c *clock) text(now time.Time) string {
	switch {
	case c == nil:
		return ""
	case c.format == "rfc3339":
		return now.UTC().Format(time.RFC3339)
	case c.format == "http_date":
		return now.UTC().Format(http.TimeFormat)
	case c.format == "unix_ms":
		return strconv.FormatInt(now.UnixMilli(), 10)
	}
	return strconv.FormatInt(now.Unix(), 10)
}
