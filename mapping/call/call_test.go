package call

import (
	"bytes"
	"encoding/json"
	"strconv"
	"testing"

	"callbridge/mapping/payload"
)

// TestCallIsWrittenAsEncodingJSONWould compares payload.Encode with encoding/json:
// each member alone, all of them, and none.
func TestCallIsWrittenAsEncodingJSONWould(t *testing.T) {
	t.Parallel()
	no := false
	full := Body{
		IsTest: &no, Variables: map[string]string{"b": `"<&>" é`, "a": "line\nbreak"},
		Metadata: map[string]any{"z": json.Number("9007199254740993"), "y": []any{nil, true, map[string]any{}}, "x": "é"},
	}
	none := map[string]any{}
	calls := []Body{{Metadata: none}, {Metadata: none, IsTest: &no}, {Metadata: none, Variables: full.Variables}}
	for i, key := range textKeys {
		alone := Body{Metadata: none}
		*key.member(&alone), *key.member(&full) = key.name+" <&>", strconv.Itoa(i)
		calls = append(calls, alone)
	}
	for _, call := range append(calls, full) {
		var want bytes.Buffer
		enc := json.NewEncoder(&want)
		enc.SetEscapeHTML(false)
		if err := enc.Encode(call); err != nil {
			t.Fatal(err)
		}
		got, err := payload.Encode(call)
		if err != nil || string(got)+"\n" != want.String() {
			t.Errorf("got  %s, %v\nwant %s", got, err, want.String())
		}
	}
}

func TestCallThatIsNoJSONIsAnError(t *testing.T) {
	t.Parallel()
	call := Body{Metadata: map[string]any{"amount": json.Number("1; drop")}}
	if text, err := payload.Encode(call); err == nil {
		t.Errorf("got %s", text)
	}
}

func TestListsOfTheMetadataAreCleaned(t *testing.T) {
	t.Parallel()
	const text, want = "call\u200bbridge 8b2c1d38-5174-59d8-a709-898b96e21d44", "call bridge 8b2c1d38-5174-59d8-a709-898b96e21d44"
	if got, _ := new(cuts).value([]string{text}, "").([]string); len(got) != 1 || got[0] != want {
		t.Errorf("got %q", got)
	}
	if got, _ := new(cuts).value([]any{text, json.Number("1")}, "").([]any); len(got) != 2 || got[0] != want || got[1] != json.Number("1") {
		t.Errorf("got %q", got)
	}
}
