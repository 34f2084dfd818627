package event

import (
	"bytes"
	"errors"
	"fmt"
	"regexp"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/uuid"

	"callbridge/untrusted"
)

// keepRaw carries raw parts (a payload, an answer of Callab) unchanged, but for
// white space between values. They may hold half of a surrogate pair or repeat a
// member: an error here would lose the outcome of a call that was made.
var keepRaw = json.JoinOptions(
	jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true), jsontext.PreserveRawStrings(true),
)

// Marshal returns the JSON of a request, a result or anything else that is
// stored in NATS.
func Marshal(v any) ([]byte, error) {
	data, err := json.Marshal(v, keepRaw)
	if err != nil {
		return nil, fmt.Errorf("encode %T: %w", v, err)
	}
	return data, nil
}

// Unmarshal reads what Marshal wrote. Requests, which other services may publish
// too, are read by Request.Decode.
func Unmarshal(data []byte, v any) error {
	return json.Unmarshal(data, v, keepRaw)
}

// Decode reads a request. It refuses an object that has a member twice, because
// readers differ in which of the two they take, and nesting and numbers at which the
// readers of results break. After an error r holds the
// members before it. A config that cannot be a hash is dropped: another service has
// written it.
func (r *Request) Decode(data []byte) error {
	if err := readable(data); err != nil {
		return err
	}
	err := json.Unmarshal(data, r, jsontext.AllowInvalidUTF8(true))
	if !configHash.MatchString(r.Config) {
		r.Config = ""
	}
	return err
}

// configHash is the form of a configuration's hash.
var configHash = regexp.MustCompile(`^[0-9a-f]{12}$`)

const (
	// maxDepth is how deep lists and objects may be nested. A webhook is nested 64
	// levels at most.
	maxDepth = 100
	// maxNumber is how many characters a number may have, and maxExponent how many its
	// exponent.
	maxNumber   = 64
	maxExponent = 4
)

// readable refuses JSON that is nested too deeply or has a number that is too long.
func readable(data []byte) error {
	switch err := untrusted.CheckJSON(data, maxDepth, isLong); {
	case errors.Is(err, untrusted.ErrTooDeep):
		return fmt.Errorf("nested more than %d levels deep", maxDepth)
	case err != nil:
		return fmt.Errorf("a number of more than %d characters, with an exponent of more than %d, or beyond 1e308", maxNumber, maxExponent)
	}
	return nil
}

func isLong(number []byte) bool {
	exponent := bytes.IndexAny(number, "eE")
	return len(number) > maxNumber || exponent >= 0 && (len(number)-exponent-1 > maxExponent || untrusted.IsInfinite(string(number)))
}

// ContentType of every result on the bus (CloudEvents 1.0, JSON event format).
const ContentType = "application/cloudevents+json"

// resultFields is a Result without its methods.
type resultFields Result

// cloudEvent is the envelope of a result: CloudEvents 1.0, JSON event format.
type cloudEvent struct {
	SpecVersion     string        `json:"specversion"`
	ID              uuid.UUID     `json:"id"`
	Source          string        `json:"source"`
	Type            string        `json:"type"`
	Subject         uuid.UUID     `json:"subject"`
	Time            time.Time     `json:"time,omitzero"`
	TraceParent     string        `json:"traceparent,omitzero"`
	DataContentType string        `json:"datacontenttype"`
	Data            *resultFields `json:"data"`
}

func (r *Result) envelope() cloudEvent {
	return cloudEvent{
		SpecVersion: "1.0", ID: r.ID(), Source: "/callbridge/" + r.Event.Source,
		Type: "callbridge.result." + string(r.Outcome), Subject: r.RequestID,
		Time: r.Time.UTC(), TraceParent: r.TraceParent,
		DataContentType: "application/json", Data: (*resultFields)(r),
	}
}

// MarshalJSONTo writes the result as a CloudEvent: its type is
// callbridge.result.<outcome>, its source /callbridge/<source>, its subject the
// request id.
func (r Result) MarshalJSONTo(enc *jsontext.Encoder) error {
	return json.MarshalEncode(enc, r.envelope())
}

// MarshalJSON is MarshalJSONTo for encoding/json.
func (r Result) MarshalJSON() ([]byte, error) { return Marshal(r.envelope()) }

// UnmarshalJSON reads what MarshalJSON writes.
func (r *Result) UnmarshalJSON(data []byte) error {
	var e cloudEvent
	err := json.Unmarshal(data, &e, keepRaw)
	if err == nil && e.Data == nil {
		err = errors.New("the envelope has no data")
	}
	if err != nil {
		return fmt.Errorf("decode result %s: %w", e.ID, err)
	}
	*r = Result(*e.Data)
	r.Time, r.TraceParent = e.Time, e.TraceParent
	return nil
}
