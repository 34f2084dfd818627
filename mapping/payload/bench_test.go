package payload_test

import (
	"testing"

	"callbridge/mapping/payload"
)

// contactEvent is a usual event of 1.4 KB.
const contactEvent = `{"eventId":100237734501,"subscriptionId":3812093,"portalId":62515,"occurredAt":1764000000123,"subscriptionType":"contact.propertyChange","attemptNumber":0,"objectId":901234567890123,` +
	`"contact":{"id":"901234567890123","createdAt":"2026-11-02T09:15:00.000Z","updatedAt":"2026-11-23T08:00:00.123Z","archived":false,` +
	`"properties":{"firstname":"Jane","lastname":"Example","email":"jane@example.com","phone":"+1 202 555 0142","mobilephone":null,"country":"United States","city":"Washington","zip":"20001","state":"DC",` +
	`"address":"1 Example Street","company":"Example & Sons <Ltd>","jobtitle":"Head of Operations","website":"https://www.example.com/about","lifecyclestage":"lead","hs_lead_status":"NEW","lead_score":"72",` +
	`"consent_voice_ai":"true","hs_timezone":"us_slash_eastern","notes_last_contacted":null,"num_notes":"3","product_interest":"Photovoltaic roof, 9.8 kWp","callback_window":"weekday mornings",` +
	`"hs_object_id":"901234567890123","hubspot_owner_id":"44012345"},"associations":{"companies":{"results":[{"id":"5500112233","type":"contact_to_company"},{"id":"5500112234","type":"contact_to_company_unlabeled"}]}},` +
	`"phones":[{"type":"work","value":"+44 20 7946 0958","primary":false},{"type":"mobile","value":"+1 202 555 0143","primary":true}],"tags":["webinar","spring-campaign","priority"]},` +
	`"meta":{"changeSource":"CRM_UI","sourceId":"userId:12345","propertyName":"lifecyclestage","propertyValue":"lead","region":"na1","version":4}}`

func BenchmarkDecodeJSON(b *testing.B) {
	body := []byte(contactEvent)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := payload.Decode("application/json; charset=utf-8", payload.Auto, body); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkEncode(b *testing.B) {
	tree, err := decodeJSON(contactEvent)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := payload.Encode(tree); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkPath(b *testing.B) {
	tree, err := decodeJSON(contactEvent)
	if err != nil {
		b.Fatal(err)
	}
	path := mustParse(b, `contact.phones[type=mobile].value`)
	b.ReportAllocs()
	for b.Loop() {
		if _, ok := path.Lookup(tree); !ok {
			b.Fatal("not found")
		}
	}
}
