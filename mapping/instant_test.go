package mapping_test

import (
	"strings"
	"testing"

	"callbridge/mapping"
)

func TestInstantsOfAKey(t *testing.T) {
	t.Parallel()
	const text = `sources:
  crm:
    verify: {kind: token, header: X-Api-Key, values: ["${SECRET}"]}
    key: [[instant:body:at, body:id], sha256:body]
routes: []
`
	config := parse(t, text)
	for at, want := range map[string]string{
		`1795435100`: `["2026-11-23T11:58:20.000Z","1"]`, `1795435100123`: `["2026-11-23T11:58:20.123Z","1"]`, `"1795435100123456"`: `["2026-11-23T11:58:20.123Z","1"]`,
		`"2026-11-23T12:58:20.123+01:00"`: `["2026-11-23T11:58:20.123Z","1"]`,
		`"soon"`:                          "", `"2026-11-23"`: "", `{}`: "", `null`: "", `17954351001`: "", `-1795435100`: "", `1795435100.5`: "",
	} {
		key := read(t, config, "crm", "application/json", `{"id":1,"at":`+at+`}`)[0].Event.Key
		if want != "" && key != want || want == "" && strings.HasPrefix(key, "[") {
			t.Errorf("%s: %s, want %s", at, key, want)
		}
	}
	_, err := mapping.Parse("callbridge.yaml", []byte(strings.Replace(text, "instant:body:at", "instant:header:At", 1)), withSecret())
	if err == nil || !strings.Contains(err.Error(), "instant: is only for a time in the body; write instant:body:path") {
		t.Errorf("got %v", err)
	}
}
