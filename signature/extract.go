package signature

import (
	"bytes"
	"encoding/json"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// location names the location of a value in a request: a header, a query parameter
// or a field of the body. The zero location names none.
type location struct {
	headers []header
	query   string
	path    string
}

// header is a header name as the config writes it, and its canonical form in
// net/http.
type header struct {
	text, key string
}

func headerLocation(names ...string) location {
	var s location
	for _, name := range names {
		s.headers = append(s.headers, header{text: name, key: http.CanonicalHeaderKey(name)})
	}
	return s
}

// newHeaderLocation returns an error unless there is at least one header name.
func newHeaderLocation(names List) (location, error) {
	if len(names) == 0 {
		return location{}, configErrorf("header", "missing")
	}
	for _, name := range names {
		if name == "" || strings.ContainsAny(name, " \t\r\n:") {
			return location{}, configErrorf("header", "%q is not a valid header name", name)
		}
	}
	return headerLocation(names...), nil
}

// newLocation returns an error unless exactly one of the three is set.
func newLocation(headers List, query, path string) (location, error) {
	switch {
	case len(headers) > 0 && query == "" && path == "":
		return newHeaderLocation(headers)
	case len(headers) == 0 && (query == "") != (path == ""):
		return location{query: query, path: path}, nil
	}
	return location{}, configErrorf("header", "set exactly one of header, query and body_path")
}

// String returns the location as error texts show it.
func (s location) String() string {
	if s.query != "" {
		return "query parameter " + s.query
	}
	if s.path != "" {
		return "body field " + s.path
	}
	var names []string
	for _, h := range s.headers {
		names = append(names, h.text)
	}
	return "header " + strings.Join(names, " or ")
}

// read returns the value at the location. A repeated value is refused: we might
// check one of them, and a later reader might use the other.
func (s location) read(r Request) (string, *Failure) {
	values, ok := s.values(r)
	switch {
	case !ok:
		return "", failuref(ReasonMalformed, "%s cannot be read", s)
	case len(values) == 0 || values[0] == "" && len(values) == 1:
		return "", failuref(ReasonMissing, "%s is missing", s)
	case len(values) > 1:
		return "", failuref(ReasonMalformed, "%s occurs more than once", s)
	}
	return values[0], nil
}

func (s location) values(r Request) ([]string, bool) {
	switch {
	case s.query != "":
		_, query, _ := strings.Cut(r.URI, "?")
		parameters, err := url.ParseQuery(query)
		return parameters[s.query], err == nil
	case s.path != "" && isForm(r.Header):
		fields, err := url.ParseQuery(string(r.Body))
		return fields[s.path], err == nil
	case s.path != "":
		return jsonValues(r.Body, strings.Split(s.path, "."))
	}
	for _, h := range s.headers {
		if values := r.Header[h.key]; len(values) > 0 && values[0] != "" {
			return values, true
		}
	}
	return nil, true
}

// jsonValues follows path through nested objects to a string or a number. It
// returns false if the body is not JSON of that shape.
func jsonValues(body []byte, path []string) ([]string, bool) {
	raw := json.RawMessage(body)
	for _, name := range path {
		var object map[string]json.RawMessage
		if json.Unmarshal(raw, &object) != nil {
			return nil, false
		}
		value, ok := object[name]
		if !ok {
			return nil, true
		}
		raw = value
	}
	return jsonText(raw)
}

func jsonText(raw json.RawMessage) ([]string, bool) {
	if bytes.HasPrefix(raw, []byte(`"`)) {
		var text string
		err := json.Unmarshal(raw, &text)
		return []string{text}, err == nil
	}
	var number json.Number
	if json.Unmarshal(raw, &number) != nil {
		return nil, false
	}
	return []string{number.String()}, true
}

// isForm reports whether the Content-Type is that of an urlencoded form.
func isForm(h http.Header) bool {
	mediaType, _, _ := mime.ParseMediaType(h.Get("Content-Type"))
	return mediaType == "application/x-www-form-urlencoded"
}

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
