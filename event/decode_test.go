package event_test

import (
	"bytes"
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"callbridge/event"
)

// FuzzDecode: Decode is json.Unmarshal, whatever somebody has put on the bus.
func FuzzDecode(f *testing.F) {
	usual, err := sample().Encode()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(usual)
	id := `"id":"6f1f8f0e-5f57-4c0e-9d0a-1f6f4b0a7c11"`
	for _, text := range []string{
		``, `null`, `[]`, `{}`, `{} `, `{}x`, `{,}`, ` { "call" : { "call_to" : "+12025550142" } } `, `{` + id + `}`, `{"id":"x"}`,
		`{"id":null,"call":null,"event":null,"route":null}`, `{"ID":"6f1f8f0e-5f57-4c0e-9d0a-1f6f4b0a7c11"}`,
		`{"id":"urn:uuid:6f1f8f0e-5f57-4c0e-9d0a-1f6f4b0a7c11"}`, `{"id":"\u0036f1f8f0e-5f57-4c0e-9d0a-1f6f4b0a7c11"}`,
		`{"route":"a","route":"b"}`, `{"event":{"key":"a"},"event":{"type":"b"}}`, `{"event":{"Key":"a","key":"b"}}`, `{"more":1}`,
		`{"route":"\u00e9\n"}`, `{"route":"é"}`, "{\"route\":\"\xff\"}", "{\"route\":\"\x01\"}", `{"route":1}`, `{"r\u006fute":"a"}`,
		`{"event":{"time":"2026-01-02T03:04:05Z","received":"2026-01-02T03:04:05.5+02:00"}}`, `{"event":{"time":"yesterday"}}`,
		`{"event":{"time":"2026-01-02T3:04:05Z"}}`, `{"event":{"time":"2026-01-02T03:04:05\u005a"}}`,
		`{"call":[1,-0,0.5,1e5,-1.5E-7,true,false,null,"\"\\\/\b\f\n\r\t\u00eF"]}`,
		`{"call":01}`, `{"call":1.}`, `{"call":.5}`, `{"call":+1}`, `{"call":1e}`, `{"call":-}`, `{"call":tru}`, `{"call":"\x"}`, `{"call":"\u12"}`,
		`{"call":{"a":1,}}`, `{"call":[1,]}`, `{"call":[1 2]}`, `{"call":{"a" 1}}`, `{"call":{a:1}}`, `{"call":"`, `{"call":{"a":`, `{"call":"\`,
		`{"call":` + strings.Repeat("[", 200) + strings.Repeat("]", 200) + `}`, `{"call":` + strings.Repeat("[", 20000) + `}`,
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		var got, want event.Request
		before := bytes.Clone(data)
		wantErr := json.Unmarshal(data, &want)
		err := got.Decode(data)
		if (err == nil) != (wantErr == nil) || err != nil && err.Error() != wantErr.Error() {
			t.Fatalf("error %v, encoding/json has %v", err, wantErr)
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("read\n%+v\nencoding/json reads\n%+v", got, want)
		}
		_ = append(got.Call, '!')
		_ = append(got.Event.Data, '!')
		if !bytes.Equal(data, before) {
			t.Error("a raw part can grow into what stands behind it")
		}
	})
}

// BenchmarkDecode reads a request of the usual size.
func BenchmarkDecode(b *testing.B) {
	data, err := sample().Encode()
	if err != nil {
		b.Fatal(err)
	}
	for name, decode := range map[string]func(*event.Request) error{
		"own":           func(r *event.Request) error { return r.Decode(data) },
		"encoding/json": func(r *event.Request) error { return json.Unmarshal(data, r) },
	} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(data)))
			b.ReportAllocs()
			for b.Loop() {
				var r event.Request
				if err := decode(&r); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
