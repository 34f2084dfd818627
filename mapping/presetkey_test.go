package mapping_test

import (
	"net/http"
	"strings"
	"testing"

	"callbridge/mapping"
)

// identityOf is the id of the first event of a body.
func identityOf(t *testing.T, preset, body string) (id, key, kind string) {
	t.Helper()
	_, source := loadPreset(t, preset)
	events, err := source.Read(mapping.Delivery{Body: []byte(body), Received: received, Header: http.Header{"Content-Type": {"application/json"}}})
	if err != nil || len(events) != 1 || events[0].Err != nil {
		t.Fatalf("%s: %d events, %v", preset, len(events), err)
	}
	return events[0].Event.ID.String(), events[0].Event.Key, events[0].Event.Type
}

// hook is an event as several webhooks of one CRM send it, and as it is not.
type hook struct {
	preset, body string
	// same are changes that belong to the webhook, other ones that make another
	// event. Each is a text and its replacement.
	same, other [][2]string
}

var hooks = []hook{
	{"pipedrive", `{"meta":{"version":"2.0","id":"7c812ffd","webhook_id":"5","webhook_owner_id":"9","correlation_id":"k","attempt":1,"company_id":"168","action":"change","entity":"deal","entity_id":"8","timestamp":"2026-11-23T11:58:20.123Z"},"data":{"person_id":5}}`,
		[][2]string{{`"5"`, `"6"`}, {"7c812ffd", "8d923000"}, {`"9"`, `"10"`}, {`"attempt":1`, `"attempt":2`}},
		[][2]string{{`20.123Z`, `20.124Z`}, {`"8"`, `"9"`}, {"change", "create"}, {"deal", "person"}, {"168", "169"}}},
	{"pipedrive", `{"v":1,"meta":{"v":1,"webhook_id":"5","company_id":168,"action":"updated","object":"deal","id":8,"timestamp":1795435100,"timestamp_micro":1795435100123456},"retry":0,"current":{"person_id":5}}`,
		[][2]string{{`"5"`, `"6"`}, {`"retry":0`, `"retry":1`}},
		[][2]string{{"100123456", "100124456"}, {`"id":8`, `"id":9`}, {"updated", "added"}, {"updated", "merged"}}},
	{"pipedrive", `{"v":1,"meta":{"v":1,"webhook_id":"5","company_id":168,"action":"merged","object":"deal","id":8,"timestamp":1795435100},"current":{}}`,
		[][2]string{{`"5"`, `"6"`}}, [][2]string{{"1795435100", "1795435101"}}},
	{"monday", `{"event":{"type":"update_column_value","boardId":1,"pulseId":2,"columnId":"status","changedAt":1633944017.473193,"value":{"label":{"text":"Call"}},"subscriptionId":73761176,"triggerUuid":"504b","triggerTime":"2021-10-11T09:20:18.022Z"}}`,
		[][2]string{{"73761176", "73761177"}, {"504b", "504c"}, {"18.022Z", "18.122Z"}},
		[][2]string{{"473193", "473194"}, {`"pulseId":2`, `"pulseId":3`}, {"Call", "Done"}, {"status", "status2"}}},
	{"monday", `{"event":{"type":"create_pulse","boardId":1,"pulseId":2,"subscriptionId":73761176,"triggerUuid":"504b","triggerTime":"2021-10-11T09:20:18.022Z"}}`,
		[][2]string{{"73761176", "73761177"}, {"504b", "504c"}, {"18.022Z", "18.122Z"}},
		[][2]string{{`"pulseId":2`, `"pulseId":3`}}},
	{"zoho", `{"module":"Leads","operation":"update","channel_id":"1","ids":["7"],"server_time":1795435100123,"token":"x"}`,
		[][2]string{{`"channel_id":"1"`, `"channel_id":"2"`}, {`"token":"x"`, `"token":"y"`}},
		[][2]string{{"100123", "100124"}, {`"7"`, `"8"`}, {"update", "insert"}, {"Leads", "Deals"}}},
	{"zoho", `{"module":"Leads","operation":"update","channel_id":"1","ids":["7"],"query_params":{"a":"b"},"affected_values":[{"record_id":"7","values":{"Phone":"1"}}]}`,
		[][2]string{{`"channel_id":"1"`, `"channel_id":"2"`}, {`"a":"b"`, `"a":"c"`}},
		[][2]string{{`"Phone":"1"`, `"Phone":"2"`}}},
	{"dynamics365", `{"CorrelationId":"c","Depth":1,"MessageName":"Update","PrimaryEntityName":"contact","PrimaryEntityId":"6d81597f-0000-4000-8000-000000000001","OperationId":"6d81597f-0000-4000-8000-000000000002","OperationCreatedOn":"/Date(1795435100123)/","RequestId":"r","OwningExtension":{"Id":"step 1"},"InputParameters":[{"key":"Target","value":{"Attributes":[{"key":"firstname","value":"Ada"}]}}]}`,
		[][2]string{{"000000000002", "000000000003"}, {"100123", "100456"}, {"step 1", "step 2"}, {`"r"`, `"s"`}},
		[][2]string{{`"c"`, `"d"`}, {`"Ada"`, `"Eve"`}, {`"Depth":1`, `"Depth":2`}, {"Update", "Create"}}},
	{"hubspot", `[{"eventId":100,"subscriptionId":25,"appId":1160452,"portalId":2,"objectId":3,"occurredAt":1795435100123,"attemptNumber":0,"subscriptionType":"contact.propertyChange","propertyName":"phone","propertyValue":"+1"}]`,
		[][2]string{{"25", "26"}, {"1160452", "1160453"}, {`"eventId":100`, `"eventId":200`}, {`"attemptNumber":0`, `"attemptNumber":1`}},
		[][2]string{{"100123", "100124"}, {`"objectId":3`, `"objectId":4`}, {`"+1"`, `"+2"`}, {`"phone"`, `"mobilephone"`}}},
	{"gohighlevel-workflow", `{"contact_id":"C1","location":{"id":"L"},"workflow":{"id":"W1","name":"n"},"customData":{"type":"booked","event_id":"2026-11-23"}}`,
		[][2]string{{"W1", "W2"}}, [][2]string{{"C1", "C2"}, {"booked", "reminder"}, {"11-23", "11-24"}}},
	{"gohighlevel-workflow", `{"contact_id":"C1","location":{"id":"L"},"workflow":{"id":"W1","name":"n"},"customData":{"event_id":"2026-11-23"}}`,
		nil, [][2]string{{"C1", "C2"}, {"W1", "W2"}}},
	{"attio", `{"webhook_id":"w1","events":[{"event_type":"record.created","id":{"object_id":"o","record_id":"r"}}]}`,
		[][2]string{{"w1", "w2"}}, [][2]string{{`"r"`, `"s"`}}},
	{"close", `{"subscription_id":"s1","event":{"id":"ev_1","object_type":"lead","action":"created"}}`,
		[][2]string{{"s1", "s2"}}, [][2]string{{"ev_1", "ev_2"}}},
	{"meta-lead-ads", `{"entry":[{"id":"p","time":1,"changes":[{"field":"leadgen","value":{"leadgen_id":"1"}}]}]}`,
		[][2]string{{`"time":1`, `"time":2`}}, [][2]string{{`_id":"1"`, `_id":"2"`}}},
	{"hubspot-workflow", `{"hs_object_id":"1","phone":"+1","enrolled_at":"1795435100123"}`,
		nil, [][2]string{{"100123", "100124"}, {`"1"`, `"2"`}}},
}

// TestOneEventIsOneHoweverManyWebhooksAreRegistered: what names the subscription, the
// delivery or the attempt is no part of a key, and what names the event is.
func TestOneEventIsOneHoweverManyWebhooksAreRegistered(t *testing.T) {
	t.Parallel()
	for _, h := range hooks {
		first, key, _ := identityOf(t, h.preset, h.body)
		try := func(change [2]string, same bool) {
			t.Helper()
			if !strings.Contains(h.body, change[0]) {
				t.Fatalf("%s has no %s", h.preset, change[0])
			}
			if id, other, _ := identityOf(t, h.preset, strings.Replace(h.body, change[0], change[1], 1)); (id == first) != same {
				t.Errorf("%s: %s instead of %s: %s beside %s", h.preset, change[1], change[0], other, key)
			}
		}
		for _, change := range h.same {
			try(change, true)
		}
		for _, change := range h.other {
			try(change, false)
		}
	}
}

// Both versions of Pipedrive's webhooks may be registered at once.
func TestVersionsOfPipedriveNameOneEvent(t *testing.T) {
	t.Parallel()
	for word, old := range map[string]string{"create": "added", "change": "updated", "delete": "deleted"} {
		id2, key2, type2 := identityOf(t, "pipedrive", `{"meta":{"version":"2.0","id":"u","webhook_id":"5","company_id":"168","action":"`+word+`","entity":"person","entity_id":"998","timestamp":"2026-11-23T11:58:20.123Z"},"data":null}`)
		id1, key1, type1 := identityOf(t, "pipedrive", `{"v":1,"meta":{"webhook_id":"6","company_id":168,"action":"`+old+`","object":"person","id":998,"timestamp":1795435100,"timestamp_micro":1795435100123456},"event":"`+old+`.person"}`)
		if id1 != id2 || type1 != type2 || type1 != word+".person" {
			t.Errorf("%s %s is not %s %s", type1, key1, type2, key2)
		}
	}
}
