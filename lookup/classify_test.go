package lookup

import (
	"errors"
	"net/http"
	"testing"
	"time"

	"callbridge/event"
	"callbridge/mapping"
	"callbridge/mapping/lookups"
	"callbridge/untrusted"
)

func TestEveryStatusIsClassified(t *testing.T) {
	t.Parallel()
	special := map[int]result{
		204: incomplete, 401: refused, 403: forbidden, 404: notFound, 408: retried, 410: notFound, 425: retried, 429: retried,
	}
	for status := 100; status < 600; status++ {
		want, ok := special[status]
		switch {
		case ok:
		case status >= 500:
			want = retried
		case status >= 200 && status < 300:
			want = found
		default:
			want = failed
		}
		r := response{status: status, body: []byte("{}")}
		if status == 204 {
			r.body = nil
		}
		if v := classify(lookups.Unsaid, r, nil, noon); v.result != want || (v.result == found) != (v.detail == "") {
			t.Errorf("%d is %s (%q), want %s", status, v.result, v.detail, want)
		}
	}
}

// TestEveryResultHasOneConsequence is the table of the closed set of results: each
// stores one outcome or has the event redelivered.
func TestEveryResultHasOneConsequence(t *testing.T) {
	t.Parallel()
	config, err := mapping.Parse("callbridge.yaml", []byte(`sources: {crm: {preset: generic, verify: {kind: token, header: X-Api-Key, values: ["${KEY}"]}}}`), mapping.Options{WithoutSecrets: true})
	if err != nil {
		t.Fatal(err)
	}
	j := job{
		in:      mapping.Incoming{Event: event.Event{Source: "crm", Received: noon}},
		config:  config,
		request: &lookups.Request{Timeout: time.Minute},
	}
	const delay = 5 * time.Second
	for result, want := range map[result]struct {
		outcome event.Outcome
		reason  event.Reason
		delay   time.Duration
	}{
		found:      {event.Skipped, event.ReasonNoRoute, 0}, // as mapping decides
		shared:     {event.Skipped, event.ReasonNoRoute, 0},
		notFound:   {event.Rejected, event.ReasonLookupNotFound, 0},
		failed:     {event.Rejected, event.ReasonLookupFailed, 0},
		superseded: {event.Skipped, event.ReasonSuperseded, 0},
		refused:    {"", "", delay},
		retried:    {"", "", delay},
		incomplete: {"", "", minSettle},
		forbidden:  {"", "", delay}, // updateLimiter has replaced it
	} {
		items, wait := j.conclude(verdict{result: result, delay: delay}, noon)
		if wait != want.delay || len(items) != 0 == (want.outcome == "") {
			t.Errorf("%s: %d items, redelivered after %s", result, len(items), wait)
			continue
		}
		if len(items) == 1 && (items[0].Result.Outcome != want.outcome || items[0].Result.Reason != want.reason) {
			t.Errorf("%s: stored %s %s, want %s %s", result, items[0].Result.Outcome, items[0].Result.Reason, want.outcome, want.reason)
		}
	}
}

// TestPresetsSayWhatAnswersMean is the table of what the CRMs document about errors
// that their HTTP status does not tell.
func TestPresetsSayWhatAnswersMean(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		preset, event string
		status        int
		body          string
		want          result
	}{
		{"meta-lead-ads", metaLead, 400, `{"error":{"message":"expired","type":"OAuthException","code":190,"error_subcode":463}}`, refused},
		{"meta-lead-ads", metaLead, 400, `{"error":{"type":"OAuthException","code":102}}`, refused},
		{"meta-lead-ads", metaLead, 400, `{"error":{"code":4,"is_transient":false}}`, retried},
		{"meta-lead-ads", metaLead, 400, `{"error":{"code":17}}`, retried},
		{"meta-lead-ads", metaLead, 400, `{"error":{"code":32}}`, retried},
		{"meta-lead-ads", metaLead, 400, `{"error":{"code":"613"}}`, retried},
		{"meta-lead-ads", metaLead, 400, `{"error":{"code":80005}}`, retried},
		{"meta-lead-ads", metaLead, 403, `{"error":{"code":4}}`, retried},
		{"meta-lead-ads", metaLead, 500, `{"error":{"code":190}}`, refused},
		{"meta-lead-ads", metaLead, 400, `{"error":{"code":999,"is_transient":true}}`, retried},
		{"meta-lead-ads", metaLead, 400, `{"error":{"code":100,"error_subcode":33}}`, notFound},
		{"meta-lead-ads", metaLead, 400, `{"error":{"code":100,"error_subcode":34}}`, failed},
		{"meta-lead-ads", metaLead, 400, `{"error":{"code":100}}`, failed},
		{"meta-lead-ads", metaLead, 400, `{"error":{"code":200}}`, forbidden},
		{"meta-lead-ads", metaLead, 400, `{"error":{"code":10}}`, forbidden},
		{"meta-lead-ads", metaLead, 400, `<html>`, failed},
		{"meta-lead-ads", metaLead, 200, `{"id":"1","field_data":[]}`, found},
		{"monday", mondayItem, 200, `{"errors":[{"message":"x","extensions":{"code":"UserUnauthorizedException","status_code":403}}]}`, forbidden},
		{"monday", mondayItem, 200, `{"errors":["Not Authenticated"]}`, refused},
		{"monday", mondayItem, 401, `{"errors":["Not Authenticated"]}`, refused},
		{"monday", mondayItem, 200, `{"errors":[{"extensions":{"code":"COMPLEXITY_BUDGET_EXHAUSTED","status_code":429}}]}`, retried},
		{"monday", mondayItem, 200, `{"error_code":"ComplexityException","status_code":429,"errors":["exhausted"]}`, retried},
		{"monday", mondayItem, 200, `{"errors":[{"extensions":{"code":"DAILY_LIMIT_EXCEEDED"}}]}`, retried},
		{"monday", mondayItem, 200, `{"data":{"items":[{}]}}`, found},
		{"zoho", zohoLead, 400, `{"code":"INVALID_TOKEN","status":"error"}`, refused},
		{"zoho", zohoLead, 401, `{"code":"OAUTH_SCOPE_MISMATCH"}`, refused},
		{"zoho", zohoLead, 403, `{"code":"OAUTH_SCOPE_MISMATCH"}`, refused},
		{"zoho", zohoLead, 400, `{"code":"TOO_MANY_REQUESTS"}`, retried},
		{"zoho", zohoLead, 400, `{"code":"INVALID_DATA"}`, notFound},
		{"zoho", zohoLead, 400, `{"code":"INVALID_MODULE"}`, failed},
		{"pipedrive", pipedriveDeal, 403, `{"success":false,"error":"Scope and URL mismatch"}`, refused},
		{"pipedrive", pipedriveDeal, 402, `{"success":false}`, refused},
		{"pipedrive", pipedriveDeal, 403, `<html>error code: 1015</html>`, forbidden},
		{"dynamics365", dynamicsUpdate, 403, `{"error":{"code":"0x80072560","message":"The user is not a member of the organization."}}`, refused},
		{"dynamics365", dynamicsUpdate, 404, `{"error":{"code":"0x80040217"}}`, notFound},
		{"dynamics365", dynamicsUpdate, 503, `{"error":{"code":"0x80072322"}}`, retried},
		{"hubspot", hubspotContact, 403, `{"category":"MISSING_SCOPES"}`, refused},
		{"hubspot", hubspotContact, 403, `{"category":"OTHER"}`, forbidden},
		{"hubspot", hubspotContact, 423, `{"status":"error"}`, retried},
		{"hubspot", hubspotContact, 477, `{"status":"error"}`, retried},
		{"hubspot", hubspotContact, 429, `{"category":"RATE_LIMITS"}`, retried},
		{"attio", attioRecord, 403, `{"type":"auth_error","code":"insufficient_scopes"}`, refused},
		{"zendesk", zendeskUser, 409, `{}`, retried},
		{"zendesk", zendeskUser, 403, `{"error":"Forbidden"}`, forbidden},
		{"close", closeLead, 400, `{"error":"x"}`, failed},
	} {
		q := requestOf(t, c.preset, c.event)
		r := response{status: c.status, contentType: "application/json", body: []byte(c.body)}
		v := classify(q.Meaning(r.status, r.contentType, r.body), r, nil, noon)
		if v.result != c.want || (v.result == found) != (v.detail == "") {
			t.Errorf("%s: %d %s is %s (%s), want %s", c.preset, c.status, c.body, v.result, v.detail, c.want)
		}
		if c.want == retried && c.status < 429 && v.delay < minThrottle {
			t.Errorf("%s: %d %s pauses the source for %s", c.preset, c.status, c.body, v.delay)
		}
	}
}

// Events that need a lookup.
const (
	metaLead       = `{"entry":[{"changes":[{"field":"leadgen","value":{"leadgen_id":"1","created_time":1795435100}}]}]}`
	mondayItem     = `{"event":{"type":"create_pulse","pulseId":1,"triggerUuid":"u"}}`
	zohoLead       = `{"token":"x","module":"Leads","operation":"insert","channel_id":"1","ids":["7"],"server_time":1795435100123}`
	pipedriveDeal  = `{"meta":{"action":"create","entity":"deal","id":"u","version":"2.0","timestamp":"2026-11-23T11:59:00Z"},"data":{"person_id":5}}`
	dynamicsUpdate = `{"MessageName":"Update","PrimaryEntityName":"contact","PrimaryEntityId":"6d81597f-0000-4000-8000-000000000001","OperationId":"6d81597f-0000-4000-8000-000000000002"}`
	hubspotContact = `[{"eventId":1,"portalId":2,"objectId":3,"occurredAt":1795435100123,"subscriptionType":"contact.creation"}]`
	attioRecord    = `{"events":[{"event_type":"record.created","id":{"object_id":"o","record_id":"r"}}]}`
	zendeskUser    = `{"zendesk_event_version":"2022-11-06","id":"e","type":"zen:event-type:user.created","detail":{"id":"5"}}`
	closeLead      = `{"event":{"id":"ev","object_type":"lead","action":"created","data":{"contact_ids":["c"]}}}`
)

// requestOf is the request of a preset for an event.
func requestOf(t *testing.T, preset, body string) *lookups.Request {
	t.Helper()
	config, err := mapping.Parse("callbridge.yaml", []byte("public_url: https://b.example.com\nsources: {crm: {preset: "+preset+`, secret: "${K}", params: {company: a, subdomain: a, org: a, region: a, tenant: a, dc: com}}}
routes: [{name: all, source: crm, call: {call_to: phone}}]`), mapping.Options{WithoutSecrets: true})
	if err != nil {
		t.Fatal(err)
	}
	source, _ := config.Source("crm")
	events, err := source.Read(mapping.Delivery{Body: []byte(body), Received: noon, Header: http.Header{"Content-Type": {"application/json"}}})
	if err != nil || len(events) != 1 {
		t.Fatalf("%s: %d events, %v", preset, len(events), err)
	}
	q, ok := config.Lookup(events[0])
	if !ok {
		t.Fatalf("%s needs no lookup", preset)
	}
	return q
}

// Without the table of meanings these answers would be taken for a broken request.
func TestMeaningComesBeforeTheStatus(t *testing.T) {
	t.Parallel()
	for meaning, want := range map[lookups.Meaning]result{
		lookups.Unsaid: failed, lookups.BadCredentials: refused, lookups.Forbidden: forbidden, lookups.Wait: retried, lookups.Gone: notFound, lookups.Failed: failed,
	} {
		if v := classify(meaning, response{status: 400}, nil, noon); v.result != want {
			t.Errorf("%q is %s, want %s", meaning, v.result, want)
		}
	}
	if v := classify(lookups.Wait, response{status: 400, header: http.Header{"Retry-After": {"30"}}}, nil, noon); v.delay != 30*time.Second {
		t.Errorf("it waits %s, want 30s", v.delay)
	}
}

func TestSettleAsksAHandfulOfTimesUntilTheDeadline(t *testing.T) {
	t.Parallel()
	deadline, now := noon.Add(2*time.Minute), noon
	tries := 1
	for now.Before(deadline) {
		wait := settle(noon, deadline, now)
		if wait <= 0 {
			t.Fatalf("after %s it waits %s", now.Sub(noon), wait)
		}
		now = now.Add(wait)
		tries++
	}
	if now != deadline || tries < 5 || tries > 8 {
		t.Errorf("%d tries, the last after %s", tries, now.Sub(noon))
	}
}

func TestErrorsAreClassified(t *testing.T) {
	t.Parallel()
	for want, err := range map[result]error{
		failed: permanentError("too large"), refused: credentialsError("invalid_grant"), retried: errors.New("connection reset"),
	} {
		if v := classify(lookups.Unsaid, response{}, err, noon); v.result != want || v.detail != err.Error() {
			t.Errorf("%v is %s (%q), want %s", err, v.result, v.detail, want)
		}
	}
}

func TestRetryAfterIsParsedAndLimited(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		status int
		text   string
		want   time.Duration
	}{
		{429, "", minThrottle}, {429, "1", minThrottle}, {429, "7", 7 * time.Second}, {429, "0.5", minThrottle},
		{429, "86400", maxThrottle}, {429, "1e300", maxThrottle}, {429, "-5", minThrottle}, {429, "NaN", minThrottle}, {429, "soon", minThrottle},
		{503, "", 0}, {503, "3", 3 * time.Second}, {503, noon.Add(20 * time.Second).Format(http.TimeFormat), 20 * time.Second},
		{503, noon.Add(-time.Hour).Format(http.TimeFormat), 0},
	} {
		v := classify(lookups.Unsaid, response{status: c.status, header: http.Header{"Retry-After": {c.text}}}, nil, noon)
		if v.delay != c.want {
			t.Errorf("%d with Retry-After %q: %s, want %s", c.status, c.text, v.delay, c.want)
		}
	}
}

func TestBackoffDoublesUntilTheDeadline(t *testing.T) {
	t.Parallel()
	deadline, now := noon.Add(2*time.Minute), noon
	tries := 1
	for now.Before(deadline) {
		wait := backoff(noon, deadline, now)
		if wait <= 0 || wait > maxBackoff {
			t.Fatalf("after %s it waits %s", now.Sub(noon), wait)
		}
		now = now.Add(wait)
		tries++
	}
	if now != deadline || tries < 8 || tries > 14 {
		t.Errorf("%d tries, the last after %s", tries, now.Sub(noon))
	}
}

// A token endpoint may repeat what it was sent.
func TestErrorOfTheTokenEndpointDoesNotRepeatASecret(t *testing.T) {
	t.Parallel()
	hidden := untrusted.Secrets{"the_client_secret"}
	for code, want := range map[string]string{
		"invalid_grant": "the token endpoint refused: invalid_grant", "the_client_secret": "the token endpoint gave no access token, HTTP 400",
		"no_the_client_secret": "the token endpoint gave no access token, HTTP 400",
	} {
		err := (&access{}).parse(http.StatusBadRequest, []byte(`{"error":"`+code+`"}`), hidden, noon)
		if err == nil || err.Error() != want {
			t.Errorf("%s: %v, want %s", code, err, want)
		}
	}
}
