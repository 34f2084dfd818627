package signature_test

import (
	"encoding/base64"
	"testing"

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
