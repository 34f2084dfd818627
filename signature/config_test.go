package signature_test

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"go.yaml.in/yaml/v4"

	"callbridge/signature"
)

func decode(t *testing.T, text string) signature.Config {
	t.Helper()
	var c signature.Config
	decoder := yaml.NewDecoder(strings.NewReader(text))
	decoder.KnownFields(true)
	if err := decoder.Decode(&c); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return c
}

func TestNoVerifierIsAFault(t *testing.T) {
	t.Parallel()
	_, err := signature.New(nil, "")
	expect(t, err, "verify: no verifier; to accept anybody, write kind none and a reason")
	expect(t, new(signature.Verifier).Verify(request(nil), now), "none: there is no verifier")
}

func TestFaultsOfAllVerifiersAreReported(t *testing.T) {
	t.Parallel()
	_, err := signature.New([]signature.Config{
		{Kind: "token"}, decode(t, "{"+good+"}"), {Kind: "none", Reason: "lab"}, {Kind: "basic"},
	}, "")
	expect(t, err, "verify.0.header: exactly one of header, query and body_path must say where to look\n"+
		"verify.2.kind: none must stand alone\n"+
		"verify.3.user: is empty or holds a colon")
}

func TestNoneAcceptsAnybodyAndSaysWhy(t *testing.T) {
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

func TestYAML(t *testing.T) {
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

func TestWithSecretsFillsOnlyWhatIsEmpty(t *testing.T) {
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
