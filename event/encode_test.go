package event_test

import (
	"bytes"
	"encoding/json"
	"reflect"
	"testing"
	"time"

	"callbridge/event"
)

// sample is a request with a payload of the usual size.
func sample() event.Request {
	id := event.EventID("website", "lead-1001")
	data := []byte(`{"id":"lead-1001","notes":"` + string(bytes.Repeat([]byte("Northwind "), 110)) + `","big":9007199254740993}`)
	return event.Request{
		ID: event.RequestID(id, "new-lead"), Route: "new-lead",
		Call: json.RawMessage(`{"call_to":"+12025550142","agent_dynamic_variables":{"first_name":"Maria"},"metadata":{"lead":"lead-1001"}}`),
		Event: event.Event{
			ID: id, Source: "website", Key: "lead-1001", Type: "lead.created", Data: data,
			Time: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), Received: time.Date(2026, 1, 2, 3, 4, 6, 7, time.UTC),
		},
	}
}

// What Encode writes is what encoding/json makes of the fields, whatever they
// hold.
func FuzzEncode(f *testing.F) {
	f.Add("new-lead", "lead-1001", "lead.created", `{"a":[1,"x",null]}`, "no route wants this event", int64(1764000000), 2)
	f.Add("", "\x00\"<&>\\é\u2028\xff", "", "", "", int64(0), 0)
	f.Fuzz(func(t *testing.T, route, key, kind, data, detail string, unix int64, attempts int) {
		r := sample()
		r.Route, r.Event.Key, r.Event.Type, r.Event.Data = route, key, kind, nil
		r.Event.Time = time.Unix(unix%(1<<37), 0).UTC()
		if json.Valid([]byte(data)) {
			r.Event.Data = json.RawMessage(data)
		}
		same(t, r, r.Encode)
		p := event.Pending{Event: r.Event, Delivery: r.Call}
		same(t, p, p.Encode)
		result := event.Result{
			RequestID: r.ID, Outcome: event.Accepted, Reason: event.ReasonCreated, Detail: detail, Field: key, Route: route,
			Attempts: attempts, Request: r.Call, Call: r.Event.Data, Event: r.Event, Time: r.Event.Time, TraceParent: kind,
		}
		envelope := sameResult(t, result)
		if envelope["specversion"] != "1.0" || envelope["subject"] != r.ID.String() || envelope["id"] != result.ID().String() {
			t.Errorf("not a CloudEvent: %v", envelope)
		}
	})
}

// same holds Encode against encoding/json, by what a reader gets.
func same(t *testing.T, value any, encode func() ([]byte, error)) {
	t.Helper()
	want, wantErr := json.Marshal(value)
	got, err := encode()
	if (err != nil) != (wantErr != nil) {
		t.Fatalf("error %v, encoding/json has %v", err, wantErr)
	}
	if err == nil && !reflect.DeepEqual(tree(t, got), tree(t, want)) {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

// sameResult compares what stands under data with the fields.
func sameResult(t *testing.T, r event.Result) map[string]any {
	t.Helper()
	type fields event.Result
	want, wantErr := json.Marshal(fields(r))
	got, err := r.Encode()
	if err != nil || wantErr != nil {
		if (err != nil) != (wantErr != nil) {
			t.Fatalf("error %v, encoding/json has %v", err, wantErr)
		}
		return map[string]any{"specversion": "1.0", "subject": r.RequestID.String(), "id": r.ID().String()}
	}
	envelope := tree(t, got).(map[string]any)
	if !reflect.DeepEqual(envelope["data"], tree(t, want)) {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	return envelope
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

// BenchmarkEncode compares with what encoding/json takes.
func BenchmarkEncode(b *testing.B) {
	r := sample()
	b.Run("request", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			_, _ = r.Encode()
		}
	})
	b.Run("encoding-json", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			_, _ = json.Marshal(r)
		}
	})
}
