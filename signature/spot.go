package signature

import (
	"bytes"
	"encoding/json"
	"mime"
	"net/http"
	"net/url"
	"strings"
)

// spot is where in a request a value stands: a header, a query parameter or a
// field of the body. The zero spot is nowhere.
type spot struct {
	headers []header
	query   string
	path    string
}

// header is a name as the config writes it and as net/http keeps it.
type header struct {
	text, key string
}

func headerSpot(names ...string) spot {
	var s spot
	for _, name := range names {
		s.headers = append(s.headers, header{text: name, key: http.CanonicalHeaderKey(name)})
	}
	return s
}

// newHeaderSpot wants at least one header.
func newHeaderSpot(names List) (spot, error) {
	if len(names) == 0 {
		return spot{}, faulty("header", "missing")
	}
	for _, name := range names {
		if name == "" || strings.ContainsAny(name, " \t\r\n:") {
			return spot{}, faulty("header", "%q cannot be the name of a header", name)
		}
	}
	return headerSpot(names...), nil
}

// newSpot wants exactly one of the three.
func newSpot(headers List, query, path string) (spot, error) {
	switch {
	case len(headers) > 0 && query == "" && path == "":
		return newHeaderSpot(headers)
	case len(headers) == 0 && (query == "") != (path == ""):
		return spot{query: query, path: path}, nil
	}
	return spot{}, faulty("header", "exactly one of header, query and body_path must say where to look")
}

// String names the spot for people.
func (s spot) String() string {
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

// read returns the value at the spot. A value that is there twice is refused:
// we might check the one and somebody else might use the other.
func (s spot) read(r Request) (string, *Failure) {
	values, ok := s.values(r)
	switch {
	case !ok:
		return "", failed(ReasonMalformed, "%s cannot be read", s)
	case len(values) == 0 || values[0] == "" && len(values) == 1:
		return "", failed(ReasonMissing, "%s is missing", s)
	case len(values) > 1:
		return "", failed(ReasonMalformed, "%s is there more than once", s)
	}
	return values[0], nil
}

func (s spot) values(r Request) ([]string, bool) {
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

// jsonValues follows path through nested objects to a text or a number. It is
// false where the body is not that kind of JSON.
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

// isForm reports whether the body is an urlencoded form by its Content-Type.
func isForm(h http.Header) bool {
	mediaType, _, _ := mime.ParseMediaType(h.Get("Content-Type"))
	return mediaType == "application/x-www-form-urlencoded"
}
