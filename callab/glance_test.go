package callab_test

import (
	"bytes"
	"encoding/json"
	"testing"

	"callbridge/callab"
)

func everyField() callab.NewCall {
	isTest := false
	return callab.NewCall{
		CompanyID: "a", CampaignID: "b", AIAgentID: "c", ContactID: "d", CallSID: "e", CallProvider: "f", CallFrom: "+12025550100",
		CallTo: callTo, CallDirection: "outbound", IsTest: &isTest, Notes: "Zoë & <co>: \"yes\"\\\n\r\tあ", WorkspaceID: "g", Workspace: "h",
		Metadata:              map[string]any{"request": requestID, "a": json.Number("9007199254740993"), "b": nil, "c": true, "z": ""},
		AgentDynamicVariables: map[string]string{"first_name": "Zoë", "empty": "", "company": "Heating & Air"},
	}
}

func TestGlanceAtWhatIsMarshalled(t *testing.T) {
	t.Parallel()
	for _, call := range []callab.NewCall{newCall(), everyField()} {
		body := written(t, call)
		to, value, ok := callab.Glance(body, "request")
		if !ok || to != callTo || value != requestID {
			t.Errorf("%q, %q, %t of %s", to, value, ok, body)
		}
		if _, _, ok := callab.Glance(body, "another"); ok {
			t.Error("what is not in the metadata was found there")
		}
	}
}

// written is a call as the mapping writes it.
func written(t testing.TB, call callab.NewCall) []byte {
	t.Helper()
	var body bytes.Buffer
	enc := json.NewEncoder(&body)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(call); err != nil {
		t.Fatal(err)
	}
	return bytes.TrimSuffix(body.Bytes(), []byte("\n"))
}

// FuzzGlance: a body that is taken at a glance would be the same after it was
// decoded and encoded again.
func FuzzGlance(f *testing.F) {
	for _, call := range []callab.NewCall{newCall(), everyField(), {CallTo: callTo}, {}} {
		body := written(f, call)
		f.Add(body)
		f.Add(bytes.Replace(body, []byte(`:`), []byte(`: `), 1))
		f.Add(append(body, '\n'))
	}
	const head, tail = `{"call_to":"+12025550142","metadata":{"request":"x"`, `,"notes":"n"}`
	for _, body := range []string{
		head + `}` + tail, head + `},"agent_dynamic_variables":{}` + tail, head + `,"request":"y"}` + tail, head + `,"a":1}` + tail,
		head + `,"s":01}` + tail, head + `,"s":-}` + tail, head + `,"s":1.50e+3}` + tail, head + `,"s":}` + tail, head + `,"s":[1]}` + tail,
		head + `,"s":{"b":1,"a":2}}` + tail, head + `,"s":"&"}` + tail, head + `,"s":"\u00e9"}` + tail, head + `,"s":"\/"}` + tail,
		head + `,"s":"\u0001\b"}` + tail, head + ",\"s\":\"\xff\"}" + tail, head + ",\"s\":\"\u2028\"}" + tail, head + ",\"s\":\"\ufffd\"}" + tail,
		head + `,"s":"` + tail, head + `,"s":"\` + tail, head + `,}` + tail, head + `}` + tail + tail, head + `},"notes":""}`, head + `},"more":"x"` + tail,
		head + `},"is_test":null` + tail, head + `},"is_test":true` + tail, head + `},"Notes":"n"}`, head + `},"notes":"n","notes":"m"}`, head + `},"call_to":"+1"` + tail,
		`{"call_to":"\u002b12025550142","metadata":{"request":"x"},"notes":"n"}`, `{"call_to":1,"metadata":{"request":"x"},"notes":"n"}`,
		`{"metadata":{"request":"x\n"},"notes":"n","call_to":"+1"}`, `{"call_to":"+1","metadata":{"request":5},"notes":"n"}`, `{,}`, `{"call_to"}`,
	} {
		f.Add([]byte(body))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		to, value, ok := callab.Glance(body, "request")
		if !ok {
			return
		}
		var call callab.NewCall
		if err := json.Unmarshal(body, &call); err != nil {
			t.Fatalf("taken at a glance: %v", err)
		}
		if again := written(t, call); !bytes.Equal(again, body) {
			t.Errorf("encoded again it is\n%s, was\n%s", again, body)
		}
		if call.CallTo != to || call.Metadata["request"] != value || call.Notes == "" {
			t.Errorf("%q and %q of %+v", to, value, call)
		}
	})
}
