package search_test

import (
	"encoding/json"
	"testing"

	"github.com/google/uuid"

	"callbridge/dispatch/search"
)

func BenchmarkSign(b *testing.B) {
	body := json.RawMessage(`{"company_id":"7f3c","ai_agent_id":"agent-1","call_from":"+12025550100","call_to":"+12025550142","call_direction":"outbound",` +
		`"metadata":{"source":"website","lead":"lead-1001","score":72,"tags":["a","b"]},"agent_dynamic_variables":{"first_name":"Maria","company":"Northwind","interest":"solar panels"},` +
		`"notes":"asked for a call back\nbetween 9 and 12","workspace":"default"}`)
	id := uuid.MustParse("8b2c1d38-5174-59d8-a709-898b96e21d44")
	b.ReportAllocs()
	b.SetBytes(int64(len(body)))
	for b.Loop() {
		if _, _, err := search.Sign(body, id); err != nil {
			b.Fatal(err)
		}
	}
}
