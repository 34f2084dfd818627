package callab

import (
	"encoding/json"
	"testing"
)

// TestNumbersOfACallCanBeReadByOthers: Go, Rust and others refuse a number that is no
// float64, and with it the whole result.
func TestNumbersOfACallCanBeReadByOthers(t *testing.T) {
	t.Parallel()
	for number, kept := range map[string]bool{"1e400": false, "-1.5E+309": false, "[1,2e999]": false, "1.7e308": true, "1e-400": true, "0.25": true} {
		var c Call
		if err := json.Unmarshal([]byte(`{"id":"7d1b","call_to":"+12025550142","cost":`+number+`}`), &c); err != nil {
			t.Fatal(err)
		}
		var read map[string]any
		if err := json.Unmarshal(c.Raw, &read); err != nil || read["id"] != "7d1b" {
			t.Errorf("%s: %v in %s", number, err, c.Raw)
		}
		if _, has := read["cost"]; has != kept {
			t.Errorf("%s: kept is %t", number, has)
		}
	}
}
