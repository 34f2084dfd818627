package signature_test

import (
	"bytes"
	"crypto/ed25519"
	"encoding/base64"
	"net/http"
	"strings"
	"testing"
	"time"

	"callbridge/signature"
)

func TestValidRequestIsAccepted(t *testing.T) {
	t.Parallel()
	for name, g := range genuineRequests(t) {
		if err := verifier(t, g.config).Verify(g.request, now); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestFlippedBitOfCredentialIsRefused(t *testing.T) {
	t.Parallel()
	for name, g := range genuineRequests(t) {
		v := verifier(t, g.config)
		credential := g.request.Header.Get(g.credential)
		for i := range credential {
			changed := []byte(credential)
			changed[i] ^= 1
			g.request.Header.Set(g.credential, string(changed))
			if v.Verify(g.request, now) == nil {
				t.Errorf("%s: accepted with byte %d of %s changed", name, i, g.credential)
			}
		}
	}
}

func TestChangedBodyIsRefused(t *testing.T) {
	t.Parallel()
	for name, g := range genuineRequests(t) {
		v := verifier(t, g.config)
		for i := range g.request.Body {
			flipped := bytes.Clone(g.request.Body)
			flipped[i] ^= 1
			for _, changed := range [][]byte{flipped, g.request.Body[:i]} {
				r := g.request
				r.Body = changed
				if got := v.Verify(r, now) == nil; got == g.coversBody {
					t.Fatalf("%s: accepted = %t with byte %d flipped or cut off", name, got, i)
				}
			}
		}
	}
}

func TestTimestampOutsideToleranceIsStale(t *testing.T) {
	t.Parallel()
	for name, g := range genuineRequests(t) {
		v := verifier(t, g.config)
		want := signature.Reason("")
		if g.timed {
			want = signature.ReasonStale
		}
		if got := reason(t, v.Verify(g.request, now.Add(5*time.Minute+time.Second))); got != want {
			t.Errorf("%s: late: reason %q, want %q", name, got, want)
		}
		if strings.HasPrefix(name, "jwt") {
			continue // A JWT has an end of validity, not a signing time.
		}
		if got := reason(t, v.Verify(g.request, now.Add(-5*time.Minute-time.Second))); got != want {
			t.Errorf("%s: early: reason %q, want %q", name, got, want)
		}
	}
}

func TestMissingHeaderIsNamed(t *testing.T) {
	t.Parallel()
	for name, g := range genuineRequests(t) {
		v := verifier(t, g.config)
		for header := range g.request.Header.Clone() {
			r := g.request
			r.Header = g.request.Header.Clone()
			r.Header.Del(header)
			err := v.Verify(r, now)
			if reason(t, err) != signature.ReasonMissing || !strings.Contains(err.Error(), "header "+header+" is missing") {
				t.Errorf("%s without %s: %v", name, header, err)
			}
			r.Header[header] = []string{"a", "b"}
			if got := reason(t, v.Verify(r, now)); got != signature.ReasonMalformed {
				t.Errorf("%s with two %s: reason %q, want malformed", name, header, got)
			}
		}
	}
}

func TestOtherKeyIsRefused(t *testing.T) {
	t.Parallel()
	other25519, _, err := ed25519.GenerateKey(nil)
	fatal(t, err)
	for name, g := range genuineRequests(t) {
		public := strings.HasPrefix(name, "publickey")
		if public && !strings.HasSuffix(name, "ed25519") {
			continue
		}
		both := g.config
		g.config.Keys, g.config.Values, g.config.Passwords = nil, nil, nil
		other := otherKey
		if public {
			other = base64.StdEncoding.EncodeToString(other25519)
		}
		g.config = g.config.WithSecrets(other)
		if got := reason(t, verifier(t, g.config).Verify(g.request, now)); got != signature.ReasonMismatch {
			t.Errorf("%s: other key: reason %q, want mismatch", name, got)
		}
		both.Keys = rotated(other, both.Keys)
		both.Values = rotated(other, both.Values)
		both.Passwords = rotated(other, both.Passwords)
		if err := verifier(t, both).Verify(g.request, now); err != nil {
			t.Errorf("%s: second of two keys: %v", name, err)
		}
	}
}

// rotated puts a new secret in front of the existing ones.
func rotated(fresh string, secrets signature.Secrets) signature.Secrets {
	if len(secrets) == 0 {
		return nil
	}
	return append(signature.Secrets{fresh}, secrets...)
}

func TestFailureShowsNoSecret(t *testing.T) {
	t.Parallel()
	for name, g := range genuineRequests(t) {
		credential := g.request.Header.Get(g.credential)
		attempts := []signature.Request{g.request, g.request, g.request}
		attempts[1].Header = g.request.Header.Clone()
		attempts[1].Header.Set(g.credential, credential[:len(credential)-4]+"AAAA")
		attempts[2].Body = []byte("{}")
		for _, r := range attempts {
			err := verifier(t, g.config).Verify(r, now.Add(time.Hour))
			if err == nil {
				continue
			}
			for _, secret := range []string{key, credential, credential[10:20], r.Header.Get(g.credential)} {
				if strings.Contains(err.Error(), secret) {
					t.Errorf("%s: failure shows %q: %v", name, secret, err)
				}
			}
		}
	}
}

func TestRequestMustSatisfyAllVerifiers(t *testing.T) {
	t.Parallel()
	v := verifier(t,
		signedText("{body}"),
		signature.Config{Kind: "token", Query: "token", Values: signature.Secrets{"abc"}},
	)
	r := request(headers{"X-Signature": hexMAC(body)})
	expect(t, v.Verify(r, now), "token: query parameter token is missing")
	r.URI = "/w?token=abc"
	expect(t, v.Verify(r, now), "")
	r.Header = http.Header{}
	expect(t, v.Verify(r, now), "hmac: header X-Signature is missing")
}

func TestAnyOfReportsAllFailuresAndTheLatestReason(t *testing.T) {
	t.Parallel()
	v := verifier(t, signature.Config{AnyOf: []signature.Config{
		kvConfig().WithSecrets(key),
		{Kind: "token", Header: signature.List{"X-Token"}, Values: signature.Secrets{"abc"}},
	}})
	stale := request(headers{"X-Signature": "t=" + unix + ",v1=" + hexMAC(unix+"."+body)})
	err := v.Verify(stale, now.Add(time.Hour))
	expect(t, err, "any_of: hmac: timestamp is 1h0m0s old, 5m0s allowed; token: header X-Token is missing")
	if got := reason(t, err); got != signature.ReasonStale {
		t.Errorf("reason %q, want stale", got)
	}
	expect(t, v.Verify(request(headers{"X-Token": "abc"}), now), "")
}
