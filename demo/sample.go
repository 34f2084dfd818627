package demo

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"strings"
	"time"

	"callbridge/event"
	"callbridge/signature"
)

// Secrets are the values of the environment variables that the example uses.
var Secrets = map[string]string{
	"WEBSITE_SECRET":        "demo-website-secret",
	"HUBSPOT_CLIENT_SECRET": "demo-hubspot-secret",
}

// AnyTime returns the example without limits of time and number: its samples are old.
func AnyTime(example []byte) []byte {
	return replaced(example, "hours: local-law", "hours: any", "expire: 24h", "expire: none", "caps: {day: 3, gap: 1h}", "caps: {gap: none}")
}

// Config returns the example with a policy for the demo, which runs at any hour: its old
// samples are called, except for the visitor who asks for an expert. The experts are there
// in three days.
func Config(example []byte, now time.Time) []byte {
	day := strings.ToLower(now.AddDate(0, 0, 3).Weekday().String()[:3])
	return replaced(example, "hours: local-law", "hours: any", "expire: 24h", "expire: none", "mon-fri:", day+":")
}

func replaced(text []byte, pairs ...string) []byte {
	return []byte(strings.NewReplacer(pairs...).Replace(string(text)))
}

// sample is a webhook of the demo with the result that it must have.
type sample struct {
	title, source, file string
	outcome             event.Outcome
	reason              event.Reason
	// duplicate is set for a webhook that was sent before, and must have no result.
	duplicate bool
}

var samples = []sample{
	{title: "A form on the website: Ada asks to be called", source: "website", file: "website-lead.json",
		outcome: event.Accepted, reason: event.ReasonCreated},
	{title: "A HubSpot workflow sends a contact", source: "hubspot", file: "hubspot-contact.json",
		outcome: event.Accepted, reason: event.ReasonCreated},
	{title: "The website sends Ada's webhook once more", source: "website", file: "website-lead.json", duplicate: true},
	{title: "Grace has not agreed to be called", source: "website", file: "website-no-consent.json",
		outcome: event.Skipped, reason: event.ReasonNoConsent},
	{title: "Edsger has left no number", source: "website", file: "website-no-phone.json",
		outcome: event.Rejected, reason: event.ReasonMissingField},
	{title: "Callab places Barbara's call, and its answer gets lost", source: "website", file: "website-lost-answer.json",
		outcome: event.Accepted, reason: event.ReasonFound},
	{title: "Katherine asks for an expert, who is there in a few days", source: "website", file: "website-expert.json",
		outcome: event.Deferred, reason: event.ReasonOutsideHours},
	{title: "Ada fills in another form: her last call is less than an hour ago", source: "website", file: "website-again.json",
		outcome: event.Deferred, reason: event.ReasonCapped},
}

// senders are the signatures of the two CRMs.
var senders = map[string]signature.Config{
	"website": {Kind: "hmac", Hash: "sha256", Header: signature.List{"X-Signature"}, Prefix: "sha256=", Encoding: "hex",
		Keys: signature.Secrets{Secrets["WEBSITE_SECRET"]}},
	"hubspot": {Kind: "digest", Hash: "sha256", Header: signature.List{"X-HubSpot-Signature"}, Encoding: "hex",
		Signed: "{secret}{method}{url}{body}", Keys: signature.Secrets{Secrets["HUBSPOT_CLIENT_SECRET"]}},
}

// publicURL is public_url of the example, which HubSpot's signature includes.
const publicURL = "https://calls.example.com"

// SendSamples sends the sample webhooks to url and prints what becomes of each. The
// files are those of the example. An error names the first sample that did not end as
// it should.
func (p *Printer) SendSamples(ctx context.Context, url string, files fs.FS) error {
	for i, s := range samples {
		p.title(i+1, s)
		if err := s.send(ctx, url, files, p); err != nil {
			return fmt.Errorf("%s: %w", s.file, err)
		}
	}
	return nil
}

// sampleAnswer is the part of a 202 answer that the demo uses.
type sampleAnswer struct {
	Events []struct {
		ID       string   `json:"id"`
		Status   string   `json:"status"`
		Requests []string `json:"requests"`
	} `json:"events"`
}

func (s sample) send(ctx context.Context, url string, files fs.FS, p *Printer) error {
	body, err := fs.ReadFile(files, "example/"+s.file)
	if err != nil {
		return err
	}
	path := "/webhooks/" + s.source
	headers, err := signature.Sign(senders[s.source], signature.Request{
		Method: http.MethodPost, URI: publicURL + path, Body: body,
	}, time.Now())
	if err != nil {
		return err
	}
	answer, err := post(ctx, url+path, headers, body)
	if err != nil {
		return err
	}
	e := answer.Events[0]
	p.step("received", "202 %s", e.Status)
	if s.duplicate {
		if e.Status != "duplicate" {
			return fmt.Errorf("answered %s, want duplicate", e.Status)
		}
		p.step("", "seen before: no second call\n")
		return nil
	}
	result, err := p.until(ctx, e.ID)
	if err != nil {
		return err
	}
	if result.Outcome != s.outcome || result.Reason != s.reason {
		return fmt.Errorf("ended %s (%s), want %s (%s)", result.Outcome, result.Reason, s.outcome, s.reason)
	}
	return nil
}

func post(ctx context.Context, url string, headers http.Header, body []byte) (sampleAnswer, error) {
	var answer sampleAnswer
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return answer, err
	}
	request.Header = headers
	request.Header.Set("Content-Type", "application/json")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return answer, err
	}
	defer func() { _ = response.Body.Close() }()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		return answer, err
	}
	if response.StatusCode != http.StatusAccepted {
		return answer, fmt.Errorf("answered %d: %s", response.StatusCode, text)
	}
	if err := json.Unmarshal(text, &answer); err != nil || len(answer.Events) == 0 {
		return answer, fmt.Errorf("answered %s", text)
	}
	return answer, nil
}
