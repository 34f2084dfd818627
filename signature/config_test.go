package signature_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"go.yaml.in/yaml/v4"

	"callbridge/signature"
)

func TestNewRefusesAnEmptyList(t *testing.T) {
	t.Parallel()
	_, err := signature.New(nil, "")
	expect(t, err, "verify: missing; to accept unverified requests, set kind none and a reason")
	expect(t, new(signature.Verifier).Verify(request(nil), now), "none: there is no verifier")
}

func TestNewReportsAllConfigErrors(t *testing.T) {
	t.Parallel()
	_, err := signature.New([]signature.Config{
		{Kind: "token"}, decode(t, "{"+good+"}"), {Kind: "none", Reason: "lab"}, {Kind: "basic"},
	}, "")
	expect(t, err, "verify.0.header: set exactly one of header, query and body_path\n"+
		"verify.2.kind: none cannot be combined with other verifiers\n"+
		"verify.3.user: is empty or contains a colon")
}

func TestNoneAcceptsEveryRequestAndReturnsItsReason(t *testing.T) {
	t.Parallel()
	v := verifier(t, signature.Config{Kind: "none", Reason: "behind the VPN"})
	expect(t, v.Verify(request(nil), now), "")
	if got := v.Unverified(); got != "behind the VPN" {
		t.Errorf("Unverified() = %q", got)
	}
	if got := verifier(t, decode(t, "{"+good+"}")).Unverified(); got != "" {
		t.Errorf("Unverified() of an hmac = %q", got)
	}
}

func TestConfigDecodesFromYAML(t *testing.T) {
	t.Parallel()
	c := decode(t, `
kind: hmac
hash: sha256
keys: [one, two]
header: X-Sig
format: kv
field: [v1]
encoding: hex
timestamp: {field: t, format: unix, tolerance: 300s}
signed: "{timestamp}.{body}"
`)
	if len(c.Header) != 1 || c.Header[0] != "X-Sig" || len(c.Keys) != 2 || c.Timestamp.Tolerance != 5*time.Minute {
		t.Errorf("decoded as %+v", c)
	}
	var bad signature.Config
	if err := yaml.Unmarshal([]byte("keys: {a: b}"), &bad); err == nil {
		t.Error("a mapping was decoded as keys")
	}
}

func TestConfigHidesItsSecrets(t *testing.T) {
	t.Parallel()
	c := signature.Config{Keys: signature.Secrets{"hush"}, Values: signature.Secrets{"hush"}, Passwords: signature.Secrets{"hush"}}
	asJSON, err := json.Marshal(c)
	fatal(t, err)
	asYAML, err := yaml.Marshal(c)
	fatal(t, err)
	var log strings.Builder
	slog.New(slog.NewTextHandler(&log, nil)).Info("x", "config", c, "keys", c.Keys)
	for _, text := range []string{
		fmt.Sprint(c), fmt.Sprintf("%v %+v %#v %s %q", c, c, c, c.Keys, c.Keys), string(asJSON), string(asYAML), log.String(),
	} {
		if strings.Contains(text, "hush") || !strings.Contains(text, "[hidden]") {
			t.Errorf("shown as %s", text)
		}
	}
}

func TestWithSecretsKeepsConfiguredSecrets(t *testing.T) {
	t.Parallel()
	preset := signature.Config{AnyOf: []signature.Config{
		{Kind: "hmac"}, {Kind: "token"}, {Kind: "basic"}, {Kind: "publickey", Keys: signature.Secrets{"vendor"}},
	}}
	filled := preset.WithSecrets("mine").AnyOf
	got := []string{filled[0].Keys[0], filled[1].Values[0], filled[2].Passwords[0], filled[3].Keys[0]}
	if want := "[mine mine mine vendor]"; fmt.Sprint(got) != want {
		t.Errorf("got %v, want %s", got, want)
	}
	if len(preset.AnyOf[0].Keys) > 0 {
		t.Error("the preset was changed")
	}
}

const good = `kind: hmac, hash: sha256, header: X-Sig, encoding: hex, keys: k`

// fault is a flow mapping under verify, and the expected error.
type fault struct{ yaml, key, text string }

func refuse(t *testing.T, faults []fault) {
	t.Helper()
	for _, f := range faults {
		_, err := signature.New([]signature.Config{decode(t, "{"+f.yaml+"}")}, "")
		var got *signature.ConfigError
		if !errors.As(err, &got) {
			t.Errorf("{%s}: error %v, want a *ConfigError", f.yaml, err)
			continue
		}
		if got.Key != f.key || !strings.Contains(got.Text, f.text) {
			t.Errorf("{%s}: got %s: %s, want %s: %s", f.yaml, got.Key, got.Text, f.key, f.text)
		}
	}
}

func TestNewRefusesInvalidSignatureConfig(t *testing.T) {
	t.Parallel()
	refuse(t, []fault{
		{`kind: hmac, header: X-Sig, encoding: hex, keys: k`, "0.hash", "missing; one of sha256, sha512, sha1"},
		{`kind: hmac, hash: md5, header: X-Sig, encoding: hex, keys: k`, "0.hash", `"md5" is unknown`},
		{`kind: hmac, hash: sha256, header: X-Sig, keys: k`, "0.encoding", "missing"},
		{`kind: hmac, hash: sha256, header: X-Sig, encoding: base32, keys: k`, "0.encoding", `"base32" is unknown`},
		{`kind: hmac, hash: sha256, header: X-Sig, encoding: hex`, "0.keys", "missing"},
		{`kind: hmac, hash: sha256, header: X-Sig, encoding: hex, keys: []`, "0.keys", "missing"},
		{`kind: hmac, hash: sha256, header: X-Sig, encoding: hex, keys: ""`, "0.keys.0", "is empty"},
		{`kind: hmac, hash: sha256, header: X-Sig, encoding: hex, keys: [k, ""]`, "0.keys.1", "is empty"},
		{`kind: hmac, hash: sha256, header: X-Sig, encoding: hex, keys: "k\n"`, "0.keys.0", "white space"},
		{`kind: hmac, hash: sha256, encoding: hex, keys: k`, "0.header", "exactly one of"},
		{`kind: hmac, hash: sha256, header: "X Sig", encoding: hex, keys: k`, "0.header", "is not a valid header name"},
		{good + `, query: sig`, "0.header", "exactly one of"},
		{good + `, key_encoding: rot13`, "0.key_encoding", `"rot13" is unknown`},
		{good + `, allow_short: true`, "0.allow_short", "is only allowed with key_encoding whsec"},
		{good + `, format: csv`, "0.format", `"csv" is unknown`},
		{good + `, separator: ";"`, "0.separator", "is not allowed with format plain"},
		{good + `, field: v1`, "0.field", "is not allowed with format plain"},
		{good + `, format: kv`, "0.field", "must name the fields"},
		{good + `, format: kv, field: [""]`, "0.field", "is empty"},
		{good + `, format: kv, field: v1, separator: "="`, "0.separator", "must not contain ="},
		{good + `, format: kv, field: v1, prefix: x`, "0.prefix", "is only allowed with format plain"},
		{good + `, format: list, field: v1, separator: ","`, "0.separator", "must not contain a comma"},
		{good + `, signed: "{body"`, "0.signed", "not closed"},
		{good + `, signed: "{bodi}"`, "0.signed", "placeholder {bodi} is unknown"},
		{good + `, signed: "{body}{header:}"`, "0.signed", "placeholder {header:} is unknown"},
		{good + `, signed: "{body}{header:a b}"`, "0.signed", "{header:a b} does not name a header"},
		{good + `, signed: "{secret}{body}"`, "0.signed", "{secret} is required in a digest and not allowed elsewhere"},
		{good + `, signed: "{method}"`, "0.signed", "does not cover the body"},
		{good + `, aud: x`, "0.aud", "is not allowed with kind hmac"},
		{`kind: digest, hash: sha256, header: X-Sig, encoding: hex, keys: k`, "0.signed", "{secret} is required in a digest and not allowed elsewhere"},
	})
}

func TestNewRefusesInvalidTimestampOrURL(t *testing.T) {
	t.Parallel()
	refuse(t, []fault{
		{good + `, signed: "{timestamp}{body}"`, "0.timestamp", "missing; signed has {timestamp}"},
		{good + `, signed: "{id}{body}"`, "0.id", "missing; signed has {id}"},
		{good + `, id: {header: X-Id}`, "0.id", "signed has no {id}"},
		{good + `, signed: "{id}{body}", id: {}`, "0.id.header", "missing"},
		{good + `, timestamp: {header: X-Time, format: unix, tolerance: 5m}`, "0.timestamp", "signed has no {timestamp}"},
		{good + `, signed: "{timestamp}{body}", timestamp: {header: X-Time}`, "0.timestamp.format", "missing; one of unix"},
		{good + `, signed: "{timestamp}{body}", timestamp: {header: X-Time, format: iso}`, "0.timestamp.format", `"iso" is unknown`},
		{good + `, signed: "{timestamp}{body}", timestamp: {format: unix}`, "0.timestamp.header", "exactly one of"},
		{good + `, signed: "{timestamp}{body}", timestamp: {field: t, header: X-Time, format: unix}`, "0.timestamp.header", "exactly one of"},
		{good + `, signed: "{timestamp}{body}", timestamp: {field: t, format: unix}`, "0.timestamp.field", "only format kv"},
		{good + `, format: kv, field: t, signed: "{timestamp}{body}", timestamp: {field: t, format: unix}`, "0.timestamp.field", "also a field with signatures"},
		{good + `, signed: "{timestamp}{body}", timestamp: {header: X-Time, format: unix, tolerance: -5m}`, "0.timestamp.tolerance", "negative"},
		{good + `, signed: "{url}{body}"`, "0.url.public_base", "missing; signed has {url}"},
		{good + `, signed: "{url}{body}", url: {public_base: bridge.example.com}`, "0.url.public_base", "is not an http or https URL"},
		{good + `, signed: "{url}{body}", url: {public_base: "ftp://bridge.example.com"}`, "0.url.public_base", "is not an http or https URL"},
		{good + `, signed: "{url}{body}", url: {public_base: "https://a@bridge.example.com"}`, "0.url.public_base", "must be scheme, host"},
		{good + `, signed: "{url}{body}", url: {public_base: "https://bridge.example.com?x=1"}`, "0.url.public_base", "must be scheme, host"},
		{good + `, url: {try_without_port: true}`, "0.url", "signed has no {url}"},
		{good + `, url: {check_query_sha256: h}`, "0.url.check_query_sha256", "does not cover the query"},
	})
}

func TestNewRefusesInvalidKind(t *testing.T) {
	t.Parallel()
	refuse(t, []fault{
		{``, "0.kind", `"" is unknown`},
		{`kind: hmca`, "0.kind", `"hmca" is unknown`},
		{`kind: token, header: X-Token`, "0.values", "missing"},
		{`kind: token, values: v`, "0.header", "exactly one of"},
		{`kind: token, query: t, scheme: Bearer, values: v`, "0.scheme", "is only allowed with header"},
		{`kind: token, header: X-Token, values: v, hash: sha256`, "0.hash", "is not allowed with kind token"},
		{`kind: basic, passwords: p`, "0.user", "is empty or contains a colon"},
		{`kind: basic, user: "a:b", passwords: p`, "0.user", "is empty or contains a colon"},
		{`kind: basic, user: crm`, "0.passwords", "missing"},
		{`kind: jwt, header: A, keys: k`, "0.alg", "missing; one or more of"},
		{`kind: jwt, alg: HS256, keys: k`, "0.header", "missing"},
		{`kind: jwt, header: A, alg: none, keys: k`, "0.alg", `"none" is unknown`},
		{`kind: jwt, header: A, alg: [HS256, RS256], keys: k`, "0.alg", "HS256 cannot be combined with others"},
		{`kind: jwt, header: A, alg: HS256`, "0.keys", "missing"},
		{`kind: jwt, header: A, alg: HS256, keys: k, leeway: -1s`, "0.leeway", "negative"},
		{`kind: jwt, header: A, alg: HS256, keys: k, aud: ""`, "0.aud", "is empty"},
		{`kind: jwt, header: A, alg: HS256, keys: k, iss: [a, ""]`, "0.iss", "is empty"},
		{`kind: jwt, header: A, alg: HS256, keys: k, body_hash_claim: h`, "0.body_hash_claim", "must be set together with encoding"},
		{`kind: jwt, header: A, alg: HS256, keys: k, body_hash_claim: h, encoding: oct`, "0.encoding", `"oct" is unknown`},
		{`kind: jwt, header: A, alg: RS256, keys: k`, "0.key_encoding", "missing"},
		{`kind: none`, "0.reason", "missing"},
		{`kind: none, reason: " "`, "0.reason", "missing"},
		{`kind: none, reason: lab, keys: k`, "0.keys", "is not allowed with kind none"},
		{`any_of: [{kind: none, reason: lab}]`, "0.any_of.0.kind", "none cannot be an alternative: it accepts every request"},
		{`any_of: [{` + good + `}, {kind: token, header: X}]`, "0.any_of.1.values", "missing"},
		{`any_of: [{` + good + `}], kind: hmac`, "0.kind", "cannot be combined with any_of"},
	})
}
