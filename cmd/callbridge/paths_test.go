package main

import (
	"encoding/json"
	"strings"
	"testing"

	"callbridge/mapping/payload"
)

func TestPathsOfAWebhookFindItsValues(t *testing.T) {
	t.Parallel()
	const body = `{"a": {"First Name": "Ada", "b \"c\" \\": [1, {"ü-x": null}]}, "": "empty", "phone": "+12025550142", "$id": true, "list": [[2]]}`
	code, out, errs := callbridge(t, body, "map", "--paths", "--reveal", "-o", "json", "-")
	var leaves []struct {
		Path  string          `json:"path"`
		Value json.RawMessage `json:"value"`
	}
	if err := json.Unmarshal([]byte(out), &leaves); err != nil || code != 0 || len(leaves) != 7 {
		t.Fatalf("exit code %d, %v: %s%s", code, err, out, errs)
	}
	tree, err := payload.Decode("", payload.JSON, []byte(body))
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range leaves {
		path, err := payload.ParsePath(l.Path)
		if err != nil {
			t.Errorf("%s: %v", l.Path, err)
			continue
		}
		if found, ok := path.Lookup(tree); !ok || string(compact(found)) != string(l.Value) {
			t.Errorf("%s leads to %s, want %s", l.Path, compact(found), l.Value)
		}
	}
}

func TestPathsAreThoseOfTheSourcesEventsAndMasked(t *testing.T) {
	t.Parallel()
	code, out, errs := callbridge(t, "", "map", "--paths", "example/website-lead.json")
	if code != 0 || !strings.Contains(out, "contact.first_name") || strings.Contains(out, "0142") {
		t.Errorf("exit code %d: %s%s", code, out, errs)
	}
	const config = "../../mapping/testdata/batch/callbridge.yaml"
	code, out, errs = callbridge(t, "", "map", "--paths", "-c", config, "-s", "crm", "../../mapping/testdata/batch/payload.json")
	if code != 0 || strings.Contains(out, "[0]") {
		t.Errorf("exit code %d, want the paths inside each event: %s%s", code, out, errs)
	}
}
