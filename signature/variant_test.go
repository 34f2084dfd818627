package signature_test

import (
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha512"
	"encoding/base64"
	"encoding/hex"
	"net/url"
	"slices"
	"strings"
	"testing"
	"unicode"
)

// variants are what an attacker makes of a valid credential, or sends in its place.
// Each returns the values of the header.
func variants() map[string]func(v string) []string {
	one := func(f func(string) string) func(string) []string {
		return func(v string) []string { return []string{f(v)} }
	}
	all := map[string]func(string) []string{
		"absent":             func(string) []string { return nil },
		"twice":              func(v string) []string { return []string{v, v} },
		"behind a wrong one": func(v string) []string { return []string{"wrong", v} },
		"before a wrong one": func(v string) []string { return []string{v, "wrong"} },
		"behind an empty":    func(v string) []string { return []string{"", v} },
		"joined to itself":   one(func(v string) string { return v + ", " + v }),
		"joined to a wrong":  one(func(v string) string { return "wrong, " + v }),
		"doubled":            one(func(v string) string { return v + v }),
		"first half":         one(func(v string) string { return v[:len(v)/2] }),
		"second half":        one(func(v string) string { return v[len(v)/2:] }),
		"one letter less":    one(func(v string) string { v = strings.TrimRight(v, "="); return v[:len(v)-1] }),
		"no first letter":    one(func(v string) string { return v[1:] }),
		"last letter":        one(func(v string) string { return v[len(v)-1:] }),
		"another letter": one(func(v string) string {
			v = strings.TrimRight(v, "=")
			return v[:len(v)-3] + string(v[len(v)-3]^1) + v[len(v)-2:]
		}),
		"reversed":        one(func(v string) string { b := []byte(v); slices.Reverse(b); return string(b) }),
		"upper case":      one(strings.ToUpper),
		"lower case":      one(strings.ToLower),
		"other case":      one(otherCase),
		"blank inside":    one(func(v string) string { return v[:len(v)-6] + " " + v[len(v)-6:] }),
		"tab inside":      one(func(v string) string { return v[:len(v)-6] + "\t" + v[len(v)-6:] }),
		"percent-encoded": one(func(v string) string { return "%" + hex.EncodeToString([]byte(v[:1])) + url.QueryEscape(v[1:]) }),
		"in base64":       one(func(v string) string { return base64.StdEncoding.EncodeToString([]byte(v)) }),
		"in hex":          one(func(v string) string { return hex.EncodeToString([]byte(v)) }),
		"fullwidth":       one(fullwidth),
		"JSON list":       one(func(v string) string { return `["` + v + `"]` }),
	}
	for _, text := range []string{"", " ", "\t", "null", "undefined", "true", "0", "[]", "{}", "=", ",", ".", "..", "sha256=", "v1=", "v1,", "t=", "Bearer", "Bearer ", "Basic ", "*", "%00", "\x00", "a.b.c"} {
		all["instead: "+text] = func(string) []string { return []string{text} }
	}
	for _, text := range []string{"Bearer ", "Basic ", "bearer:", "sha1=", "sha256=", "sha512=", "md5=", "v1=", "v0=", "v1,", "0x", "=", ".", "'", `"`, "\x00", "\u200b", "\ufeff", "\u00a0", "-"} {
		all["before: "+text] = one(func(v string) string { return text + v })
	}
	for _, text := range []string{"00", "A", ".", "&a=b", "#", "%00", "\x00", "\u200b", "'", `"`, ".e30"} {
		all["behind: "+text] = one(func(v string) string { return v + text })
	}
	for name, raw := range map[string][]byte{
		"no key": sum256(body), "key and body": sum256(key + body), "body and key": sum256(body + key), "sha1": sum1(body), "sha512": sum512(body),
		"md5": sum5(body), "another key": hmacSHA256(otherKey, body), "empty key": hmacSHA256("", body), "another body": hmacSHA256(key, body+" "),
		"empty body": hmacSHA256(key, ""), "zeros": make([]byte, 32), "one zero": {0}, "nothing": {},
	} {
		for encoding, text := range map[string]string{
			"hex": hex.EncodeToString(raw), "base64": base64.StdEncoding.EncodeToString(raw), "base64url": base64URL(raw),
		} {
			if name == "key and body" && encoding == "hex" {
				continue // this is the genuine digest
			}
			all[name+", "+encoding] = one(func(string) string { return text })
			all[name+", "+encoding+", in the format"] = one(func(v string) string { return v[:formatOf(v)] + text })
		}
	}
	return all
}

// formatOf is the length of what stands before the proof: "sha256=", "t=1,v1=", "v1,".
func formatOf(v string) int {
	v = strings.TrimRight(v, "=")
	return strings.LastIndexAny(v, "=, ") + 1
}

func sum1(text string) []byte   { sum := sha1.Sum([]byte(text)); return sum[:] }
func sum5(text string) []byte   { sum := md5.Sum([]byte(text)); return sum[:] }
func sum512(text string) []byte { sum := sha512.Sum512([]byte(text)); return sum[:] }

func otherCase(v string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsUpper(r) {
			return unicode.ToLower(r)
		}
		return unicode.ToUpper(r)
	}, v)
}

// fullwidth writes letters that look alike and that some systems normalise.
func fullwidth(v string) string {
	return strings.Map(func(r rune) rune {
		if '!' <= r && r <= '~' {
			return r + 0xfee0
		}
		return r
	}, v)
}

// harmless are the variants in which the genuine proof is still there: hex in another
// case, the scheme in another case (RFC 9110), white space around, or other entries
// of a list beside it.
var harmless = map[string][]string{
	"digest":                     {"upper case", "other case", "before: \u00a0"},
	"token":                      {"lower case"},
	"hmac kv":                    {"doubled", "before: \u00a0"},
	"hmac list":                  {"joined to itself", "joined to a wrong", "before: Basic ", "before: Bearer ", "before: \u00a0"},
	"publickey ed25519":          {"before: \u00a0"},
	"publickey ecdsa-p256":       {"before: \u00a0"},
	"publickey rsa-pkcs1-sha256": {"before: \u00a0"},
}

// TestVariantsOfACredentialAreRefused tries each variant on each kind.
func TestVariantsOfACredentialAreRefused(t *testing.T) {
	t.Parallel()
	tried := 0
	for kind, g := range genuineRequests(t) {
		v := verifier(t, g.config)
		genuine := g.request.Header.Get(g.credential)
		if err := v.Verify(g.request, now); err != nil {
			t.Fatalf("%s: %v", kind, err)
		}
		for name, vary := range variants() {
			values := vary(genuine)
			if len(values) == 1 && values[0] == genuine {
				continue
			}
			tried++
			r := g.request
			r.Header = g.request.Header.Clone()
			r.Header[g.credential] = values
			accepted := v.Verify(r, now) == nil
			if accepted != slices.Contains(harmless[kind], name) {
				t.Errorf("%s, %s: accepted %t: %q", kind, name, accepted, values)
			}
		}
	}
	if tried < 1000 {
		t.Errorf("%d variants tried, want at least 1000", tried)
	}
}
