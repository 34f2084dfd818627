package payload_test

import (
	"encoding/json"
	"errors"
	"reflect"
	"testing"

	"callbridge/mapping/payload"
)

// asJSON shows a tree as one line.
func asJSON(t testing.TB, tree payload.Value) string {
	t.Helper()
	text, err := payload.Encode(tree)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// problem is what a decoder said, or the empty string.
func problem(err error) string {
	var syntax *payload.SyntaxError
	if errors.As(err, &syntax) {
		return syntax.Problem
	}
	if err != nil {
		return err.Error()
	}
	return ""
}

func TestPresentCountsBlankAsNotThere(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name  string
		value payload.Value
		want  bool
	}{
		{"null", nil, false},
		{"empty string", "", false},
		{"white space", " \t\n\u00a0", false},
		{"text", " x ", true},
		{"false is an answer", false, true},
		{"zero is an answer", json.Number("0"), true},
		{"empty list", []any{}, true},
	}
	for _, tt := range tests {
		if got := payload.Present(tt.value); got != tt.want {
			t.Errorf("%s: Present = %t, want %t", tt.name, got, tt.want)
		}
	}
}

func TestEncodeKeepsDigitsAndSigns(t *testing.T) {
	t.Parallel()
	tree := map[string]any{
		"b":  json.Number("9007199254740993"),
		"a":  `<b> & "c"` + "\n\\",
		"é":  []any{true, nil, json.Number("1e400"), "\u2028"},
		"zz": map[string]any{},
	}
	want := `{"a":"<b> & \"c\"\n\\","b":9007199254740993,"zz":{},"é":[true,null,1e400,"` + "\u2028" + `"]}`
	if got := asJSON(t, tree); got != want {
		t.Errorf("Encode = %s\nwant     %s", got, want)
	}
}

func TestEncodeTakesWhatIsNoTreeAsEncodingJSONDoes(t *testing.T) {
	t.Parallel()
	if got, want := asJSON(t, []any{7, 2.5, map[string]int{"a": 1}}), `[7,2.5,{"a":1}]`; got != want {
		t.Errorf("Encode = %s, want %s", got, want)
	}
	for _, wrong := range []payload.Value{json.Number("1; drop"), json.Number(""), func() {}} {
		if text, err := payload.Encode([]any{wrong}); err == nil {
			t.Errorf("Encode of a wrong %T = %s, want an error", wrong, text)
		}
	}
}

// roundTrips holds that a tree is the same after it has been JSON.
func roundTrips(t *testing.T, tree payload.Value) {
	t.Helper()
	text := asJSON(t, tree)
	again, err := payload.Decode("application/json", payload.Auto, []byte(text))
	if err != nil {
		t.Fatalf("decode of %s: %v", text, err)
	}
	if !reflect.DeepEqual(tree, again) {
		t.Fatalf("came back as %s\nwas          %s", asJSON(t, again), text)
	}
}
