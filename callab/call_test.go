package callab_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"reflect"
	"testing"
	"time"

	"callbridge/callab"
)

func TestCallForgivesOddFields(t *testing.T) {
	t.Parallel()
	const data = `{"id":"7d1b","call_duration":"long","cost":"0.1","is_test":null,"metadata":{"lead":12345678901234567890},` +
		`"agent_dynamic_variables":"","started_at":5,"ended_at":"soon","new_field":[1],"call_to":"+12025550142"}`
	var call callab.Call
	if err := json.Unmarshal([]byte(data), &call); err != nil {
		t.Fatal(err)
	}
	if call.ID != "7d1b" || call.CallTo != callTo || call.CallDuration != 0 || !call.EndedAt.IsZero() {
		t.Errorf("read %+v", call)
	}
	if lead := call.Metadata["lead"]; lead != json.Number("12345678901234567890") {
		t.Errorf("long id became %v", lead)
	}
	if again, err := json.Marshal(call); err != nil || string(again) != data {
		t.Errorf("written again as %s: %v", again, err)
	}
}

// FuzzCall: numbers of any length keep their digits wherever any value may stand,
// and odd fields are forgiven, as one Decoder would have it.
func FuzzCall(f *testing.F) {
	for _, data := range []string{
		`{"id":"7d1b","metadata":{"a":"x","b":null,"c":true}}`, `{"metadata":{"a":{"b":[1,"x"]}}}`, `{"agent_dynamic_variables":{"n":1.50}}`,
		`{"metadata":{"a":1e999}}`, `{"metadata":{"a":1},"metadata":{"b":"x"},"METADATA":{"a":"y"}}`, `{"metadata":5,"cost":"1","id":7}`,
		`{"id":"x"} {}`, `{"id":`, `{"metadata":{"a":1},"id":`, `{"call_duration":1e3,"latency":12,"metadata":{}}`,
	} {
		f.Add([]byte(data))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		type fields callab.Call
		var got callab.Call
		var want fields
		err := got.UnmarshalJSON(data)
		if len(data) == 0 || data[0] != '{' {
			return
		}
		decoder := json.NewDecoder(bytes.NewReader(data))
		decoder.UseNumber()
		wantErr := decoder.Decode(&want)
		var odd *json.UnmarshalTypeError
		if errors.As(wantErr, &odd) {
			wantErr = nil
		}
		if (err == nil) != (wantErr == nil) {
			t.Fatalf("error %v, a Decoder has %v", err, wantErr)
		}
		if want.Raw = got.Raw; err == nil && !reflect.DeepEqual(fields(got), want) {
			t.Errorf("read\n%+v\na Decoder reads\n%+v", got, want)
		}
	})
}

func TestTimeReadsEveryDocumentedForm(t *testing.T) {
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

func TestNewCallKeepsWhatWasWritten(t *testing.T) {
	t.Parallel()
	const data = `{"company_id":"1","campaign_id":"2","ai_agent_id":"3","contact_id":"4","call_sid":"5","call_provider":"6",` +
		`"call_from":"+12025550100","call_to":"+12025550142","call_direction":"outbound","is_test":false,` +
		`"metadata":{"lead":12345678901234567890},"agent_dynamic_variables":{"a":"b"},"notes":"7","workspace_id":"8","workspace":"9"}`
	var call callab.NewCall
	if err := json.Unmarshal([]byte(data), &call); err != nil {
		t.Fatal(err)
	}
	if got, err := json.Marshal(call); err != nil || string(got) != data {
		t.Errorf("written as\n%s\nwant\n%s (%v)", got, data, err)
	}
	if got, err := json.Marshal(callab.NewCall{}); err != nil || string(got) != "{}" {
		t.Errorf("empty call written as %s: %v", got, err)
	}
	if err := json.Unmarshal([]byte(`{"call_to":12025550142}`), &call); err == nil {
		t.Error("a number was taken for a telephone number")
	}
}
