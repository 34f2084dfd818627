package signature_test

import (
	"maps"
	"net/http"
	"testing"
	"time"

	"callbridge/signature"
)

// signable are the configs that Sign supports.
func signable() map[string]signature.Config {
	timed := func(format string) signature.Config {
		c := signedText("{timestamp}{body}")
		c.Timestamp = &signature.Timestamp{Header: signature.List{"X-Time"}, Format: format, Tolerance: time.Minute}
		return c
	}
	bare := signedText("{header:X-Topic}{body}")
	bare.Format = "list"
	configs := map[string]signature.Config{
		"plain": plainConfig(), "kv": kvConfig(), "list": listConfig(), "bare list": bare, "digest": digestConfig(),
		"unix_ms": timed("unix_ms"), "rfc3339": timed("rfc3339"), "http_date": timed("http_date"),
		"url": {
			Kind: "hmac", Hash: "sha1", Header: signature.List{"X-Sig"}, Encoding: "base64url",
			Signed: "{url}{body}", URL: &signature.URL{PublicBase: "https://elsewhere.example.com"},
		},
		"token":  {Kind: "token", Header: signature.List{"X-Token"}},
		"bearer": {Kind: "token", Header: signature.List{"Authorization"}, Scheme: signature.List{"Bearer"}},
		"basic":  {Kind: "basic", User: "crm"},
		"any_of": {AnyOf: []signature.Config{listConfig(), plainConfig()}},
	}
	for name, c := range configs {
		configs[name] = c.WithSecrets(key, otherKey)
	}
	return configs
}

func TestSignedRequestVerifies(t *testing.T) {
	t.Parallel()
	for name, c := range signable() {
		sent := request(headers{"X-Topic": "lead"})
		sent.URI = "https://bridge.example.com/webhooks/crm?a=1"
		made, err := signature.Sign(c, sent, now)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		received := request(headers{"X-Topic": "lead"})
		maps.Copy(received.Header, made)
		if c.URL != nil {
			c.URL = nil // The URL that was called, not the one in the config.
		}
		if err := verifier(t, c).Verify(received, now.Add(time.Second)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if len(sent.Header) != 1 {
			t.Errorf("%s: Sign changed the request's headers", name)
		}
	}
}

func TestSignKeepsTheIDOfARetry(t *testing.T) {
	t.Parallel()
	c := listConfig().WithSecrets(key)
	first, err := signature.Sign(c, request(nil), now)
	fatal(t, err)
	again, err := signature.Sign(c, request(nil), now.Add(time.Hour))
	fatal(t, err)
	if first.Get("Webhook-Id") != again.Get("Webhook-Id") || first.Get("Webhook-Timestamp") == again.Get("Webhook-Timestamp") {
		t.Errorf("first %v, again %v: want the same id and another time", first, again)
	}
}

func TestSignRefusesUnsupportedConfigs(t *testing.T) {
	t.Parallel()
	inQuery := signedText("{body}")
	inQuery.Header, inQuery.Query = nil, "sig"
	for _, c := range []struct {
		name   string
		config signature.Config
		want   string
	}{
		{"faulty", signature.Config{Kind: "token"}, "verify.header: set exactly one of header, query and body_path"},
		{"jwt", monday(), "sign as jwt: this kind cannot be signed here"},
		{"query", inQuery, "sign as hmac: only a signature in headers can be created"},
		{"token in the body", signature.Config{Kind: "token", BodyPath: "token", Values: signature.Secrets{key}}, "sign as token: only a token in a header can be created"},
		{"no URL", signedText("{url}{body}"), "verify.url.public_base: missing; signed has {url}, and a proxy changes the URL of the request"},
		{"missing header", signedText("{header:X-Topic}{body}"), "sign as hmac: header X-Topic is missing"},
	} {
		_, err := signature.Sign(c.config, request(nil), now)
		if got := err.Error(); got != c.want {
			t.Errorf("%s: got %q, want %q", c.name, got, c.want)
		}
	}
	digest := digestConfig().WithSecrets(key)
	_, err := signature.Sign(digest, signature.Request{Method: http.MethodPost, URI: "/", Body: []byte{0x80}}, now)
	expect(t, err, "sign as digest: a digest can only sign UTF-8")
}
