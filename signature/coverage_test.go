package signature_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"callbridge/signature"
)

// coverageCases say of each kind of verifier which of body, query, X-Id (the id),
// X-Time (the time) and X-Other (another header) are covered.
func coverageCases() map[string]struct {
	config  string
	covered []string
} {
	everything := []string{"body", "query", "X-Id", "X-Time", "X-Other"}
	type c = struct {
		config  string
		covered []string
	}
	return map[string]c{
		"none":                   {`{kind: none, reason: a test}`, everything},
		"token":                  {`{kind: token, header: X-Token}`, everything},
		"token in the query":     {`{kind: token, query: token}`, everything},
		"token in the body":      {`{kind: token, body_path: token}`, everything},
		"basic":                  {`{kind: basic, user: crm}`, everything},
		"jwt":                    {`{kind: jwt, alg: HS256, header: Authorization}`, everything},
		"jwt with the body":      {`{kind: jwt, alg: HS256, header: Authorization, body_hash_claim: h, encoding: hex}`, []string{"body"}},
		"hmac":                   {`{kind: hmac, hash: sha256, header: X-S, encoding: hex}`, []string{"body"}},
		"hmac of a hash":         {`{kind: hmac, hash: sha256, header: X-S, encoding: hex, signed: "{body_sha256_hex}"}`, []string{"body"}},
		"hmac with the time":     {`{kind: hmac, hash: sha256, header: X-S, encoding: hex, signed: "{timestamp}{body}", timestamp: {header: X-Time, format: unix, tolerance: 1m}}`, []string{"body", "X-Time"}},
		"hmac with the id":       {`{kind: hmac, hash: sha256, header: X-S, encoding: hex, signed: "{id}{body}", id: {header: [X-Id, X-Old-Id]}}`, []string{"body", "X-Id"}},
		"hmac with a header":     {`{kind: hmac, hash: sha256, header: X-S, encoding: hex, signed: "{header:x-other}{body}"}`, []string{"body", "X-Other"}},
		"hmac with the URL":      {`{kind: hmac, hash: sha256, header: X-S, encoding: hex, signed: "{url}{body}"}`, []string{"body", "query"}},
		"hmac with the path":     {`{kind: hmac, hash: sha256, header: X-S, encoding: hex, signed: "{method}{path_query}{body}"}`, []string{"body", "query"}},
		"hmac of a form":         {`{kind: hmac, hash: sha1, header: X-S, encoding: base64, signed: "{url}{form_sorted}"}`, []string{"body", "query"}},
		"hmac of a hash in URL":  {`{kind: hmac, hash: sha1, header: X-S, encoding: base64, signed: "{url}", url: {check_query_sha256: h}}`, []string{"body", "query"}},
		"hmac without the body":  {`{kind: hmac, hash: sha256, body_path: s.signature, encoding: hex, signed: "{body:s.token}", allow_unsigned_body: true}`, nil},
		"digest":                 {`{kind: digest, hash: sha256, header: X-S, encoding: hex, signed: "{secret}{method}{url}{body}"}`, []string{"body", "query"}},
		"publickey":              {`{kind: publickey, alg: ed25519, header: X-S, encoding: hex, key_encoding: hex}`, []string{"body"}},
		"one of two signatures":  {`{any_of: [{kind: hmac, signed: "{url}{body}"}, {kind: digest, signed: "{secret}{body}"}]}`, []string{"body"}},
		"a signature or a token": {`{any_of: [{kind: token, header: X-Token}, {kind: hmac, signed: "{header:X-Other}{body}"}]}`, []string{"body", "X-Other"}},
		"one of two tokens":      {`{any_of: [{kind: token, header: X-Token}, {kind: basic, user: crm}]}`, everything},
		"a mistake":              {`{kind: hmac, signed: "{nothing}"}`, nil},
	}
}

func TestEachKindCoversWhatItSigns(t *testing.T) {
	t.Parallel()
	parts := map[string]signature.Part{
		"body": {Body: "*"}, "query": {Query: "a"},
		"X-Id": {Header: "x-id"}, "X-Time": {Header: "x-time"}, "X-Other": {Header: "x-other"},
	}
	for name, c := range coverageCases() {
		coverage := signature.CoverageOf([]signature.Config{decode(t, c.config)})
		for part, p := range parts {
			if got, want := coverage.Covers(p), slices.Contains(c.covered, part); got != want {
				t.Errorf("%s: covers %s: %t, want %t", name, part, got, want)
			}
		}
		if got, want := coverage.Signs, len(c.covered) < len(parts); got != want {
			t.Errorf("%s: signs: %t, want %t", name, got, want)
		}
	}
}

// TestACoveredPartCannotBeChanged compares the data with the checks: what is said to
// be covered makes the signature invalid when it changes, what is not does not.
func TestACoveredPartCannotBeChanged(t *testing.T) {
	t.Parallel()
	for name, c := range coverageCases() {
		config := decode(t, c.config)
		if config.Kind != "hmac" && config.Kind != "digest" || len(config.Header) == 0 {
			continue // Sign makes no other
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			config := config.WithSecrets("a key that is long enough")
			coverage := signature.CoverageOf([]signature.Config{config})
			send := func() signature.Request {
				r := request(headers{"Content-Type": formType, "X-Other": "one"})
				r.URI, r.Body = "https://bridge.example.com/w?a=1&h=8f434346648f6b96df89dda901c5176b10a6d83961dd3c1ac88b59b2dc327aa4", []byte("hi")
				made, err := signature.Sign(config, r, now)
				fatal(t, err)
				for header, values := range made {
					r.Header[http.CanonicalHeaderKey(header)] = values
				}
				return r
			}
			v, err := signature.New([]signature.Config{config}, "https://bridge.example.com")
			fatal(t, err)
			expect(t, v.Verify(send(), now), "")
			for part, change := range map[signature.Part]func(r *signature.Request){
				{Body: "*"}:         func(r *signature.Request) { r.Body = []byte("ho") },
				{Query: "a"}:        func(r *signature.Request) { r.URI = strings.Replace(r.URI, "a=1", "a=2", 1) },
				{Header: "X-Id"}:    func(r *signature.Request) { r.Header.Set("X-Id", "another") },
				{Header: "X-Time"}:  func(r *signature.Request) { r.Header.Set("X-Time", fmt.Sprint(now.Unix()+1)) },
				{Header: "X-Other"}: func(r *signature.Request) { r.Header.Set("X-Other", "two") },
			} {
				r := send()
				change(&r)
				if changeable := v.Verify(r, now) == nil; changeable == coverage.Covers(part) {
					t.Errorf("%s can be changed: %t, and is covered: %t", part, changeable, coverage.Covers(part))
				}
			}
		})
	}
}

func TestVerifiersTogetherCoverWhatEitherSigns(t *testing.T) {
	t.Parallel()
	both := signature.CoverageOf([]signature.Config{
		decode(t, `{kind: hmac, header: X-S}`), decode(t, `{kind: token, query: token}`), decode(t, `{kind: hmac, header: X-T, signed: "{url}{body}"}`),
	})
	if !both.Covers(signature.Part{Query: "a"}) || !both.Covers(signature.Part{Body: "a.b"}) || both.Covers(signature.Part{Header: "X-Other"}) {
		t.Error("not the union of what is signed")
	}
	want := []signature.Part{{Header: "X-S"}, {Query: "token"}, {Header: "X-T"}}
	if !slices.Equal(both.Credentials, want) {
		t.Errorf("credentials %v, want %v", both.Credentials, want)
	}
	fields := signature.CoverageOf([]signature.Config{decode(t, coverageCases()["hmac without the body"].config)})
	if !fields.Covers(signature.Part{Body: "s.token"}) || fields.Covers(signature.Part{Body: "s.tokens"}) {
		t.Error("of an unsigned body the signed field alone is covered")
	}
}

// TestOfSeveralHeadersTheSignedOneIsLeft: an id in the second name does not count
// while the first is there.
func TestOfSeveralHeadersTheSignedOneIsLeft(t *testing.T) {
	t.Parallel()
	coverage := signature.CoverageOf([]signature.Config{decode(t, coverageCases()["hmac with the id"].config)})
	both := request(headers{"X-Id": "1", "X-Old-Id": "2", "X-Other": "3"}).Header
	if got := coverage.Headers(both); len(got) != 1 || got.Get("X-Id") != "1" {
		t.Errorf("got %v, want X-Id alone", got)
	}
	both.Set("X-Id", "")
	if got := coverage.Headers(both); len(got) != 1 || got.Get("X-Old-Id") != "2" {
		t.Errorf("got %v, want X-Old-Id alone", got)
	}
	token := signature.CoverageOf([]signature.Config{decode(t, `{kind: token, header: X-Token}`)})
	if got := token.Headers(both); len(got) != len(both) {
		t.Errorf("got %v, want all: a token speaks for the whole request", got)
	}
}
