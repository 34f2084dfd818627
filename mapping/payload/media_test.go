package payload_test

import (
	"errors"
	"testing"

	"callbridge/mapping/payload"
)

func TestDecodeGoesByTheContentType(t *testing.T) {
	t.Parallel()
	const (
		jsonBody = `{"a":"é"}`
		formBody = `a=%C3%A9`
		xmlBody  = `<a>é</a>`
		want     = `{"a":"é"}`
	)
	tests := []struct {
		contentType string
		form        payload.Form
		body        string
	}{
		{contentType: "application/json", body: jsonBody},
		{contentType: "APPLICATION/JSON; Charset=UTF-8", body: jsonBody},
		{contentType: "application/vnd.api+json", body: jsonBody},
		{contentType: "application/cloudevents+json; charset=\"utf-8\"", body: jsonBody},
		{contentType: "application/json", body: "\ufeff" + jsonBody},
		{contentType: "application/json; charset=iso-8859-1", body: "{\"a\":\"\xe9\"}"},
		{contentType: "application/json; charset=windows-1252", body: "{\"a\":\"\xe9\"}"},
		{contentType: "", body: " \n" + jsonBody},
		{contentType: "text/plain", form: payload.JSON, body: jsonBody},
		{contentType: "not/a/media type;;", form: payload.JSON, body: jsonBody},
		{contentType: "application/x-www-form-urlencoded", body: formBody},
		{contentType: "application/x-www-form-urlencoded; charset=ISO-8859-1", body: "a=%E9"},
		{contentType: "application/json", form: payload.URLEncoded, body: formBody},
		{contentType: "text/xml; charset=utf-8", body: xmlBody},
		{contentType: "application/soap+xml", body: xmlBody},
		{contentType: "", body: xmlBody},
		{contentType: "text/xml", body: "<?xml version=\"1.0\" encoding=\"ISO-8859-1\"?><a>\xe9</a>"},
		{contentType: "text/xml; charset=iso-8859-1", body: "<?xml version=\"1.0\" encoding=\"UTF-8\"?><a>\xe9</a>"},
	}
	for _, tt := range tests {
		tree, err := payload.Decode(tt.contentType, tt.form, []byte(tt.body))
		if err != nil {
			t.Errorf("%q %q: %v", tt.contentType, tt.body, err)
			continue
		}
		if got := asJSON(t, tree); got != want {
			t.Errorf("%q %q = %s, want %s", tt.contentType, tt.body, got, want)
		}
	}
}

func TestDecodeTellsWhatItDoesNotReadFromWhatIsBroken(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name        string
		contentType string
		form        payload.Form
		body        string
		unsupported bool
	}{
		{name: "other type", contentType: "text/plain", body: `{}`, unsupported: true},
		{name: "multipart", contentType: "multipart/form-data; boundary=x", body: `--x`, unsupported: true},
		{name: "no type and no known beginning", body: `a=b`, unsupported: true},
		{name: "other character set", contentType: "application/json; charset=utf-16", body: `{}`, unsupported: true},
		{name: "other character set in the XML declaration", contentType: "text/xml", body: `<?xml version="1.0" encoding="koi8-r"?><a/>`, unsupported: true},
		{name: "unknown form", form: "yaml", body: `{}`, unsupported: true},
		{name: "empty", contentType: "application/json"},
		{name: "empty form", contentType: "application/x-www-form-urlencoded", body: "\n"},
		{name: "form as JSON", contentType: "application/json", body: `a=b`},
		{name: "bytes that are no UTF-8", contentType: "application/x-www-form-urlencoded", body: `a=%E9`},
	}
	for _, tt := range tests {
		_, err := payload.Decode(tt.contentType, tt.form, []byte(tt.body))
		var syntax *payload.SyntaxError
		if got := errors.Is(err, payload.ErrUnsupported); got != tt.unsupported || got == errors.As(err, &syntax) {
			t.Errorf("%s: %v, want unsupported: %t", tt.name, err, tt.unsupported)
		}
	}
}
