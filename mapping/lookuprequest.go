package mapping

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"time"

	"callbridge/event"
	"callbridge/mapping/payload"
)

// LookupRequest is one question to a CRM's API. It may be asked again: it
// changes nothing there.
type LookupRequest struct {
	Method string
	// URL is without what Auth adds.
	URL    string
	Header http.Header
	Body   []byte
	Auth   Auth
	// Hosts are the only ones that may be asked.
	Hosts []string
	// Rate is how many look-ups a second the source may make.
	Rate float64
	// Timeout counts from the moment the webhook came in.
	Timeout time.Duration
	// Coalesce is how long to wait for others that ask the same; zero for
	// not at all.
	Coalesce time.Duration
	// Object names what is asked about: requests that are equal in it have
	// the same answer.
	Object string
	// Version is what grows with every change of the object; empty where the
	// CRM gives none. See Older.
	Version string

	errorPath *payload.Path
}

// maxURLBytes is the longest URL that is asked: the least that RFC 9110 wants
// to be understood everywhere, and far above any id.
const maxURLBytes = 8000

// request fills in what the event holds. The refusal says what is missing.
func (i *inquiry) request(r *reader) (*LookupRequest, *refusal) {
	address, refused := i.url.render(r, urlEscaped)
	if refused != nil {
		return nil, refused
	}
	if len(address) > maxURLBytes {
		return nil, &refusal{reason: event.ReasonBadField, field: "url", detail: "the look-up's URL is too long"}
	}
	body, refused := i.body.render(r, jsonEscaped)
	if refused != nil {
		return nil, refused
	}
	version, _ := r.source.version.text(r.material)
	return &LookupRequest{
		Method: i.method, URL: address, Header: i.headers.Clone(), Body: []byte(body),
		Auth: i.auth, Hosts: i.hosts, Rate: i.rate, Timeout: i.timeout, Coalesce: i.coalesce,
		Object:  strings.Join([]string{r.source.name, i.method, address, body}, "\n"),
		Version: version, errorPath: i.errorPath,
	}, nil
}

// Problem returns what the answer says went wrong despite its status, at the
// source's error_path, and "" for nothing.
func (q *LookupRequest) Problem(in Incoming) string {
	if q.errorPath == nil || !in.answered {
		return ""
	}
	found, _ := q.errorPath.Lookup(in.answer)
	if list, ok := found.([]any); !payload.Present(found) || ok && len(list) == 0 {
		return ""
	}
	return "the answer holds something at " + q.errorPath.String()
}

// pattern is a template whose values are escaped for the place where they
// stand.
type pattern struct{ template }

// escape makes a value fit to stand after text. ok is false for a value that
// cannot stand there.
type escape func(text, before string) (escaped string, ok bool)

func (p pattern) render(r *reader, escape escape) (string, *refusal) {
	var b strings.Builder
	for i := range p.parts {
		part := &p.parts[i]
		value, refused := part.read(r)
		if refused != nil {
			return "", refused
		}
		if part.name != "" {
			var ok bool
			if value, ok = escape(value, b.String()); !ok {
				return "", &refusal{reason: event.ReasonBadField, field: part.name, detail: "the value cannot stand in a URL"}
			}
		}
		b.WriteString(value)
	}
	return b.String(), nil
}

// urlEscaped keeps a value within the one segment or parameter where it
// stands. A segment of dots would lead to another resource.
func urlEscaped(text, before string) (string, bool) {
	if strings.Contains(before, "?") {
		return url.QueryEscape(text), text != ""
	}
	return url.PathEscape(text), text != "" && text != "." && text != ".."
}

// jsonEscaped is the text as it stands inside of the quotes of a JSON text.
func jsonEscaped(text, _ string) (string, bool) {
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	if encoder.Encode(text) != nil {
		return "", false
	}
	return strings.TrimSuffix(strings.TrimPrefix(strings.TrimSpace(b.String()), `"`), `"`), true
}
