package signature_test

import (
	"crypto"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/hex"
	"strconv"
	"testing"
	"time"

	"callbridge/signature"
)

func TestToken(t *testing.T) {
	t.Parallel()
	either := signature.Config{Kind: "token", Header: signature.List{"Authorization"}, Scheme: signature.List{"", "Bearer"}}
	bearer := either
	bearer.Scheme = signature.List{"Bearer", "Token"}
	bare := either
	bare.Scheme = nil
	for _, c := range []struct {
		name   string
		config signature.Config
		value  string
		want   string
	}{
		{"scheme", bearer, "Bearer " + key, ""},
		{"scheme in another case", bearer, "bearer " + key, ""},
		{"second scheme", bearer, "Token " + key, ""},
		{"second value", bearer, "Token " + otherKey, ""},
		{"no scheme", bearer, key, "token: header Authorization does not begin with Bearer or Token"},
		{"another scheme", bearer, "Basic " + key, "token: header Authorization does not begin with Bearer or Token"},
		{"scheme only", bearer, "Bearer ", "token: header Authorization does not match"},
		{"another token", bearer, "Bearer x", "token: header Authorization does not match"},
		{"beginning of the token", bearer, "Bearer " + key[:5], "token: header Authorization does not match"},
		{"bare", bare, key, ""},
		{"scheme where none is due", bare, "Bearer " + key, "token: header Authorization does not match"},
		{"bare is one of two", either, key, ""},
		{"scheme is one of two", either, "Bearer " + key, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			v := verifier(t, c.config.WithSecrets(key, otherKey))
			expect(t, v.Verify(request(headers{"Authorization": c.value}), now), c.want)
		})
	}
}

// Zoho echoes the token of the channel in the body.
func TestTokenInTheBody(t *testing.T) {
	t.Parallel()
	v := verifier(t, signature.Config{Kind: "token", BodyPath: "token", Values: signature.Secrets{"TOKEN_1"}})
	for body, want := range map[string]string{
		`{"module":"Leads","token":"TOKEN_1"}`: "",
		`{"module":"Leads","token":"TOKEN_2"}`: "token: body field token does not match",
		`{"module":"Leads"}`:                   "token: body field token is missing",
		`{"token":["TOKEN_1"]}`:                "token: body field token cannot be read",
		`["TOKEN_1"]`:                          "token: body field token cannot be read",
		`token=TOKEN_1`:                        "token: body field token cannot be read",
	} {
		r := request(headers{"Content-Type": "application/json"})
		r.Body = []byte(body)
		expect(t, v.Verify(r, now), want)
	}
}

func TestBasic(t *testing.T) {
	t.Parallel()
	v := verifier(t, signature.Config{Kind: "basic", User: "crm", Passwords: signature.Secrets{"a:b:c", "ünï"}})
	for _, c := range []struct{ credentials, want string }{
		{"crm:a:b:c", ""},
		{"crm:ünï", ""},
		{"crm:a", "basic: header Authorization does not match"},
		{"CRM:a:b:c", "basic: header Authorization does not match"},
		{"crm:", "basic: header Authorization does not match"},
		{"", "basic: header Authorization does not match"},
	} {
		value := "Basic " + base64.StdEncoding.EncodeToString([]byte(c.credentials))
		expect(t, v.Verify(request(headers{"Authorization": value}), now), c.want)
	}
	expect(t, v.Verify(request(headers{"Authorization": "Bearer x"}), now),
		"basic: header Authorization does not begin with Basic")
}

func monday() signature.Config {
	return signature.Config{
		Kind: "jwt", Header: signature.List{"Authorization"}, Scheme: signature.List{"", "Bearer"},
		Algorithms: signature.List{"HS256"}, Keys: signature.Secrets{key}, Leeway: 30 * time.Second,
		Audience: signature.List{"https://bridge.example.com/webhooks/monday"}, Issuer: signature.List{"monday"},
	}
}

func TestJWTClaims(t *testing.T) {
	t.Parallel()
	const valid = `"aud":"https://bridge.example.com/webhooks/monday","iss":"monday"`
	at := func(d time.Duration) string { return strconv.FormatInt(now.Add(d).Unix(), 10) }
	for _, c := range []struct{ name, claims, want string }{
		{"valid", `{` + valid + `,"exp":` + at(time.Hour) + `}`, ""},
		{"one audience of several", `{"aud":["x","https://bridge.example.com/webhooks/monday"],"iss":"monday","exp":` + at(time.Hour) + `}`, ""},
		{"fraction of a second", `{` + valid + `,"exp":` + at(time.Hour) + `.5}`, ""},
		{"expired within leeway", `{` + valid + `,"exp":` + at(-29*time.Second) + `}`, ""},
		{"expired", `{` + valid + `,"exp":` + at(-31*time.Second) + `}`, "jwt: token expired 31s ago, leeway 30s"},
		{"not yet", `{` + valid + `,"exp":` + at(time.Hour) + `,"nbf":` + at(time.Minute) + `}`, "jwt: token begins in 1m0s, leeway 30s"},
		{"begun", `{` + valid + `,"exp":` + at(time.Hour) + `,"nbf":` + at(29*time.Second) + `}`, ""},
		{"no exp", `{` + valid + `}`, "jwt: the token has no exp"},
		{"exp in another case", `{` + valid + `,"EXP":` + at(time.Hour) + `}`, "jwt: the token has no exp"},
		{"exp is text", `{` + valid + `,"exp":"` + at(time.Hour) + `"}`, "jwt: exp or nbf is not a time"},
		{"exp is null", `{` + valid + `,"exp":null}`, "jwt: exp or nbf is not a time"},
		{"exp is huge", `{` + valid + `,"exp":1e300}`, "jwt: exp or nbf is not a time"},
		{"another audience", `{"aud":"x","iss":"monday","exp":` + at(time.Hour) + `}`, "jwt: aud is not one of those configured"},
		{"no audience", `{"iss":"monday","exp":` + at(time.Hour) + `}`, "jwt: aud is not one of those configured"},
		{"null audience", `{"aud":null,"iss":"monday","exp":` + at(time.Hour) + `}`, "jwt: aud is not one of those configured"},
		{"another issuer", `{"aud":"https://bridge.example.com/webhooks/monday","iss":"x","exp":` + at(time.Hour) + `}`, "jwt: iss is not one of those configured"},
		{"no object", `[]`, "jwt: claims are not a JSON object"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			v := verifier(t, monday())
			expect(t, v.Verify(request(headers{"Authorization": token256(c.claims)}), now), c.want)
			expect(t, v.Verify(request(headers{"Authorization": "Bearer " + token256(c.claims)}), now), c.want)
		})
	}
}

func TestJWTCannotChooseItsAlgorithm(t *testing.T) {
	t.Parallel()
	const refused = "jwt: no key and allowed algorithm verify the token's signature"
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
		sign(`{"alg":"HS256","crit":["exp"]}`): "jwt: the token requires extensions (crit)",
		sign(`"HS256"`):                        "jwt: the header of the token cannot be parsed",
		base64URL([]byte(`{"alg":"none"}`)) + "." + claims + ".": refused,
		"a.b":     "jwt: header Authorization does not contain a token of three parts",
		"a.b.c.d": "jwt: header Authorization does not contain a token of three parts",
		"!.b.c":   "jwt: the header of the token cannot be parsed",
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
	const refused = "jwt: no key and allowed algorithm verify the token's signature"
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
