package mapping_test

import (
	"strings"
	"testing"

	"callbridge/mapping"
)

// TestAShortSecretIsAWarning: 16 bytes count after decoding, in every place where a
// secret of a verifier stands, and the warning has the variable but not the value.
func TestAShortSecretIsAWarning(t *testing.T) {
	t.Parallel()
	const (
		short15, long16 = "fifteen letters", "sixteen letters!"
		hex15           = "0102030405060708090a0b0c0d0e0f"
		base64of15      = "AQIDBAUGBwgJCgsMDQ4P"
	)
	warned := "callbridge.yaml:2:"
	for name, c := range map[string]struct {
		source string
		value  string
		path   string // of the warning; "" for none
	}{
		"token":                  {`verify: {kind: token, header: X-Api-Key, values: ["${KEY}"]}`, short15, "verify.values"},
		"token of 16":            {`verify: {kind: token, header: X-Api-Key, values: ["${KEY}"]}`, long16, ""},
		"token by secret":        {`verify: {kind: token, header: X-Api-Key}, secret: "${KEY}"`, short15, "secret"},
		"second of two":          {`verify: {kind: token, header: X-Api-Key}, secret: ["${LONG}", "${KEY}"]`, short15, "secret"},
		"basic":                  {`verify: {kind: basic, user: crm, passwords: ["${KEY}"]}`, short15, "verify.passwords"},
		"hmac":                   {`verify: {kind: hmac, hash: sha256, header: X-S, encoding: hex, keys: ["${KEY}"]}`, short15, "verify.keys"},
		"hmac, 15 bytes of hex":  {`verify: {kind: hmac, hash: sha256, header: X-S, encoding: hex, key_encoding: hex, keys: ["${KEY}"]}`, hex15, "verify.keys"},
		"hmac, that hex as text": {`verify: {kind: hmac, hash: sha256, header: X-S, encoding: hex, keys: ["${KEY}"]}`, hex15, ""},
		"hmac, 15 of base64":     {`verify: {kind: hmac, hash: sha256, header: X-S, encoding: hex, key_encoding: base64, keys: ["${KEY}"]}`, base64of15, "verify.keys"},
		"short whsec":            {`verify: {kind: hmac, hash: sha256, header: X-S, encoding: hex, key_encoding: whsec, allow_short: true, keys: ["${KEY}"]}`, "whsec_" + base64of15, "verify.keys"},
		"jwt":                    {`verify: {kind: jwt, alg: HS256, header: Authorization, keys: ["${KEY}"]}`, short15, "verify.keys"},
		"an alternative":         {`verify: {any_of: [{kind: token, query: t, values: ["${LONG}"]}, {kind: basic, user: crm, passwords: ["${KEY}"]}]}`, short15, "passwords"},
	} {
		text := "sources:\n  crm: {key: sha256:body, fields: {phone: {path: p, type: phone}}, " + c.source + "}\n" +
			"routes:\n  - {name: all, source: crm, mode: live, purpose: service, policy: {countries: [US], hours: any}, call: {call_to: phone, ai_agent_id: 6f1f8f0e-5f57-4c0e-9d0a-1f6f4b0a7c11}}\n"
		config, err := mapping.Parse("callbridge.yaml", []byte(text), mapping.Options{LookupEnv: func(name string) (string, bool) {
			if name == "KEY" {
				return c.value, true
			}
			return "a secret that is long enough", true
		}})
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		got := mapping.Problems(config.Warnings()).Error()
		if strings.Contains(got, c.value) {
			t.Errorf("%s: the warning has the secret", name)
		}
		const why = ": ${KEY} has less than 16 bytes and can be guessed; make a longer one: openssl rand -hex 24"
		switch {
		case c.path == "" && got != "":
			t.Errorf("%s: %s, want no warning", name, got)
		case c.path != "" && (!strings.HasPrefix(got, warned) || !strings.Contains(got, ": sources.crm.") || !strings.HasSuffix(got, c.path+why)):
			t.Errorf("%s: got %q, want one at %s", name, got, c.path)
		}
	}
}
