package signature_test

import (
	"crypto"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/hex"
	"encoding/pem"
	"strconv"
	"strings"
	"testing"
	"time"

	"callbridge/signature"
)

func monday() signature.Config {
	return signature.Config{
		Kind: "jwt", Header: signature.List{"Authorization"}, Scheme: signature.List{"", "Bearer"},
		Algorithms: signature.List{"HS256"}, Keys: signature.Secrets{key}, Leeway: 30 * time.Second,
		Audience: signature.List{"https://bridge.example.com/webhooks/monday"}, Issuer: signature.List{"monday"},
	}
}

func TestJWTClaims(t *testing.T) {
	t.Parallel()
	const ours = `"aud":"https://bridge.example.com/webhooks/monday","iss":"monday"`
	at := func(d time.Duration) string { return strconv.FormatInt(now.Add(d).Unix(), 10) }
	for _, c := range []struct{ name, claims, want string }{
		{"ours", `{` + ours + `,"exp":` + at(time.Hour) + `}`, ""},
		{"one audience of several", `{"aud":["x","https://bridge.example.com/webhooks/monday"],"iss":"monday","exp":` + at(time.Hour) + `}`, ""},
		{"fraction of a second", `{` + ours + `,"exp":` + at(time.Hour) + `.5}`, ""},
		{"expired within leeway", `{` + ours + `,"exp":` + at(-29*time.Second) + `}`, ""},
		{"expired", `{` + ours + `,"exp":` + at(-31*time.Second) + `}`, "jwt: token expired 31s ago, leeway 30s"},
		{"not yet", `{` + ours + `,"exp":` + at(time.Hour) + `,"nbf":` + at(time.Minute) + `}`, "jwt: token begins in 1m0s, leeway 30s"},
		{"begun", `{` + ours + `,"exp":` + at(time.Hour) + `,"nbf":` + at(29*time.Second) + `}`, ""},
		{"no exp", `{` + ours + `}`, "jwt: the token never expires"},
		{"exp in another case", `{` + ours + `,"EXP":` + at(time.Hour) + `}`, "jwt: the token never expires"},
		{"exp is text", `{` + ours + `,"exp":"` + at(time.Hour) + `"}`, "jwt: exp or nbf is no time"},
		{"exp is null", `{` + ours + `,"exp":null}`, "jwt: exp or nbf is no time"},
		{"exp is huge", `{` + ours + `,"exp":1e300}`, "jwt: exp or nbf is no time"},
		{"another audience", `{"aud":"x","iss":"monday","exp":` + at(time.Hour) + `}`, "jwt: aud is not one of ours"},
		{"no audience", `{"iss":"monday","exp":` + at(time.Hour) + `}`, "jwt: aud is not one of ours"},
		{"null audience", `{"aud":null,"iss":"monday","exp":` + at(time.Hour) + `}`, "jwt: aud is not one of ours"},
		{"another issuer", `{"aud":"https://bridge.example.com/webhooks/monday","iss":"x","exp":` + at(time.Hour) + `}`, "jwt: iss is not one of ours"},
		{"no object", `[]`, "jwt: claims are no JSON object"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			v := verifier(t, monday())
			expect(t, v.Verify(request(headers{"Authorization": token256(c.claims)}), now), c.want)
			expect(t, v.Verify(request(headers{"Authorization": "Bearer " + token256(c.claims)}), now), c.want)
		})
	}
}

func TestJWTAlgorithmIsOursToChoose(t *testing.T) {
	t.Parallel()
	const refused = "jwt: no key has signed the token with an allowed algorithm"
	c := signature.Config{Kind: "jwt", Header: signature.List{"Authorization"}, Algorithms: signature.List{"HS256"}}
	v := verifier(t, c.WithSecrets(key))
	claims := base64URL([]byte(`{"exp":` + strconv.FormatInt(now.Add(time.Hour).Unix(), 10) + `}`))
	sign := func(head string) string {
		text := base64URL([]byte(head)) + "." + claims
		return text + "." + base64URL(hmacSHA256(key, text))
	}
	for token, want := range map[string]string{
		sign(`{"alg":"HS256"}`):                "",
		sign(`{"alg":"none"}`):                 refused,
		sign(`{"alg":""}`):                     refused,
		sign(`{}`):                             refused,
		sign(`{"alg":"hs256"}`):                refused,
		sign(`{"alg":"HS512"}`):                refused,
		sign(`{"alg":"RS256"}`):                refused,
		sign(`{"alg":"HS256","crit":["exp"]}`): "jwt: the token asks for extensions (crit)",
		sign(`"HS256"`):                        "jwt: the head of the token cannot be read",
		base64URL([]byte(`{"alg":"none"}`)) + "." + claims + ".": refused,
		"a.b":     "jwt: header Authorization holds no token of three parts",
		"a.b.c.d": "jwt: header Authorization holds no token of three parts",
		"!.b.c":   "jwt: the head of the token cannot be read",
	} {
		expect(t, v.Verify(request(headers{"Authorization": token}), now), want)
	}
}

func TestJWTWithPublicKeys(t *testing.T) {
	t.Parallel()
	_, ed, err := ed25519.GenerateKey(rand.Reader)
	fatal(t, err)
	rs, err := rsa.GenerateKey(rand.Reader, 2048)
	fatal(t, err)
	keys := signature.Secrets{pemText(t, ed), pemText(t, rs)}
	v := verifier(t, signature.Config{
		Kind: "jwt", Header: signature.List{"X-Token"}, Algorithms: signature.List{"RS256", "EdDSA"},
		KeyEncoding: "pem", Keys: keys,
	})
	sign := func(algorithm string, private crypto.Signer, hash crypto.Hash) string {
		text := base64URL([]byte(`{"alg":"`+algorithm+`"}`)) + "." + base64URL([]byte(`{"exp":4102444800}`))
		input := []byte(text)
		if hash != 0 {
			input = sum256(text)
		}
		signed, err := private.Sign(rand.Reader, input, hash)
		fatal(t, err)
		return text + "." + base64URL(signed)
	}
	// The classic forgery: the public key, known to all, as HMAC secret.
	head := base64URL([]byte(`{"alg":"HS256"}`)) + "." + base64URL([]byte(`{"exp":4102444800}`))
	forged := head + "." + base64URL(hmacSHA256(keys[1], head))
	const refused = "jwt: no key has signed the token with an allowed algorithm"
	for token, want := range map[string]string{
		sign("EdDSA", ed, 0):             "",
		sign("RS256", rs, crypto.SHA256): "",
		sign("RS256", ed, 0):             refused,
		sign("EdDSA", rs, crypto.SHA256): refused,
		forged:                           refused,
	} {
		expect(t, v.Verify(request(headers{"X-Token": token}), now), want)
	}
}

func pemText(t *testing.T, private crypto.Signer) string {
	t.Helper()
	block := &pem.Block{Type: "PUBLIC KEY", Bytes: publicDER(t, private)}
	return strings.TrimSpace(string(pem.EncodeToMemory(block)))
}

// Vonage and FusionAuth put a hash of the body into the token.
func TestJWTBodyHash(t *testing.T) {
	t.Parallel()
	for encoding, hash := range map[string]string{
		"hex":    hex.EncodeToString(sum256(body)),
		"base64": base64.StdEncoding.EncodeToString(sum256(body)),
	} {
		v := verifier(t, signature.Config{
			Kind: "jwt", Header: signature.List{"X-Token"}, Algorithms: signature.List{"HS256"},
			Keys: signature.Secrets{key}, BodyHashClaim: "payload_hash", Encoding: encoding,
		})
		r := request(headers{"X-Token": token256(`{"payload_hash":"` + hash + `"}`)})
		expect(t, v.Verify(r, now), "")
		r.Body = []byte("{}")
		expect(t, v.Verify(r, now), "jwt: payload_hash is not the hash of the body")
		r.Header.Set("X-Token", token256(`{}`))
		expect(t, v.Verify(r, now), "jwt: payload_hash is not the hash of the body")
		r.Header.Set("X-Token", token256(`{"payload_hash":"`+hash+`","exp":1}`))
		if got := reason(t, v.Verify(r, now)); got != signature.ReasonStale {
			t.Errorf("expired: reason %q", got)
		}
	}
}
