package callab_test

import (
	"bytes"
	"encoding/json"
	"maps"
	"slices"
	"testing"
	"time"

	"callbridge/callab"
)

func TestCallIgnoresFieldsOfTheWrongType(t *testing.T) {
	t.Parallel()
	const data = `{"id":"7d1b","call_duration":"long","cost":"0.1","is_test":null,"metadata":{"lead":12345678901234567890},` +
		`"agent_dynamic_variables":"","started_at":5,"ended_at":"soon","new_field":[1],"call_to":"+12025550142"}`
	var call callab.Call
	if err := json.Unmarshal([]byte(data), &call); err != nil {
		t.Fatal(err)
	}
	if call.ID != "7d1b" || call.CallTo != callTo || call.CallDuration != 0 || !call.EndedAt.IsZero() {
		t.Errorf("decoded as %+v", call)
	}
	if lead := call.Metadata["lead"]; lead != json.Number("12345678901234567890") {
		t.Errorf("long id became %v", lead)
	}
	if again, err := json.Marshal(call); err != nil || string(again) != data {
		t.Errorf("encoded again as %s: %v", again, err)
	}
}

// FuzzCall: every JSON object is decoded, whatever the types of its fields, and
// encoded again unchanged.
func FuzzCall(f *testing.F) {
	for _, data := range []string{
		`{"id":"7d1b","metadata":{"a":"x","b":null,"c":true}}`, `{"metadata":{"a":{"b":[1,"x"]}}}`, `{"agent_dynamic_variables":{"n":1.50}}`,
		`{"metadata":{"a":1e99}}`, `{"metadata":{"a":1},"metadata":{"b":"x"},"METADATA":{"a":"y"}}`, `{"metadata":5,"cost":"1","id":7}`,
		`{"id":"x"} {}`, `{"id":`, `{"metadata":{"a":1},"id":`, `{"call_duration":1e3,"latency":12,"metadata":{}}`,
	} {
		f.Add([]byte(data))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		object := bytes.TrimSpace(data)
		isObject := json.Valid(data) && object[0] == '{'
		var call callab.Call
		if err := json.Unmarshal(data, &call); err != nil {
			if isObject {
				t.Errorf("not decoded: %v", err)
			}
			return
		}
		if !isObject { // null
			return
		}
		got, err := call.MarshalJSON()
		if err != nil || !bytes.Equal(got, object) {
			t.Errorf("encoded again as %s: %v", got, err)
		}
		if holdsFloat(call.Metadata) || holdsFloat(call.AgentDynamicVariables) {
			t.Errorf("a number was decoded as float64: %v, %v", call.Metadata, call.AgentDynamicVariables)
		}
	})
}

// holdsFloat reports whether a number was decoded in a form that may lose digits.
func holdsFloat(value any) bool {
	switch v := value.(type) {
	case float64:
		return true
	case []any:
		return slices.ContainsFunc(v, holdsFloat)
	case map[string]any:
		return slices.ContainsFunc(slices.Collect(maps.Values(v)), holdsFloat)
	}
	return false
}

func TestTimeParsesEveryDocumentedForm(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]time.Time{
		`"2023-11-07T05:31:56Z"`:          time.Date(2023, 11, 7, 5, 31, 56, 0, time.UTC),
		`"2023-11-07T05:31:56.5Z"`:        time.Date(2023, 11, 7, 5, 31, 56, 5e8, time.UTC),
		`"2023-11-07T07:31:56+02:00"`:     time.Date(2023, 11, 7, 5, 31, 56, 0, time.UTC),
		`"2023-11-07T05:31:56"`:           time.Date(2023, 11, 7, 5, 31, 56, 0, time.UTC),
		`"2023-11-07 05:31:56.000000001"`: time.Date(2023, 11, 7, 5, 31, 56, 1, time.UTC),
		`null`:                            {},
		`"yesterday"`:                     {},
		`{"seconds":1}`:                   {},
	} {
		var got callab.Time
		if err := json.Unmarshal([]byte(text), &got); err != nil || !got.Equal(want) {
			t.Errorf("%s: %v, want %v (%v)", text, got, want, err)
		}
	}
}

func TestNewCallIsEncodedAsItWasDecoded(t *testing.T) {
	t.Parallel()
	const data = `{"company_id":"1","campaign_id":"2","ai_agent_id":"3","contact_id":"4","call_sid":"5","call_provider":"6",` +
		`"call_from":"+12025550100","call_to":"+12025550142","call_direction":"outbound","is_test":false,` +
		`"metadata":{"lead":12345678901234567890},"agent_dynamic_variables":{"a":"b"},"notes":"7","workspace_id":"8","workspace":"9"}`
	var call callab.NewCall
	if err := json.Unmarshal([]byte(data), &call); err != nil {
		t.Fatal(err)
	}
	if got, err := json.Marshal(call); err != nil || string(got) != data {
		t.Errorf("encoded as\n%s\nwant\n%s (%v)", got, data, err)
	}
	if got, err := json.Marshal(callab.NewCall{}); err != nil || string(got) != "{}" {
		t.Errorf("empty call encoded as %s: %v", got, err)
	}
	if err := json.Unmarshal([]byte(`{"call_to":12025550142}`), &call); err == nil {
		t.Error("a number was accepted as a telephone number")
	}
}
