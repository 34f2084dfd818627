package handlers_test

import (
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/prometheus/client_golang/prometheus"

	"callbridge/handlers"
	"callbridge/mapping"
	"callbridge/mapping/sources"
)

// everyPreset returns a configuration with one source per preset, each with a
// random secret.
func everyPreset(t testing.TB) *mapping.Config {
	t.Helper()
	text := "public_url: https://bridge.example.com\nsources:\n"
	for _, name := range sources.Names() {
		text += "  " + name + ": {preset: " + name + `, secret: "${SECRET}", lookup: []`
		switch name {
		case "generic":
			text += ", verify: {kind: token, header: X-Api-Key}"
		case "standard-webhooks":
			text = strings.Replace(text, name+`, secret: "${SECRET}"`, name+`, secret: "${WHSEC}"`, 1)
		}
		text += "}\n"
	}
	hexSecret := strings.ReplaceAll(uuid.NewString()+uuid.NewString(), "-", "")
	config, err := mapping.Parse("callbridge.yaml", []byte(text), mapping.Options{LookupEnv: func(name string) (string, bool) {
		if name == "WHSEC" {
			return "whsec_" + hexSecret, true
		}
		return hexSecret, true
	}})
	if err != nil {
		t.Fatal(err)
	}
	return config
}

// FuzzUnverifiedWebhooksAreRefused sends arbitrary webhooks to every preset. The
// intake has no bus, so a webhook that passes verification ends in a 500.
func FuzzUnverifiedWebhooksAreRefused(f *testing.F) {
	for _, c := range []struct{ body, header, value, query string }{
		{`{"event_id":"1","phone":"+12025550142"}`, "X-Api-Key", "", "token="},
		{`{"token":"x","ids":["1"],"module":"Leads"}`, "Authorization", "Bearer x", "token=x&token=y"},
		{`[{"portalId":1,"occurredAt":1}]`, "X-HubSpot-Signature-v3", "K36dawei4A+QBNolUOqo7s91KQDWQ5MXZ/QufNYuk/Y=", ""},
		{`a=1&secret=x&customData[secret]=x`, "Authorization", "Basic Y2FsbGJyaWRnZTo=", "access_token="},
		{`{"challenge":"x"}`, "X-Hub-Signature-256", "sha256=", "code=x"},
		{`<a/>`, "Calendly-Webhook-Signature", "t=1795435200,v1=00,v1=11", "token=%zz"},
		{`{}`, "Authorization", "eyJhbGciOiJub25lIn0.e30.", ""},
		{"\x1f\x8b", "Content-Encoding", "gzip", ""},
	} {
		f.Add(c.body, c.header, c.value, c.query)
	}
	config := everyPreset(f)
	public := handlers.Public(handlers.Intake{
		Mapping: func() *mapping.Config { return config }, Log: slog.New(slog.NewTextHandler(io.Discard, nil)),
	}, handlers.Health{}, prometheus.NewRegistry())
	refusals := []int{http.StatusBadRequest, http.StatusUnauthorized, http.StatusRequestEntityTooLarge, http.StatusUnsupportedMediaType, http.StatusTooManyRequests}
	f.Fuzz(func(t *testing.T, body, header, value, query string) {
		for _, source := range config.Sources() {
			request := httptest.NewRequest(http.MethodPost, "/webhooks/"+source.Name(), strings.NewReader(body))
			request.URL = &url.URL{Path: request.URL.Path, RawQuery: query}
			request.Header[http.CanonicalHeaderKey(header)] = []string{value}
			if handlers.IsHandshake(source, mapping.Delivery{
				Method: http.MethodPost, URL: request.URL, Header: request.Header, Body: []byte(body), Received: time.Now(),
			}) {
				continue
			}
			answer := httptest.NewRecorder()
			public.ServeHTTP(answer, request)
			if !slices.Contains(refusals, answer.Code) {
				t.Errorf("%s: %d %s", source.Name(), answer.Code, answer.Body)
			}
		}
	})
}
