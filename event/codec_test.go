package event_test

import (
	"bytes"
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"callbridge/event"
)

// sampleRequest has a payload of the usual size.
func sampleRequest() event.Request {
	id := event.EventID("website", "lead-1001")
	data := []byte(`{"id":"lead-1001","notes":"` + strings.Repeat("Northwind ", 110) + `","big":9007199254740993}`)
	return event.Request{
		ID: event.RequestID(id, "new-lead"), Route: "new-lead",
		Call: json.RawMessage(`{"call_to":"+12025550142","agent_dynamic_variables":{"first_name":"Maria"},"metadata":{"lead":"lead-1001"}}`),
		Event: event.Event{
			ID: id, Source: "website", Key: "lead-1001", Type: "lead.created", Data: data,
			Time: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), Received: time.Date(2026, 1, 2, 3, 4, 6, 7, time.UTC),
		},
	}
}

func TestMarshalWritesTheDocumentedForm(t *testing.T) {
	t.Parallel()
	r := sampleRequest()
	r.Route, r.Event.Type, r.Event.Time = "", "", time.Time{}
	r.Event.Data = json.RawMessage(`{"b": 1.10, "a":"\u00e9 <&> \ud800", "a":[]}`)
	result := event.Result{
		RequestID: r.ID, Outcome: event.Failed, Reason: event.ReasonNotSent, Detail: "a\nb", Attempts: 3,
		Time: time.Date(2026, 1, 2, 5, 4, 5, 600, time.FixedZone("", 2*60*60)), Event: event.Event{ID: r.Event.ID, Source: "website"},
	}
	written := `{"id":"d90b7ebe-784c-51d7-97df-83239ce29ad0","source":"website","key":"lead-1001","received":"2026-01-02T03:04:06.000000007Z","data":{"b":1.10,"a":"\u00e9 <&> \ud800","a":[]}}`
	for _, c := range []struct {
		value any
		want  string
	}{
		{r, `{"id":"8b2c1d38-5174-59d8-a709-898b96e21d44","call":{"call_to":"+12025550142","agent_dynamic_variables":{"first_name":"Maria"},"metadata":{"lead":"lead-1001"}},"event":` + written + `}`},
		{event.Pending{Event: r.Event}, `{"event":` + written + `}`},
		{result, `{"specversion":"1.0","id":"` + result.ID().String() + `","source":"/callbridge/website","type":"callbridge.result.failed","subject":"8b2c1d38-5174-59d8-a709-898b96e21d44",` +
			`"time":"2026-01-02T03:04:05.0000006Z","datacontenttype":"application/json","data":{"request_id":"8b2c1d38-5174-59d8-a709-898b96e21d44","outcome":"failed","reason":"not_sent","detail":"a\nb","attempts":3,` +
			`"event":{"id":"d90b7ebe-784c-51d7-97df-83239ce29ad0","source":"website","key":""}}}`},
	} {
		if got, err := event.Marshal(c.value); err != nil || string(got) != c.want {
			t.Errorf("wrote %s, %v\nwant  %s", got, err, c.want)
		}
	}
}

func TestMarshalRefusesARawPartThatIsNoJSON(t *testing.T) {
	t.Parallel()
	r := sampleRequest()
	r.Call = json.RawMessage(`{"call_to":`)
	if data, err := event.Marshal(r); err == nil {
		t.Errorf("wrote %s", data)
	}
}

func TestDecodeRefusesWhatReadersUnderstandDifferently(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		``, `[]`, `{"id":"x"}`, `{"route":"a","route":"b"}`, `{"call":{"call_to":"+12025550142","call_to":"+12025550143"}}`,
		`{"call":{"a":1,"\u0061":2}}`, `{"event":{"time":"yesterday"}}`, `{} {}`, `{"call":` + strings.Repeat("[", 20000) + `}`,
	} {
		var r event.Request
		if err := r.Decode([]byte(text)); err == nil {
			t.Errorf("%.60s: read as %+v", text, r)
		}
	}
}

func TestResultIsACloudEvent(t *testing.T) {
	t.Parallel()
	id := event.RequestID(event.EventID("website", "lead-1001"), "new-lead")
	sent := event.Result{
		RequestID: id, Outcome: event.Accepted, Reason: event.ReasonCreated, Route: "new-lead", Config: "0123456789ab", Attempts: 1,
		Time:        time.Date(2026, 11, 23, 9, 30, 0, 0, time.UTC),
		TraceParent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
		Call:        json.RawMessage(`{"id":"c-1","of_tomorrow":12345678901234567890}`),
		Event:       event.Event{Source: "website", Key: "lead-1001", Data: json.RawMessage(`{"id":9007199254740993}`)},
	}
	text, err := event.Marshal(sent)
	if err != nil {
		t.Fatal(err)
	}
	var attributes map[string]any
	if err := json.Unmarshal(text, &attributes); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"specversion": "1.0", "type": "callbridge.result.accepted", "source": "/callbridge/website",
		"subject": id.String(), "id": event.ResultID(id, event.Accepted).String(), "time": "2026-11-23T09:30:00Z",
		"datacontenttype": "application/json", "traceparent": sent.TraceParent,
	} {
		if attributes[name] != want {
			t.Errorf("attribute %s = %v, want %s", name, attributes[name], want)
		}
	}
	for _, exact := range []string{"12345678901234567890", "9007199254740993"} {
		if !bytes.Contains(text, []byte(exact)) {
			t.Errorf("the digits of %s are gone", exact)
		}
	}
	for name, read := range map[string]func([]byte, any) error{"Unmarshal": event.Unmarshal, "encoding/json": json.Unmarshal} {
		var got event.Result
		if err := read(text, &got); err != nil || !reflect.DeepEqual(got, sent) {
			t.Errorf("%s reads %+v, %v", name, got, err)
		}
	}
	if again, err := json.Marshal(sent); err != nil || !bytes.Equal(again, text) {
		t.Errorf("encoding/json writes %s, %v\nMarshal writes %s", again, err, text)
	}
	if err := event.Unmarshal([]byte(`{"specversion":"1.0"}`), &event.Result{}); err == nil {
		t.Error("an envelope without data is read")
	}
}

// Messages of a version without config are read, and what another service writes there
// is no hash.
func TestConfigOfAnEarlierVersionOrAnotherServiceIsEmpty(t *testing.T) {
	t.Parallel()
	var result event.Result
	err := event.Unmarshal([]byte(`{"specversion":"1.0","data":{"outcome":"accepted","reason":"created","event":{"source":"crm","key":"1"}}}`), &result)
	if err != nil || result.Config != "" || result.Outcome != event.Accepted {
		t.Errorf("an earlier result is read as %+v, %v", result, err)
	}
	for text, want := range map[string]string{
		`{"call":{}}`: "", `{"call":{},"config":"0123456789ab"}`: "0123456789ab",
		`{"call":{},"config":"+12025550142"}`: "", `{"call":{},"config":"0123456789ab\n"}`: "", `{"call":{},"config":"0123456789abc"}`: "",
	} {
		var r event.Request
		if err := r.Decode([]byte(text)); err != nil || r.Config != want {
			t.Errorf("%s: config %q, %v", text, r.Config, err)
		}
	}
}

// FuzzDecode: a request that is read, written and read again is the same, and
// no object with a repeated member is read.
func FuzzDecode(f *testing.F) {
	usual, err := event.Marshal(sampleRequest())
	if err != nil {
		f.Fatal(err)
	}
	f.Add(usual)
	for _, text := range []string{
		``, `null`, `{}x`, ` { "call" : { "call_to" : "+12025550142" } } `, `{"id":null,"call":null,"event":null,"route":null}`,
		`{"id":"urn:uuid:6f1f8f0e-5f57-4c0e-9d0a-1f6f4b0a7c11"}`, `{"route":"a","route":"b"}`, `{"event":{"Key":"a","key":"b"}}`,
		`{"route":"\u00e9\n"}`, "{\"route\":\"\xff\"}", `{"route":1}`, `{"r\u006fute":"a"}`, `{"event":{"data":"\ud800"}}`,
		`{"event":{"time":"2026-01-02T03:04:05Z","received":"2026-01-02T03:04:05.5+02:00"}}`, `{"event":{"time":"2026-01-02T3:04:05Z"}}`,
		`{"call":[1,-0,0.5,1e5,-1.5E-7,true,false,null,"\"\\\/\b\f\n\r\t\u00eF"]}`, `{"call":{"a":1,"a":2}}`, `{"call":01}`, `{"call":`,
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		var read, again event.Request
		if read.Decode(data) != nil {
			return
		}
		if !jsontext.Value(data).IsValid(jsontext.AllowInvalidUTF8(true)) {
			t.Fatal("read what is not JSON or repeats a member")
		}
		written, err := event.Marshal(read)
		if err != nil {
			t.Fatal(err)
		}
		if err := again.Decode(written); err != nil {
			t.Fatalf("cannot read %s: %v", written, err)
		}
		twice, err := event.Marshal(again)
		if err != nil || !bytes.Equal(written, twice) {
			t.Errorf("%s became %s, %v", written, twice, err)
		}
	})
}

// FuzzMarshal: what Marshal writes, encoding/json understands as the same fields.
func FuzzMarshal(f *testing.F) {
	f.Add("new-lead", "lead-1001", "lead.created", `{"a":[1,"x",null]}`, "no route", int64(1764000000), 2)
	f.Add("", "\x00\"<&>\\é\u2028\xff", "", "", "", int64(0), 0)
	f.Fuzz(func(t *testing.T, route, key, kind, data, detail string, unix int64, attempts int) {
		r := sampleRequest()
		r.Route, r.Event.Key, r.Event.Type, r.Event.Data = route, key, kind, nil
		r.Event.Time = time.Unix(unix%(1<<37), 0).UTC()
		if json.Valid([]byte(data)) {
			r.Event.Data = json.RawMessage(data)
		}
		asEncodingJSON(t, r)
		asEncodingJSON(t, event.Pending{Event: r.Event, Delivery: r.Call})
		type fields event.Result // without its methods
		result := event.Result{
			RequestID: r.ID, Outcome: event.Accepted, Reason: event.ReasonCreated, Detail: detail, Field: key, Route: route,
			Attempts: attempts, Request: r.Call, Call: r.Event.Data, Event: r.Event,
		}
		asEncodingJSON(t, fields(result))
	})
}

func asEncodingJSON(t *testing.T, value any) {
	t.Helper()
	want, wantErr := json.Marshal(value)
	got, err := event.Marshal(value)
	if (err != nil) != (wantErr != nil) {
		t.Fatalf("error %v, encoding/json has %v", err, wantErr)
	}
	if err == nil && !reflect.DeepEqual(tree(t, got), tree(t, want)) {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func tree(t *testing.T, text []byte) (value any) {
	t.Helper()
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	if err := decoder.Decode(&value); err != nil {
		t.Fatalf("%v in %s", err, text)
	}
	return value
}

func BenchmarkMarshal(b *testing.B) {
	r := sampleRequest()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := event.Marshal(&r); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkDecode(b *testing.B) {
	data, err := event.Marshal(sampleRequest())
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(len(data)))
	b.ReportAllocs()
	for b.Loop() {
		var r event.Request
		if err := r.Decode(data); err != nil {
			b.Fatal(err)
		}
	}
}

func TestDecodeRefusesWhatBreaksOtherReaders(t *testing.T) {
	t.Parallel()
	nested := func(levels int) string {
		return `{"call":{"metadata":` + strings.Repeat(`{"a":[`, levels/2) + strings.Repeat(`]}`, levels/2) + `}}`
	}
	number := func(text string) string { return `{"call":{"call_to":"+12025550142","metadata":{"n":` + text + `}}}` }
	for name, c := range map[string]struct {
		body string
		fine bool
	}{
		"98 levels":            {nested(98), true},
		"9,000 levels":         {nested(9000), false},
		"lists":                {`{"event":{"data":` + strings.Repeat("[", 200) + strings.Repeat("]", 200) + `}}`, false},
		"64 digits":            {number(strings.Repeat("9", 64)), true},
		"500,000 digits":       {number(strings.Repeat("9", 500_000)), false},
		"a negative one":       {number("-" + strings.Repeat("9", 64)), false},
		"a long fraction":      {number("0." + strings.Repeat("1", 70)), false},
		"exponent":             {number("1e-300"), true},
		"a large exponent":     {number("1E999999999"), false},
		"beyond a float64":     {number("-1.5e309"), false},
		"the largest float64":  {number("1.7e308"), true},
		"digits in a text":     {`{"call":{"notes":"` + strings.Repeat("9", 500) + `"}}`, true},
		"brackets in a text":   {`{"call":{"notes":"\"` + strings.Repeat("[", 500) + `"}}`, true},
		"a text that ends not": {`{"call":"` + strings.Repeat("[", 500), false},
	} {
		var r event.Request
		if err := r.Decode([]byte(c.body)); (err == nil) != c.fine {
			t.Errorf("%s: got %v", name, err)
		}
	}
}
