package dispatch

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/uuid"

	"callbridge/event"
)

// TestSignAddsTheRequestID: whichever service wrote the request, the call that
// is sent carries the id, and known fields only.
func TestSignAddsTheRequestID(t *testing.T) {
	t.Parallel()
	id := uuid.MustParse("6f1f8f0e-5f57-4c0e-9d0a-1f6f4b0a7c11")
	const signed = `{"call_to":"+12025550142","metadata":{"callbridge_request_id":"6f1f8f0e-5f57-4c0e-9d0a-1f6f4b0a7c11","n":9007199254740993},` +
		`"notes":"callbridge 6f1f8f0e-5f57-4c0e-9d0a-1f6f4b0a7c11"}`
	for _, call := range []string{
		signed, " " + signed, `{"call_to":"+12025550142","metadata":{"n":9007199254740993}}`,
		`{"metadata":{"n":9007199254740993,"callbridge_request_id":"another"},"notes":null,"call_to":"+12025550142","made_up":1}`,
		strings.Replace(signed, "6f1f8f0e", "00000000", 1),
	} {
		r := request{Request: event.Request{ID: id, Call: json.RawMessage(call)}}
		if err := r.sign(); err != nil || string(r.Call) != signed || r.callTo != "+12025550142" {
			t.Errorf("%s\nis signed as\n%s (%v)", call, r.Call, err)
		}
	}
	for _, call := range []string{``, `[]`, `{}`, `{"call_to":5}`, strings.Replace(signed, "+1", "+0", 1)} {
		r := request{Request: event.Request{ID: id, Call: json.RawMessage(call)}}
		if err := r.sign(); err == nil {
			t.Errorf("%q is accepted as a call", call)
		}
	}
}
