package signature

import (
	"mime"
	"net/http"
	"net/url"
	"strings"

	"callbridge/signature/scan"
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
		return formValues(query, s.query)
	case s.path != "" && isForm(r.Header):
		return formValues(string(r.Body), s.path)
	case s.path != "":
		value, found, ok := scan.Text(r.Body, strings.Split(s.path, "."))
		if !found || !ok {
			return nil, ok
		}
		return []string{value}, true
	}
	for _, h := range s.headers {
		if values := r.Header[h.key]; len(values) > 0 && values[0] != "" {
			return values, true
		}
	}
	return nil, true
}

// maxParameters limits the names of a form or a query, before the sender is
// verified. CRMs send some hundreds.
const maxParameters = 10_000

// formValues returns the values of one name of a form or a query. It keeps nothing
// of the other names. It returns false if an escape is broken or there are too many
// names.
func formValues(form, name string) ([]string, bool) {
	if strings.Count(form, "&") >= maxParameters || strings.Contains(form, ";") {
		return nil, false // some parsers separate names by a semicolon
	}
	var values []string
	for pair := range strings.SplitSeq(form, "&") {
		escaped, value, _ := strings.Cut(pair, "=")
		key, err := url.QueryUnescape(escaped)
		text, err2 := url.QueryUnescape(value)
		if err != nil || err2 != nil {
			return nil, false
		}
		if key == name && pair != "" {
			values = append(values, text)
		}
	}
	return values, true
}

// isForm reports whether the Content-Type is that of an urlencoded form.
func isForm(h http.Header) bool {
	mediaType, _, _ := mime.ParseMediaType(h.Get("Content-Type"))
	return mediaType == "application/x-www-form-urlencoded"
}
