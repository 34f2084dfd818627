package signature_test

import (
	"encoding/hex"
	"testing"
	"time"

	"callbridge/signature"
)

func TestPlaceholders(t *testing.T) {
	t.Parallel()
	bodyHash := hex.EncodeToString(sum256(body))
	for template, text := range map[string]string{
		"":                                 body,
		"{body}":                           body,
		"v0:{body}:":                       "v0:" + body + ":",
		"{body_sha256_hex}":                bodyHash,
		"{method} {path_query} {body}":     "POST /webhooks/crm?a=1 " + body,
		"{method}{url}{body}":              "POSThttps://bridge.example.com/webhooks/crm?a=1" + body,
		"{header:X-Topic}.{body}":          "lead." + body,
		"{body:event}/{body}":              "lead.created/" + body,
		"{body}{form_sorted}":              body,
		"}{body}":                          "}" + body,
		"{header:content-type}|{body}|end": "application/json|" + body + "|end",
	} {
		r := request(headers{"X-Topic": "lead", "Content-Type": "application/json", "X-Signature": hexMAC(text)})
		if err := verifier(t, signedText(template)).Verify(r, now); err != nil {
			t.Errorf("%q: %v", template, err)
		}
		r.Header.Set("X-Signature", hexMAC(text+"x"))
		if got := reason(t, verifier(t, signedText(template)).Verify(r, now)); got != signature.ReasonMismatch {
			t.Errorf("%q over another text: reason %q", template, got)
		}
	}
}

func TestMissingPlaceholderValueIsNamed(t *testing.T) {
	t.Parallel()
	r := request(headers{"X-Signature": hexMAC("." + body)})
	expect(t, verifier(t, signedText("{header:X-Topic}.{body}")).Verify(r, now), "hmac: header X-Topic is missing")
	expect(t, verifier(t, signedText("{body:id}.{body}")).Verify(r, now), "hmac: body field id is missing")
}

func TestTimestampFormats(t *testing.T) {
	t.Parallel()
	for format, text := range map[string]string{
		"unix":      unix,
		"unix_ms":   unix + "250",
		"rfc3339":   "2026-01-02T04:04:05+01:00",
		"http_date": "Fri, 02 Jan 2026 03:04:05 GMT",
	} {
		c := signedText("{timestamp}{body}")
		c.Timestamp = &signature.Timestamp{Header: signature.List{"X-Time"}, Format: format, Tolerance: time.Minute}
		v := verifier(t, c)
		send := func(text string, at time.Time) error {
			return v.Verify(request(headers{"X-Time": text, "X-Signature": hexMAC(text + body)}), at)
		}
		expect(t, send(text, now.Add(59*time.Second)), "")
		expect(t, send(text, now.Add(-59*time.Second)), "")
		if got := reason(t, send(text, now.Add(62*time.Second))); got != signature.ReasonStale {
			t.Errorf("%s: old: reason %q", format, got)
		}
		if got := reason(t, send(text, now.Add(-62*time.Second))); got != signature.ReasonStale {
			t.Errorf("%s: ahead: reason %q", format, got)
		}
		for _, invalid := range []string{"yesterday", "12,5", "99999999999999999999", "-9223372036854775808", "9223372036854775807"} {
			expect(t, send(invalid, now), "hmac: timestamp is not "+format)
		}
	}
}

func TestTimestampIsCheckedAfterTheSignature(t *testing.T) {
	t.Parallel()
	v := verifier(t, kvConfig().WithSecrets(key))
	old := request(headers{"X-Signature": "t=" + unix + ",v1=" + hexMAC(unix+"."+body)})
	expect(t, v.Verify(old, now.Add(12*time.Minute)), "hmac: timestamp is 12m0s old, 5m0s allowed")
	expect(t, v.Verify(old, now.Add(-time.Hour)), "hmac: timestamp is 1h0m0s ahead, 5m0s allowed")
	forged := request(headers{"X-Signature": "t=1,v1=" + hexMAC(unix+"."+body)})
	expect(t, v.Verify(forged, now), "hmac: no signature matches")
}

func TestZeroToleranceAcceptsAnyTime(t *testing.T) {
	t.Parallel()
	c := kvConfig().WithSecrets(key)
	c.Timestamp.Tolerance = 0
	r := request(headers{"X-Signature": "t=whenever,v1=" + hexMAC("whenever."+body)})
	expect(t, verifier(t, c).Verify(r, now), "")
}

func TestPublicURLVariants(t *testing.T) {
	t.Parallel()
	const portless, port = "https://bridge.example.com", "https://bridge.example.com:8443"
	for _, c := range []struct {
		name   string
		url    signature.URL
		uri    string
		signed string
		want   signature.Reason
	}{
		{"as configured", signature.URL{PublicBase: port}, "/w?b=2&a=1", port + "/w?b=2&a=1", ""},
		{"trailing slash of the base", signature.URL{PublicBase: port + "/"}, "/w", port + "/w", ""},
		{"prefix that a proxy strips", signature.URL{PublicBase: portless + "/in"}, "/w", portless + "/in/w", ""},
		{"escapes stay", signature.URL{PublicBase: portless}, "/a%20b%3A?c=%2F", portless + "/a%20b%3A?c=%2F", ""},
		{"absolute target", signature.URL{PublicBase: portless}, "http://internal:80/w?a=1", portless + "/w?a=1", ""},
		{"host of the request is not believed", signature.URL{PublicBase: portless}, "http://evil.example/w", "http://evil.example/w", signature.ReasonMismatch},
		{"port not asked for", signature.URL{PublicBase: port}, "/w", portless + "/w", signature.ReasonMismatch},
		{"without port", signature.URL{PublicBase: port, TryWithoutPort: true}, "/w", portless + "/w", ""},
		{"with port as well", signature.URL{PublicBase: port, TryWithoutPort: true}, "/w", port + "/w", ""},
		{"default port", signature.URL{PublicBase: portless, TryWithoutPort: true}, "/w", portless + ":443/w", ""},
		{"default port, http, IPv6", signature.URL{PublicBase: "http://[::1]", TryWithoutPort: true}, "/w", "http://[::1]:80/w", ""},
		{"decoded", signature.URL{PublicBase: portless, TryDecoded: true}, "/a%3Ab?c=%2fd%20", portless + "/a:b?c=/d%20", ""},
		{"decoded or not", signature.URL{PublicBase: portless, TryDecoded: true}, "/a%3Ab", portless + "/a%3Ab", ""},
		{"decoding not asked for", signature.URL{PublicBase: portless}, "/a%3Ab", portless + "/a:b", signature.ReasonMismatch},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			config := signedText("{url}{body}")
			config.URL = &c.url
			r := request(headers{"X-Signature": hexMAC(c.signed + body)})
			r.URI = c.uri
			if got := reason(t, verifier(t, config).Verify(r, now)); got != c.want {
				t.Errorf("reason %q, want %q", got, c.want)
			}
		})
	}
}

func TestUncoveredBodyIsRefused(t *testing.T) {
	t.Parallel()
	const address = "https://bridge.example.com/w"
	bodyHash := hex.EncodeToString(sum256(body))
	config := signedText("{url}{form_sorted}")
	config.URL = &signature.URL{CheckQuerySHA256: "bodySHA256"}
	lax := config
	lax.URL = nil
	for _, c := range []struct {
		name                     string
		config                   signature.Config
		query, contentType, body string
		signed                   string
		want                     string
	}{
		{"no body", config, "", "", "", "", ""},
		{"form", config, "", formType, "b=2&a=1&a=0&a=1", "a0a1b2", ""},
		{"form with another value", config, "", formType, "b=2&a=3", "a1b2", "hmac: no signature matches"},
		{"unreadable form", config, "", formType, "a=%zz", "", "hmac: body is not an urlencoded form"},
		{"JSON with its hash", config, "?bodySHA256=" + bodyHash, "application/json", body, "", ""},
		{"JSON with another hash", config, "?bodySHA256=" + bodyHash, "application/json", "{}", "", "hmac: query parameter bodySHA256 is not the hash of the body"},
		{"JSON taken away", config, "?bodySHA256=" + bodyHash, "application/json", "", "", "hmac: query parameter bodySHA256 is not the hash of the body"},
		{"JSON turned into an empty form", config, "?bodySHA256=" + bodyHash, formType, "", "", "hmac: query parameter bodySHA256 is not the hash of the body"},
		{"JSON without hash", config, "", "application/json", body, "", "hmac: query parameter bodySHA256 is missing"},
		{"JSON where only forms are covered", lax, "", "application/json", body, "", "hmac: the signature does not cover a body of this content type"},
		{"multipart", lax, "", "multipart/form-data; boundary=x", body, "", "hmac: the signature does not cover a body of this content type"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			r := request(headers{"X-Signature": hexMAC(address + c.query + c.signed), "Content-Type": c.contentType})
			r.URI, r.Body = "/w"+c.query, []byte(c.body)
			expect(t, verifier(t, c.config).Verify(r, now), c.want)
		})
	}
}

// A sender that knows hash(secret + body) can append to the body without the
// secret (length extension); the padding in between is never UTF-8.
func TestDigestRefusesLengthExtension(t *testing.T) {
	t.Parallel()
	extended := body + "\x80\x00\x00\x00" + `{"event":"forged"}`
	r := request(headers{"X-Signature": hex.EncodeToString(sum256(key + extended))})
	r.Body = []byte(extended)
	expect(t, verifier(t, digestConfig().WithSecrets(key)).Verify(r, now), "digest: no signature matches")
}
