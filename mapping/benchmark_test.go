package mapping_test

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"callbridge/mapping"
)

const benchConfig = `sources:
  crm:
    verify: {kind: none, reason: a benchmark}
    key: body:event_id
    type: body:type
    time: body:occurred_at
    fields:
      phone: {path: contact.properties.mobilephone, type: phone, country: contact.properties.country}
      first_name: {path: contact.properties.firstname, optional: true}
      lead_score: {path: contact.properties.hs_lead_score, type: number, default: 0}
      consent: {path: contact.properties.consent_voice_ai, type: bool}
      stage: {path: contact.properties.lifecyclestage}
      company: {path: company.name, default: your company}
      deal_id: {path: deal.id}
      amount: {path: deal.amount, type: number}
routes:
`

const benchRoute = `
  - name: route-%d
    source: crm
    mode: live
    purpose: service
    policy: {countries: [US]}
    when: type == "deal.updated" && consent && %s && stage in ["lead", "opportunity"]
    call:
      company_id: 11111111-2222-4333-8444-555555555555
      campaign_id: 11111111-2222-4333-8444-555555555555
      ai_agent_id: 66666666-7777-4888-8999-000000000000
      call_from: "+12025550100"
      call_to: phone
      agent_dynamic_variables:
        first_name: "{{first_name|there}}"
        company: "{{company}}"
        offer: "about {{amount}} dollars"
      metadata: {deal_id: "{{deal_id}}", contact: {key: "{{key}}"}}
`

// benchSetup has so many routes: the first takes the event, the others do not.
func benchSetup(b *testing.B, routes int, first, others string, policy ...string) (*mapping.Config, *mapping.Source, mapping.Delivery) {
	b.Helper()
	var text strings.Builder
	text.WriteString(benchConfig)
	for i := range routes {
		condition := first
		if i > 0 {
			condition = others
		}
		fmt.Fprintf(&text, benchRoute, i, condition)
	}
	whole := strings.ReplaceAll(text.String(), "countries: [US]", strings.Join(append([]string{"countries: [US]"}, policy...), ", "))
	config := parse(b, whole)
	body, err := os.ReadFile("testdata/benchmark.json")
	if err != nil {
		b.Fatal(err)
	}
	source, _ := config.Source("crm")
	return config, source, delivery(string(body))
}

// BenchmarkMap is one event of 1.4 KB from its bytes to the request: decode,
// name, fields, one rule, the whole call.
func BenchmarkMap(b *testing.B) {
	config, source, d := benchSetup(b, 1, "lead_score >= 50", "")
	b.SetBytes(int64(len(d.Body)))
	b.ReportAllocs()
	for b.Loop() {
		mapOnce(b, config, source, d)
	}
}

// BenchmarkPolicy is BenchmarkMap with hours by law, caps and an expiry.
func BenchmarkPolicy(b *testing.B) {
	config, source, d := benchSetup(b, 1, "lead_score >= 50", "", "hours: local-law, close_margin: 10m, expire: 876000h, caps: {day: 3}")
	b.ReportAllocs()
	for b.Loop() {
		mapOnce(b, config, source, d)
	}
}

// BenchmarkRoutes shows what each further route costs: the first takes the
// event, the rules of the others are evaluated and do not hold.
func BenchmarkRoutes(b *testing.B) {
	for _, routes := range []int{1, 10, 100, 1000} {
		b.Run(fmt.Sprint(routes), func(b *testing.B) {
			config, source, d := benchSetup(b, routes, "lead_score >= 50", "lead_score >= 1000")
			for b.Loop() {
				mapOnce(b, config, source, d)
			}
		})
	}
}

func mapOnce(b *testing.B, config *mapping.Config, source *mapping.Source, d mapping.Delivery) {
	events, err := source.Receive(d)
	if err != nil {
		b.Fatal(err)
	}
	if decisions := config.Map(events[0]); decisions[0].Request == nil {
		b.Fatalf("got %+v", decisions[0].Result)
	}
}
