package main

import (
	"net/http"
	"testing"
	"time"

	"callbridge/callab"
	"callbridge/event"
	"callbridge/mapping"
)

// TestCallsOfTheMappingAreSentAsTheyAre: what the mapping writes is what callab
// knows at a glance. Where it were not, each call would be decoded and encoded
// once more on its way, and nothing else would tell.
func TestCallsOfTheMappingAreSentAsTheyAre(t *testing.T) {
	t.Parallel()
	config, err := mapping.Parse("callbridge.yaml", []byte(`sources:
  crm:
    verify: {kind: none, reason: a test}
    key: body:id
    fields:
      phone: {path: phone, type: phone}
      company: {path: company}
      score: {path: score, type: number}
routes:
  - name: all
    source: crm
    mode: live
    call:
      ai_agent_id: 6f1f8f0e-5f57-4c0e-9d0a-1f6f4b0a7c11
      call_from: "+12025550100"
      call_to: phone
      is_test: true
      notes: "about {{company}}"
      agent_dynamic_variables: {company: "{{company}}", score: "{{score}}"}
      metadata: {lead: "{{key}}", score: "{{score}}", zone: null}
`), mapping.Options{WithoutSecrets: true})
	if err != nil {
		t.Fatal(err)
	}
	source, _ := config.Source("crm")
	events, err := source.Read(mapping.Delivery{
		Method: http.MethodPost, Header: http.Header{"Content-Type": {"application/json"}}, Received: time.Now(),
		Body: []byte(`{"id":"a<b>","phone":"+12025550142","company":"Zoë & <Söhne> \"West\"","score":1.50}`),
	})
	if err != nil {
		t.Fatal(err)
	}
	request := config.Map(events[0])[0].Request
	if request == nil {
		t.Fatalf("no request: %+v", config.Map(events[0])[0].Result)
	}
	to, id, ok := callab.Glance(request.Call, event.RequestKey)
	if !ok || to != "+12025550142" || id != request.ID.String() {
		t.Errorf("not known at a glance: %s", request.Call)
	}
}
