package mapping_test

import (
	"crypto/ed25519"
	"encoding/base64"
	"fmt"
	"strings"
	"testing"

	"callbridge/mapping"
	"callbridge/mapping/sources"
)

// presetParams are what a preset needs beside its secret, as its set-up says.
var presetParams = map[string]string{
	"pipedrive":   "{company: acme}",
	"zendesk":     "{subdomain: acme}",
	"dynamics365": "{org: acme, region: crm4, tenant: 11111111-2222-4333-8444-555555555555}",
}

// presetSecrets are secrets whose form matters.
var presetSecrets = map[string]string{
	"close":             "058bfb6a3d8cfdc4da7c3be5901b16ae11da982b46a25fb2cd7016e97a140a1c",
	"standard-webhooks": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
}

const otherSecret = "the key of the other slot"

// presetConfig is a file with one source of the preset, and nothing but what
// the preset asks for.
func presetConfig(preset string) string {
	text := "public_url: https://bridge.example.com\nsources:\n  crm:\n    preset: " + preset + "\n"
	if preset == "generic" {
		text += "    verify: {kind: token, header: X-Api-Key}\n"
	}
	if preset == "gohighlevel" { // only HighLevel has the key to the preset's own
		public := base64.StdEncoding.EncodeToString(senderKey().Public().(ed25519.PublicKey))
		text += "    verify:\n      - {kind: publickey, alg: ed25519, header: X-GHL-Signature, encoding: base64, key_encoding: base64, keys: [\"" + public + "\"]}\n" +
			"      - {kind: token, query: token}\n"
	}
	if params, ok := presetParams[preset]; ok {
		text += "    params: " + params + "\n"
	}
	return text + "    secret: [\"${SECRET}\", \"${OTHER}\"]\nroutes:\n" +
		"  - {name: all, source: crm, mode: live, call: {call_to: phone}}\n"
}

func presetSecret(preset, name string) string {
	switch {
	case name != "SECRET" && name != "OTHER":
		return "for a look-up"
	case name == "OTHER" && preset == "close":
		return "ff0000000000000000000000000000000000000000000000000000000000000a"
	case name == "OTHER" && preset == "standard-webhooks":
		return "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
	case name == "OTHER":
		return otherSecret
	case presetSecrets[preset] != "":
		return presetSecrets[preset]
	}
	return "open sesame"
}

func loadPreset(t testing.TB, preset string) (*mapping.Config, *mapping.Source) {
	t.Helper()
	config, err := mapping.Parse("callbridge.yaml", []byte(presetConfig(preset)), mapping.Options{
		LookupEnv: func(name string) (string, bool) { return presetSecret(preset, name), true },
	})
	if err != nil {
		t.Fatalf("%s: %v", preset, err)
	}
	source, _ := config.Source("crm")
	return config, source
}

func TestEveryPresetLoadsWithItsSecretAlone(t *testing.T) {
	t.Parallel()
	for _, preset := range sources.Names() {
		t.Run(preset, func(t *testing.T) {
			t.Parallel()
			loadPreset(t, preset)
		})
	}
}

func TestEveryPresetSaysWhatItIsAndHowToSetItUp(t *testing.T) {
	t.Parallel()
	for _, preset := range sources.All() {
		for _, part := range []string{"# " + preset.Name + ": ", "\n# Set up\n", "\n# Phone: ", "\n# Retries: "} {
			if !strings.Contains("\n"+preset.YAML, part) {
				t.Errorf("%s has no %q", preset.Name, part)
			}
		}
	}
}

func TestNoPresetLoadsWithoutItsSecret(t *testing.T) {
	t.Parallel()
	for _, preset := range sources.Names() {
		t.Run(preset, func(t *testing.T) {
			t.Parallel()
			text := fmt.Sprintf("public_url: https://bridge.example.com\nsources: {crm: {preset: %s, params: {company: a, subdomain: a, org: a, region: crm, tenant: a}}}\nroutes: []\n", preset)
			_, err := mapping.Parse("callbridge.yaml", []byte(text), mapping.Options{
				LookupEnv: func(string) (string, bool) { return "x", true },
			})
			if err == nil {
				t.Error("it lets everybody in")
			}
		})
	}
}
