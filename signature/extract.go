package signature

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// maxSignatures limits the comparisons that one header can cause. Senders put
// two signatures there while they rotate a key.
const maxSignatures = 16

// format describes how one value contains the signatures.
type format struct {
	location  location
	format    string
	prefix    string
	separator string
	fields    []string
	// timestampField is the kv field of the timestamp; "" if the timestamp has a
	// location of its own.
	timestampField string
}

// parsed is the parsed value: signatures, any of which may match, and the
// timestamp if the value contains it.
type parsed struct {
	signatures []string
	timestamp  string
}

func newFormat(c Config) (format, error) {
	location, err := newLocation(c.Header, c.Query, c.BodyPath)
	if err != nil {
		return format{}, err
	}
	f := format{location: location, format: c.Format, prefix: c.Prefix, separator: c.Separator, fields: c.Field}
	if f.format == "" {
		f.format = "plain"
	}
	if err := oneOf("format", f.format, "plain", "kv", "list"); err != nil {
		return format{}, err
	}
	if c.Timestamp != nil {
		f.timestampField = c.Timestamp.Field
	}
	if f.separator == "" {
		f.separator = map[string]string{"kv": ",", "list": " "}[f.format]
	}
	return f, f.check(c)
}

// check refuses keys that the format would ignore.
func (f format) check(c Config) error {
	switch {
	case f.format == "plain" && c.Separator != "":
		return configErrorf("separator", "is not allowed with format plain")
	case f.format == "plain" && len(f.fields) > 0:
		return configErrorf("field", "is not allowed with format plain")
	case f.format != "plain" && f.prefix != "":
		return configErrorf("prefix", "is only allowed with format plain")
	case f.format == "kv" && len(f.fields) == 0:
		return configErrorf("field", "missing; format kv must name the fields with signatures")
	case f.format == "kv" && strings.Contains(f.separator, "="):
		return configErrorf("separator", "must not contain =")
	case f.format == "list" && len(f.fields) > 0 && strings.Contains(f.separator, ","):
		return configErrorf("separator", "must not contain a comma: it separates version and signature")
	case f.timestampField != "" && f.format != "kv":
		return configErrorf("timestamp.field", "only format kv has fields")
	case f.timestampField != "" && slices.Contains(f.fields, f.timestampField):
		return configErrorf("timestamp.field", "is also a field with signatures")
	case slices.Contains(f.fields, ""):
		return configErrorf("field", "is empty")
	}
	return nil
}

func (f format) read(r Request) (parsed, *Failure) {
	value, failure := f.location.read(r)
	if failure != nil {
		return parsed{}, failure
	}
	var p parsed
	switch f.format {
	case "kv":
		p, failure = f.parsePairs(value)
	case "list":
		p = f.parseList(value)
	default:
		p, failure = f.parsePlain(value)
	}
	switch {
	case failure != nil:
		return parsed{}, failure
	case len(p.signatures) == 0:
		return parsed{}, failuref(ReasonMissing, "%s contains no %s", f.location, f.wanted())
	case len(p.signatures) > maxSignatures:
		return parsed{}, failuref(ReasonMalformed, "%s contains more than %d signatures", f.location, maxSignatures)
	}
	return p, nil
}

func (f format) wanted() string {
	if len(f.fields) == 0 {
		return "signature"
	}
	return "signature " + strings.Join(f.fields, " or ")
}

// parsePlain trims white space after the prefix: HaloPSA sends "sha256= <hex>".
func (f format) parsePlain(value string) (parsed, *Failure) {
	signature, ok := strings.CutPrefix(value, f.prefix)
	if !ok {
		return parsed{}, failuref(ReasonMalformed, "%s does not begin with %s", f.location, f.prefix)
	}
	return parsed{signatures: []string{strings.TrimSpace(signature)}}, nil
}

// parsePairs parses "t=1,v1=a,v1=b". A part without = is another value of the
// previous field: Outpost writes "v0=a,b".
func (f format) parsePairs(value string) (parsed, *Failure) {
	var p parsed
	field, timestamps := "", 0
	for part := range strings.SplitSeq(value, f.separator) {
		name, text, ok := strings.Cut(part, "=")
		if ok {
			field = strings.TrimSpace(name)
		} else {
			text = part
		}
		text = strings.TrimSpace(text)
		switch {
		case text == "":
		case field == "":
			return parsed{}, failuref(ReasonMalformed, "%s is not a list of key=value", f.location)
		case field == f.timestampField:
			p.timestamp = text
			timestamps++
		case slices.Contains(f.fields, field):
			p.signatures = append(p.signatures, text)
		}
	}
	switch {
	case timestamps > 1:
		// It is not known which of them was signed.
		return parsed{}, failuref(ReasonMalformed, "%s contains %s more than once", f.location, f.timestampField)
	case timestamps == 0 && f.timestampField != "":
		return parsed{}, failuref(ReasonMissing, "%s contains no timestamp %s", f.location, f.timestampField)
	}
	return p, nil
}

// parseList parses "v1,a v1,b" or, without versions, "a b".
func (f format) parseList(value string) parsed {
	var p parsed
	for part := range strings.SplitSeq(value, f.separator) {
		part = strings.TrimSpace(part)
		if len(f.fields) > 0 {
			version, signature, _ := strings.Cut(part, ",")
			if !slices.Contains(f.fields, version) {
				continue
			}
			part = signature
		}
		if part != "" {
			p.signatures = append(p.signatures, part)
		}
	}
	return p
}

// write formats one signature as the sender does.
func (f format) write(signature, timestamp string) string {
	field := ""
	if len(f.fields) > 0 {
		field = f.fields[0]
	}
	switch {
	case f.format == "kv" && f.timestampField != "":
		return f.timestampField + "=" + timestamp + f.separator + field + "=" + signature
	case f.format == "kv":
		return field + "=" + signature
	case f.format == "list" && field != "":
		return field + "," + signature
	}
	return f.prefix + signature
}

// signingTime is the configuration of the time at which the sender signed. A nil
// signingTime means that the sender signs no time.
type signingTime struct {
	// location is zero if the time is part of the signature's value.
	location  location
	format    string
	tolerance time.Duration
}

func newSigningTime(t *Timestamp) (*signingTime, error) {
	if t == nil {
		return nil, nil
	}
	s := &signingTime{format: t.Format, tolerance: t.Tolerance}
	if err := oneOf("format", t.Format, "unix", "unix_ms", "rfc3339", "http_date"); err != nil {
		return nil, err
	}
	if t.Tolerance < 0 {
		return nil, configErrorf("tolerance", "is negative")
	}
	var err error
	switch {
	case t.Field != "" && len(t.Header) == 0 && t.BodyPath == "":
	case t.Field == "" && (len(t.Header) == 0) != (t.BodyPath == ""):
		s.location, err = newLocation(t.Header, "", t.BodyPath)
	default:
		err = configErrorf("header", "set exactly one of header, field and body_path")
	}
	return s, err
}

// read returns the time as the text that was signed.
func (s *signingTime) read(r Request, p parsed) (string, *Failure) {
	if s == nil || p.timestamp != "" {
		return p.timestamp, nil
	}
	return s.location.read(r)
}

// check compares the time with ours. The caller has verified the signature, which
// covers the time.
func (s *signingTime) check(text string, now time.Time) *Failure {
	if s == nil || s.tolerance == 0 {
		return nil
	}
	signed, err := s.parse(text)
	if err != nil {
		return failuref(ReasonMalformed, "timestamp is not %s", s.format)
	}
	age := now.Sub(signed)
	switch {
	case age > s.tolerance:
		return failuref(ReasonStale, "timestamp is %s old, %s allowed", age.Round(time.Second), s.tolerance)
	case age < -s.tolerance:
		return failuref(ReasonStale, "timestamp is %s ahead, %s allowed", -age.Round(time.Second), s.tolerance)
	}
	return nil
}

func (s *signingTime) parse(text string) (time.Time, error) {
	switch s.format {
	case "rfc3339":
		return time.Parse(time.RFC3339, text)
	case "http_date":
		return http.ParseTime(text)
	}
	// 48 bits of milliseconds reach beyond the year 10000; larger numbers would
	// overflow the arithmetic.
	n, err := strconv.ParseInt(strings.TrimSpace(text), 10, 49)
	if s.format == "unix_ms" {
		return time.UnixMilli(n), err
	}
	return time.Unix(n, 0), err
}

// write writes a time as the sender does.
func (s *signingTime) write(now time.Time) string {
	switch {
	case s == nil:
		return ""
	case s.format == "rfc3339":
		return now.UTC().Format(time.RFC3339)
	case s.format == "http_date":
		return now.UTC().Format(http.TimeFormat)
	case s.format == "unix_ms":
		return strconv.FormatInt(now.UnixMilli(), 10)
	}
	return strconv.FormatInt(now.Unix(), 10)
}
