package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"time"

	"callbridge/event"
	"callbridge/signature"
)

// sample is a webhook of the demo, and how it has to end.
type sample struct {
	title, source, file string
	outcome             event.Outcome
	reason              event.Reason
	// again: sent before, so that nothing may come of it.
	again bool
}

var samples = []sample{
	{title: "A form on the website: Ada asks to be called", source: "website", file: "website-lead.json",
		outcome: event.Accepted, reason: event.ReasonCreated},
	{title: "A HubSpot workflow sends a contact", source: "hubspot", file: "hubspot-contact.json",
		outcome: event.Accepted, reason: event.ReasonCreated},
	{title: "The website sends Ada's webhook once more", source: "website", file: "website-lead.json", again: true},
	{title: "Grace has not agreed to be called", source: "website", file: "website-no-consent.json",
		outcome: event.Skipped, reason: event.ReasonNoRoute},
	{title: "Edsger has left no number", source: "website", file: "website-no-phone.json",
		outcome: event.Rejected, reason: event.ReasonMissingField},
	{title: "Callab places Barbara's call, and its answer gets lost", source: "website", file: "website-lost-answer.json",
		outcome: event.Accepted, reason: event.ReasonFound},
}

// senders sign as the CRMs do.
var senders = map[string]signature.Config{
	"website": {Kind: "hmac", Hash: "sha256", Header: signature.List{"X-Signature"}, Prefix: "sha256=", Encoding: "hex",
		Keys: signature.Secrets{demoSecrets["WEBSITE_SECRET"]}},
	"hubspot": {Kind: "digest", Hash: "sha256", Header: signature.List{"X-HubSpot-Signature"}, Encoding: "hex",
		Signed: "{secret}{method}{url}{body}", Keys: signature.Secrets{demoSecrets["HUBSPOT_CLIENT_SECRET"]}},
}

// demoPublicURL is public_url of the example: what HubSpot's signature covers.
const demoPublicURL = "https://calls.example.com"

func sendSamples(ctx context.Context, url string, show *show) error {
	for i, s := range samples {
		show.title(i+1, s)
		if err := s.send(ctx, url, show); err != nil {
			return fmt.Errorf("%s: %w", s.file, err)
		}
	}
	return nil
}

// sampleAnswer is what the demo reads of a 202.
type sampleAnswer struct {
	Events []struct {
		ID       string   `json:"id"`
		Status   string   `json:"status"`
		Requests []string `json:"requests"`
	} `json:"events"`
}

func (s sample) send(ctx context.Context, url string, show *show) error {
	body, err := example.ReadFile("example/" + s.file)
	if err != nil {
		return err
	}
	path := "/webhooks/" + s.source
	headers, err := signature.Sign(senders[s.source], signature.Request{
		Method: http.MethodPost, URI: demoPublicURL + path, Body: body,
	}, time.Now())
	if err != nil {
		return err
	}
	answer, err := post(ctx, url+path, headers, body)
	if err != nil {
		return err
	}
	e := answer.Events[0]
	show.step("received", "202 %s", e.Status)
	if s.again {
		if e.Status != "duplicate" {
			return fmt.Errorf("answered %s, want duplicate", e.Status)
		}
		show.step("", "seen before: nobody is called again\n")
		return nil
	}
	result, err := show.until(ctx, e.ID)
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
