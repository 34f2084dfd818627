package mapping_test

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"net/url"
	"testing"
	"time"

	"go.yaml.in/yaml/v4"

	"callbridge/mapping"
	"callbridge/mapping/sources"
	"callbridge/signature"
)

// senderKey stands for HighLevel's private key, which only HighLevel has.
func senderKey() ed25519.PrivateKey {
	seed := sha256.Sum256([]byte("HighLevel of the tests"))
	return ed25519.NewKeyFromSeed(seed[:])
}

// sender sends as the CRM of a preset does.
type sender struct {
	preset  string
	verify  []signature.Config
	secrets []string
}

// newSender reads the verifiers of the preset, and takes the first alternative
// of each.
func newSender(t testing.TB, preset string, secrets ...string) sender {
	t.Helper()
	var source struct {
		Verify yaml.Node `yaml:"verify"`
	}
	text := []byte(presetYAML(t, preset))
	if err := yaml.Unmarshal(text, &source); err != nil {
		t.Fatal(err)
	}
	s := sender{preset: preset, secrets: secrets}
	items := []*yaml.Node{&source.Verify}
	if source.Verify.Kind == yaml.SequenceNode {
		items = source.Verify.Content
	}
	for _, item := range items {
		config := signature.Config{Kind: "token", Header: signature.List{"X-Api-Key"}}
		if !item.IsZero() {
			config = signature.Config{}
			if err := item.Load(&config); err != nil {
				t.Fatal(err)
			}
		}
		for len(config.AnyOf) > 0 {
			config = config.AnyOf[0]
		}
		s.verify = append(s.verify, config.WithSecrets(secrets...))
	}
	return s
}

func presetYAML(t testing.TB, name string) string {
	t.Helper()
	for _, preset := range sources.All() {
		if preset.Name == name {
			return preset.YAML
		}
	}
	t.Fatalf("no preset %s", name)
	return ""
}

// send makes a delivery of that body, signed at that time. A secret that
// stands in the body is written there as "open sesame".
func (s sender) send(t testing.TB, body string, header http.Header, at time.Time) mapping.Delivery {
	t.Helper()
	d := mapping.Delivery{
		Method: http.MethodPost, URL: &url.URL{Path: "/webhooks/crm"}, Header: header.Clone(),
		Body: []byte(body), Received: received,
	}
	query := url.Values{}
	for _, c := range s.verify {
		switch {
		case c.Query != "":
			query.Set(c.Query, s.secrets[0])
		case c.BodyPath != "":
			d.Body = bytes.ReplaceAll(d.Body, []byte("open sesame"), []byte(s.secrets[0]))
		}
	}
	d.URL.RawQuery = query.Encode()
	for _, c := range s.verify {
		for name, values := range s.proof(t, c, d, at) {
			d.Header[name] = values
		}
	}
	return d
}

func (s sender) proof(t testing.TB, c signature.Config, d mapping.Delivery, at time.Time) http.Header {
	t.Helper()
	switch {
	case c.Kind == "publickey":
		signed := ed25519.Sign(senderKey(), d.Body)
		return http.Header{http.CanonicalHeaderKey(c.Header[0]): {base64.StdEncoding.EncodeToString(signed)}}
	case c.Query != "", c.BodyPath != "":
		return nil
	}
	proof, err := signature.Sign(c, signature.Request{
		Method: d.Method, URI: "https://bridge.example.com" + d.URL.RequestURI(), Header: d.Header, Body: d.Body,
	}, at)
	if err != nil {
		t.Fatalf("%s: %v", s.preset, err)
	}
	return proof
}
