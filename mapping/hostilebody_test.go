package mapping_test

import (
	"fmt"
	"strings"
	"testing"

	"callbridge/mapping"
	"callbridge/mapping/payload"
)

func TestBodiesThatBreakOtherReadersAreRefused(t *testing.T) {
	t.Parallel()
	config := parse(t, fmt.Sprintf(callConfig, "notes: x"))
	source, _ := config.Source("crm")
	for name, c := range map[string]struct{ contentType, body string }{
		"digits":          {"application/json", `{"id": ` + strings.Repeat("9", 500_000) + `}`},
		"65 digits":       {"application/json", `{"id": ` + strings.Repeat("9", 65) + `}`},
		"a fraction":      {"application/json", `{"a": [0.` + strings.Repeat("1", 64) + `]}`},
		"an exponent":     {"application/json", `{"a": 1e9999}`},
		"a negative one":  {"application/json", `{"a": 1E-9999}`},
		"objects":         {"application/json", strings.Repeat(`{"a":`, 9000) + "1" + strings.Repeat("}", 9000)},
		"lists":           {"application/json", strings.Repeat("[", 9000) + strings.Repeat("]", 9000)},
		"elements":        {"text/xml", strings.Repeat("<a>", 9000) + strings.Repeat("</a>", 9000)},
		"brackets":        {"application/x-www-form-urlencoded", "a" + strings.Repeat("[b]", 9000) + "=1"},
		"entities":        {"text/xml", `<!DOCTYPE a [<!ENTITY x "y">]><a>&x;</a>`},
		"a repeated key":  {"application/json", `{"id": 1, "id": 2}`},
		"one, escaped":    {"application/json", `{"id": 1, "\u0069d": 2}`},
		"one, deep":       {"application/json", `{"a": [{"id": 1, "id": 1}]}`},
		"undefined names": {"text/xml", `<a>&nbsp;</a>`},
	} {
		d := delivery(c.body, "Content-Type", c.contentType, "X-Api-Key", "open sesame")
		if _, err := source.Receive(d); err == nil || len(err.Error()) > 200 {
			t.Errorf("%s: got %.300v", name, err)
		}
		if _, err := (mapping.Incoming{}).WithLookup([]byte(c.body), c.contentType); err == nil {
			t.Errorf("%s: accepted as the answer to a lookup", name)
		}
	}
	for _, number := range []string{strings.Repeat("9", 64), "1e308", "-1.5E-300", "0." + strings.Repeat("1", 62)} {
		if _, err := payload.Decode("application/json", payload.JSON, []byte(`{"n": `+number+`}`)); err != nil {
			t.Errorf("%s: %v", number, err)
		}
	}
}
