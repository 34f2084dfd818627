package signature_test

import (
	"net/http"
	"testing"
	"time"

	"callbridge/signature"
)

// vector is a request with the signature that the vendor's own documentation
// or SDK tests publish for it.
type vector struct {
	config  signature.Config
	secret  string
	method  string
	uri     string
	headers headers
	body    string
	at      time.Time
}

// TestPublishedVectors verifies requests that vendors published.
func TestPublishedVectors(t *testing.T) {
	t.Parallel()
	for name, v := range publishedVectors() {
		r := request(v.headers)
		r.Body = []byte(v.body)
		if v.uri != "" {
			r.URI = v.uri
		}
		if v.method != "" {
			r.Method = v.method
		}
		check := verifier(t, v.config.WithSecrets(v.secret))
		if err := check.Verify(r, v.at); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		r.Body = append(r.Body, '&')
		if v.config.Signed != "{url}{form_sorted}" && check.Verify(r, v.at) == nil {
			t.Errorf("%s: accepted with another body", name)
		}
	}
}

func publishedVectors() map[string]vector {
	vectors := map[string]vector{
		"GitHub, validating webhook deliveries": {
			config: hubSignature("sha256"), secret: "It's a Secret to Everybody", body: "Hello, World!",
			headers: headers{"X-Hub-Signature": "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"},
		},
		"Standard Webhooks, Go library": {
			config: standardWebhooks(), secret: "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", body: `{"test": 2432232314}`,
			headers: headers{
				"Webhook-Id": "msg_p5jXN8AQM9LWM0D4loKWxJek", "Webhook-Timestamp": "1614265330",
				"Webhook-Signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
			},
			at: time.Unix(1614265330, 0),
		},
		"Shopify, Go client": {
			config: signature.Config{Kind: "hmac", Hash: "sha256", Encoding: "base64",
				Header: signature.List{"Shopify-Hmac-Sha256", "X-Shopify-Hmac-Sha256"}},
			secret: "hush", body: `"my secret message"`,
			headers: headers{"X-Shopify-Hmac-Sha256": "hMTq0K2x7oyOjoBwGYeTj5oxfnaVYXzbanUG9aajpKI="},
		},
		"Convoy, verifier test": {
			config: signature.Config{Kind: "hmac", Hash: "sha512", Encoding: "hex", Header: signature.List{"X-Convoy-Signature"}},
			secret: "Convoy", body: "Test Payload Body",
			headers: headers{"X-Convoy-Signature": "83306382f5361d35351d6de45998f23b52f40bcf96befe4e92f137c0f1bf4a71" +
				"19388b238d8f9d502ac77e6f1a8849a4778272667ed88d530cac8050bd1fee2d"},
		},
		"Twilio, form": {
			config: twilio(), secret: "12345", uri: "/myapp.php?foo=1&bar=2",
			body: "Digits=1234&CallSid=CA1234567890ABCDE&To=%2B18005551212&Caller=%2B14158675309&From=%2B14158675309" +
				"&ReasonConferenceEnded=test&Reason=Participant",
			headers: headers{"X-Twilio-Signature": "vOEb5UThFn24KEfnOFLQY2AE5FY=", "Content-Type": formType},
		},
		"Twilio, JSON": {
			config: twilio(), secret: "12345",
			uri:     "/myapp.php?foo=1&bar=2&bodySHA256=0a1ff7634d9ab3b95db5c9a2dfe9416e41502b283a80c7cf19632632f96e6620",
			body:    `{"property": "value", "boolean": true}`,
			headers: headers{"X-Twilio-Signature": "a9nBmqA0ju/hNViExpshrM61xv4=", "Content-Type": "application/json"},
		},
	}
	addHubSpot(vectors)
	return vectors
}

const formType = "application/x-www-form-urlencoded; charset=UTF-8"

// addHubSpot adds the examples of "Validating requests" and of the SDKs' tests.
// Only the headers show the version of a signature.
func addHubSpot(vectors map[string]vector) {
	const quoted = "{'example_field':'example_value'}"
	for name, v := range map[string]struct{ method, body, signature string }{
		"v2 POST": {http.MethodPost, `{"example_field":"example_value"}`, "9569219f8ba981ffa6f6f16aa0f48637d35d728c7e4d93d0d52efaa512af7900"},
		"v2 GET":  {http.MethodGet, "", "eee2dddcc73c94d699f5e395f4b9d454a069a6855fbfa152e91e88823087200e"},
		"v1":      {http.MethodPost, quoted, "69fc6631a867edd4f9e9e627fc5c1148e3fbdd8b21837b6d2b8901c1fa57f750"},
	} {
		vectors["HubSpot "+name] = vector{
			config: hubSpot(), secret: hubSpotSecret, method: v.method, uri: "/webhook_uri", body: v.body,
			headers: headers{"X-HubSpot-Signature": v.signature},
		}
	}
	vectors["HubSpot v3"] = vector{
		config: hubSpot(), secret: hubSpotSecret, uri: "/webhook_uri", body: quoted,
		headers: headers{
			"X-HubSpot-Request-Timestamp": "1693657560000",
			"X-HubSpot-Signature-v3":      "K36dawei4A+QBNolUOqo7s91KQDWQ5MXZ/QufNYuk/Y=",
		},
		at: time.UnixMilli(1693657560000).Add(4 * time.Minute),
	}
}

const hubSpotSecret = "yyyyyyyy-yyyy-yyyy-yyyy-yyyyyyyyyyyy"

func hubSignature(hash string) signature.Config {
	return signature.Config{
		Kind: "hmac", Hash: hash, Header: signature.List{"X-Hub-Signature"}, Prefix: hash + "=", Encoding: "hex",
	}
}

func standardWebhooks() signature.Config {
	c := listConfig()
	c.KeyEncoding = "whsec"
	return c
}

func twilio() signature.Config {
	return signature.Config{
		Kind: "hmac", Hash: "sha1", Header: signature.List{"X-Twilio-Signature"}, Encoding: "base64",
		Signed: "{url}{form_sorted}",
		URL: &signature.URL{
			PublicBase: "https://mycompany.com:1234/", TryWithoutPort: true, CheckQuerySHA256: "bodySHA256",
		},
	}
}

func hubSpot() signature.Config {
	base := &signature.URL{PublicBase: "https://www.example.com"}
	return signature.Config{AnyOf: []signature.Config{
		{
			Kind: "hmac", Hash: "sha256", Header: signature.List{"X-HubSpot-Signature-v3"}, Encoding: "base64",
			Signed: "{method}{url}{body}{timestamp}", URL: base,
			Timestamp: &signature.Timestamp{
				Header: signature.List{"X-HubSpot-Request-Timestamp"}, Format: "unix_ms", Tolerance: 5 * time.Minute,
			},
		},
		{
			Kind: "digest", Hash: "sha256", Header: signature.List{"X-HubSpot-Signature"}, Encoding: "hex",
			Signed: "{secret}{method}{url}{body}", URL: base,
		},
		{
			Kind: "digest", Hash: "sha256", Header: signature.List{"X-HubSpot-Signature"}, Encoding: "hex",
			Signed: "{secret}{body}",
		},
	}}
}
