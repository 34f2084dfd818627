package mapping_test

import "testing"

// TestRecordsOfPresetsAreWhereTheirAnswersHaveThem: with a wrong record: every lookup
// of a preset would be repeated until its timeout.
func TestRecordsOfPresetsAreWhereTheirAnswersHaveThem(t *testing.T) {
	t.Parallel()
	tried := 0
	for _, c := range presetCases(t) {
		if c.answer == nil {
			continue
		}
		config, source := loadPreset(t, c.preset)
		events, err := source.Receive(newSender(t, c.preset, presetSecret(c.preset, "SECRET")).send(t, c.body, c.header, received))
		if err != nil {
			t.Fatal(err)
		}
		for i, in := range events {
			request, ok := config.Lookup(in)
			if !ok {
				continue
			}
			tried++
			answer, isSearch := c.answer, c.preset == "hubspot" && request.Method == "POST"
			if isSearch { // the answer of the case is that of a single contact
				answer = []byte(`{"total":1,"results":[{"id":"1","properties":{"phone":"+12025550142"}}]}`)
			}
			answered, err := in.WithLookup(answer, "application/json")
			if err != nil {
				t.Fatal(err)
			}
			if answered.LookupIsEmpty(request) || answered.LookupProblem(request) != "" {
				t.Errorf("%s/%s: event %d: the answer to %s is taken for an empty one", c.preset, c.name, i, request.URL)
			}
			empty, err := in.WithLookup([]byte(`{"results":[],"data":[],"errors":[]}`), "application/json")
			if err != nil {
				t.Fatal(err)
			}
			// The answers of these are the record itself.
			isRecord := c.preset == "dynamics365" || c.preset == "close" || c.preset == "hubspot" && !isSearch
			if !isRecord && !empty.LookupIsEmpty(request) {
				t.Errorf("%s/%s: event %d: an answer without a record is taken for one", c.preset, c.name, i)
			}
		}
	}
	if tried < 8 {
		t.Errorf("%d lookups tried", tried)
	}
}
