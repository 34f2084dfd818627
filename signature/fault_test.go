package signature_test

import (
	"errors"
	"strings"
	"testing"

	"callbridge/signature"
)

const good = `kind: hmac, hash: sha256, header: X-Sig, encoding: hex, keys: k`

// fault is a flow mapping as it stands under verify, and what is wrong there.
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

func TestFaultySignatureDoesNotLoad(t *testing.T) {
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
		{`kind: hmac, hash: sha256, header: "X Sig", encoding: hex, keys: k`, "0.header", "cannot be the name"},
		{good + `, query: sig`, "0.header", "exactly one of"},
		{good + `, key_encoding: rot13`, "0.key_encoding", `"rot13" is unknown`},
		{good + `, allow_short: true`, "0.allow_short", "only key_encoding whsec"},
		{good + `, format: csv`, "0.format", `"csv" is unknown`},
		{good + `, separator: ";"`, "0.separator", "plain does not take it"},
		{good + `, field: v1`, "0.field", "plain does not take it"},
		{good + `, format: kv`, "0.field", "must name the fields"},
		{good + `, format: kv, field: [""]`, "0.field", "is empty"},
		{good + `, format: kv, field: v1, separator: "="`, "0.separator", "must not hold ="},
		{good + `, format: kv, field: v1, prefix: x`, "0.prefix", "only format plain"},
		{good + `, format: list, field: v1, separator: ","`, "0.separator", "must not hold a comma"},
		{good + `, signed: "{body"`, "0.signed", "not closed"},
		{good + `, signed: "{bodi}"`, "0.signed", "placeholder {bodi} is unknown"},
		{good + `, signed: "{body}{header:}"`, "0.signed", "placeholder {header:} is unknown"},
		{good + `, signed: "{body}{header:a b}"`, "0.signed", "{header:a b} names no header"},
		{good + `, signed: "{secret}{body}"`, "0.signed", "{secret} belongs into a digest"},
		{good + `, signed: "{method}"`, "0.signed", "does not cover the body"},
		{good + `, aud: x`, "0.aud", "kind hmac does not take it"},
		{`kind: digest, hash: sha256, header: X-Sig, encoding: hex, keys: k`, "0.signed", "{secret} belongs into a digest"},
	})
}

func TestFaultyTimestampOrURLDoesNotLoad(t *testing.T) {
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
		{good + `, signed: "{url}{body}", url: {public_base: bridge.example.com}`, "0.url.public_base", "no http or https URL"},
		{good + `, signed: "{url}{body}", url: {public_base: "ftp://bridge.example.com"}`, "0.url.public_base", "no http or https URL"},
		{good + `, signed: "{url}{body}", url: {public_base: "https://a@bridge.example.com"}`, "0.url.public_base", "must be scheme, host"},
		{good + `, signed: "{url}{body}", url: {public_base: "https://bridge.example.com?x=1"}`, "0.url.public_base", "must be scheme, host"},
		{good + `, url: {try_without_port: true}`, "0.url", "signed has no {url}"},
		{good + `, url: {check_query_sha256: h}`, "0.url.check_query_sha256", "does not cover the query"},
	})
}

func TestFaultyKindDoesNotLoad(t *testing.T) {
	t.Parallel()
	refuse(t, []fault{
		{``, "0.kind", `"" is unknown`},
		{`kind: hmca`, "0.kind", `"hmca" is unknown`},
		{`kind: token, header: X-Token`, "0.values", "missing"},
		{`kind: token, values: v`, "0.header", "exactly one of"},
		{`kind: token, query: t, scheme: Bearer, values: v`, "0.scheme", "only a header"},
		{`kind: token, header: X-Token, values: v, hash: sha256`, "0.hash", "kind token does not take it"},
		{`kind: basic, passwords: p`, "0.user", "is empty or holds a colon"},
		{`kind: basic, user: "a:b", passwords: p`, "0.user", "is empty or holds a colon"},
		{`kind: basic, user: crm`, "0.passwords", "missing"},
		{`kind: jwt, header: A, keys: k`, "0.alg", "missing; one or more of"},
		{`kind: jwt, alg: HS256, keys: k`, "0.header", "missing"},
		{`kind: jwt, header: A, alg: none, keys: k`, "0.alg", `"none" is unknown`},
		{`kind: jwt, header: A, alg: [HS256, RS256], keys: k`, "0.alg", "HS256 must stand alone"},
		{`kind: jwt, header: A, alg: HS256`, "0.keys", "missing"},
		{`kind: jwt, header: A, alg: HS256, keys: k, leeway: -1s`, "0.leeway", "negative"},
		{`kind: jwt, header: A, alg: HS256, keys: k, aud: ""`, "0.aud", "is empty"},
		{`kind: jwt, header: A, alg: HS256, keys: k, iss: [a, ""]`, "0.iss", "is empty"},
		{`kind: jwt, header: A, alg: HS256, keys: k, body_hash_claim: h`, "0.body_hash_claim", "goes together with encoding"},
		{`kind: jwt, header: A, alg: HS256, keys: k, body_hash_claim: h, encoding: oct`, "0.encoding", `"oct" is unknown`},
		{`kind: jwt, header: A, alg: RS256, keys: k`, "0.key_encoding", "missing"},
		{`kind: none`, "0.reason", "missing"},
		{`kind: none, reason: " "`, "0.reason", "missing"},
		{`kind: none, reason: lab, keys: k`, "0.keys", "kind none does not take it"},
		{`any_of: [{kind: none, reason: lab}]`, "0.any_of.0.kind", "none must stand alone"},
		{`any_of: [{` + good + `}, {kind: token, header: X}]`, "0.any_of.1.values", "missing"},
		{`any_of: [{` + good + `}], kind: hmac`, "0.kind", "any_of stands without other keys"},
	})
}
