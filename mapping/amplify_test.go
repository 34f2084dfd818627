package mapping_test

import (
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"

	"callbridge/mapping"
)

const amplifyConfig = `sources:
  crm:
    verify: {kind: token, header: X-Api-Key, values: ["${SECRET}"]}
    split: "items[*]"
    keep: {all: context}
    key: [[body:item]]
    fields: {}
  asking:
    verify: {kind: token, header: X-Api-Key, values: ["${SECRET}"]}
    split: "items[*]"
    key: body:id
    lookup: {url: "https://crm.example.com/c/{{id}}", auth: {kind: bearer, token: "${SECRET}"}}
    fields: {id: {path: id}, context: {path: "root:context", optional: true}, phone: {path: "lookup:phone", type: phone}}
routes: []
`

// batch is a delivery with so many items and a context of so many bytes.
func batch(items, bytes int, item string) string {
	list := make([]string, items)
	for i := range list {
		list[i] = fmt.Sprintf(item, i)
	}
	return `{"context": "` + strings.Repeat("x", bytes) + `", "items": [` + strings.Join(list, ",") + `]}`
}

func TestEventsOfOneDeliveryHaveABoundTogether(t *testing.T) {
	// Not parallel: it measures what the process allocates.
	config := parse(t, amplifyConfig)
	for name, item := range map[string]string{"crm": "%d", "asking": `{"id": %d}`} {
		source, _ := config.Source(name)
		d := delivery(batch(300, 900_000, item), "X-Api-Key", "open sesame")
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		events, err := source.Receive(d)
		runtime.ReadMemStats(&after)
		if !errors.Is(err, mapping.ErrTooLarge) || events != nil {
			t.Errorf("%s: %d events, %v", name, len(events), err)
		}
		if allocated := after.TotalAlloc - before.TotalAlloc; allocated > 64<<20 {
			t.Errorf("%s: allocated %d MB", name, allocated>>20)
		}
		fits, err := source.Receive(delivery(batch(300, 20_000, item), "X-Api-Key", "open sesame"))
		if len(fits) != 300 || err != nil {
			t.Errorf("%s: below the bound: %d events, %v", name, len(fits), err)
		}
		alone, err := source.Receive(delivery(batch(1, 900_000, item), "X-Api-Key", "open sesame"))
		if len(alone) != 1 || err != nil {
			t.Errorf("%s: one large event: %d events, %v", name, len(alone), err)
		}
	}
}
