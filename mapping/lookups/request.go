package lookups

import (
	"bytes"
	"encoding/json"
	"math/big"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"time"

	"callbridge/event"
	"callbridge/mapping/call"
	"callbridge/mapping/field"
	"callbridge/mapping/payload"
	"callbridge/mapping/rule"
)

// Request is one request to a CRM's API. It may be repeated, since it only reads.
type Request struct {
	Method string
	// URL is without the parameter that Auth may add.
	URL    string
	Header http.Header
	Body   []byte
	Auth   Auth
	// Hosts are the only hosts that the request may go to, also by redirects.
	Hosts []string
	// Rate is the limit of the source in lookups per second.
	Rate float64
	// Timeout counts from the moment the webhook came in.
	Timeout time.Duration
	// Coalesce is how long to wait for events with an equal Object, to ask once
	// for all of them; zero means not at all.
	Coalesce time.Duration
	// Object identifies the record: requests with an equal Object have the same
	// answer.
	Object string
	// Version grows with every change of the record; it is empty if the CRM sends
	// none. See Older.
	Version string

	errorPath, record *payload.Path
	answers           []answer
}

// maxURLBytes bounds the URL: RFC 9110 requires that 8000 bytes are supported
// everywhere, and ids are far shorter.
const maxURLBytes = 8000

// Exist reports whether the source has lookups at all.
func (l Lookups) Exist() bool { return len(l.entries) > 0 }

// Request returns the request that the event needs, as far as that is known
// before the answer. It is nil if the event needs none; the refusal is set if
// something for the request is missing.
func (l Lookups) Request(values *field.Values) (*Request, *field.Refusal) {
	for _, e := range l.entries {
		if verdict, _, err := e.when.Evaluate(values); err != nil || verdict != rule.Match {
			continue
		}
		if len(e.unless) > 0 && !slices.ContainsFunc(e.unless, func(name string) bool { return values.Get(name).State != field.Present }) {
			return nil, nil
		}
		return e.request(values, l.source)
	}
	return nil, nil
}

func (e *entry) request(values *field.Values, source Source) (*Request, *field.Refusal) {
	address, refused := e.url.render(values, urlEscaped)
	if refused != nil {
		return nil, refused
	}
	if len(address) > maxURLBytes {
		return nil, &field.Refusal{Reason: event.ReasonBadField, Field: "url", Detail: "the lookup's URL is too long"}
	}
	body, refused := e.body.render(values, jsonEscaped)
	if refused != nil {
		return nil, refused
	}
	version, _ := source.Version.Text(values.Input)
	return &Request{
		Method: e.method, URL: address, Header: e.headers.Clone(), Body: []byte(body),
		Auth: e.auth, Hosts: e.hosts, Rate: e.rate, Timeout: e.timeout, Coalesce: e.coalesce,
		Object:  strings.Join([]string{source.Name, e.method, address, body}, "\n"),
		Version: version, errorPath: e.errorPath, record: e.record, answers: e.answers,
	}, nil
}

// Problem returns the error that an answer with a successful status reports at
// error_path, or "".
func (q *Request) Problem(answer payload.Value) string {
	if q.errorPath == nil {
		return ""
	}
	found, _ := q.errorPath.Lookup(answer)
	if list, ok := found.([]any); !payload.Present(found) || ok && len(list) == 0 {
		return ""
	}
	return "the answer holds something at " + q.errorPath.String()
}

// IsEmpty reports whether an answer has no record: a search has found nothing, or
// not yet.
func (q *Request) IsEmpty(answer payload.Value) bool {
	if q.record != nil {
		answer, _ = q.record.Lookup(answer)
	}
	switch v := answer.(type) {
	case []any:
		return len(v) == 0
	case map[string]any:
		return len(v) == 0
	}
	return !payload.Present(answer)
}

// pattern is a template whose values are escaped.
type pattern struct{ call.Template }

// escape makes a value safe between the texts around it, or says what is wrong with it.
type escape func(text, before, after string) (escaped, problem string)

func (p pattern) render(values *field.Values, escape escape) (string, *field.Refusal) {
	var b strings.Builder
	for i := range p.Parts {
		part := &p.Parts[i]
		value, refused := part.Render(values)
		if refused != nil {
			return "", refused
		}
		if part.Name != "" {
			after := ""
			if i+1 < len(p.Parts) {
				after = p.Parts[i+1].Literal
			}
			var problem string
			if value, problem = escape(value, b.String(), after); problem != "" {
				return "", &field.Refusal{Reason: event.ReasonBadField, Field: part.Name, Detail: "the value " + problem}
			}
		}
		b.WriteString(value)
	}
	return b.String(), nil
}

// jsonText is the text as JSON writes it, without its quotes.
func jsonText(text string) (escaped, problem string) {
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	if encoder.Encode(text) != nil {
		return "", wantsText
	}
	return strings.TrimSuffix(strings.TrimPrefix(strings.TrimSpace(b.String()), `"`), `"`), ""
}

// versionNumber is bounded, since the sender chooses it and comparing takes time.
var versionNumber = regexp.MustCompile(`^[0-9]{1,40}(\.[0-9]{1,20})?$`)

// Older reports whether one version of a record is older than another; both are
// numbers or both are times. Versions that cannot be compared are not older,
// since an event with an older version is skipped.
func Older(version, than string) bool {
	if versionNumber.MatchString(version) && versionNumber.MatchString(than) {
		a, _ := new(big.Rat).SetString(version)
		b, _ := new(big.Rat).SetString(than)
		return a.Cmp(b) < 0
	}
	rfc3339 := []string{"rfc3339"}
	a, isTime := field.ParseTime(version, rfc3339, nil)
	b, areTimes := field.ParseTime(than, rfc3339, nil)
	return isTime && areTimes && a.Before(b)
}
