package mapping_test

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"go.yaml.in/yaml/v4"

	"callbridge/mapping"
	"callbridge/mapping/payload"
	"callbridge/mapping/sources"
	"callbridge/signature"
)

// everyPreset runs a test on the first delivery of each preset.
func everyPreset(t *testing.T, test func(t *testing.T, source *mapping.Source, s sender, c presetCase)) {
	t.Helper()
	for _, preset := range sources.Names() {
		t.Run(preset, func(t *testing.T) {
			t.Parallel()
			_, source := loadPreset(t, preset)
			test(t, source, newSender(t, preset, presetSecret(preset, "SECRET")), firstCase(t, preset))
		})
	}
}

func refused(t *testing.T, source *mapping.Source, d mapping.Delivery, reasons ...signature.Reason) {
	t.Helper()
	events, err := source.Receive(d)
	var failure *signature.Failure
	if !errors.As(err, &failure) || events != nil {
		t.Fatalf("got %d events and %v, want it refused", len(events), err)
	}
	if !slices.Contains(reasons, failure.Reason) {
		t.Errorf("refused as %s, want one of %v", failure.Reason, reasons)
	}
}

// uses reports whether the sender proves itself in one of these ways.
func (s sender) uses(kinds ...string) bool {
	return slices.ContainsFunc(s.verify, func(c signature.Config) bool { return slices.Contains(kinds, c.Kind) })
}

func TestPresetsRefuseABodyThatWasChanged(t *testing.T) {
	t.Parallel()
	everyPreset(t, func(t *testing.T, source *mapping.Source, s sender, c presetCase) {
		if !s.uses("hmac", "digest", "publickey") {
			return // nothing speaks for the body: these CRMs have no signature
		}
		for _, place := range []int{0, len(c.body) / 2, len(c.body) - 1} {
			d := s.send(t, c.body, c.header, received)
			d.Body[place] ^= 1
			refused(t, source, d, signature.ReasonMismatch)
		}
	})
}

func TestPresetsRefuseAProofThatWasChangedOrLeftOut(t *testing.T) {
	t.Parallel()
	everyPreset(t, func(t *testing.T, source *mapping.Source, s sender, c presetCase) {
		bare := c.header.Clone()
		d := s.send(t, c.body, c.header, received)
		for name, values := range d.Header {
			if bare.Get(name) == "" {
				changed := d
				changed.Header = d.Header.Clone()
				changed.Header.Set(name, flipped(values[0]))
				refused(t, source, changed, signature.ReasonMismatch, signature.ReasonMalformed, signature.ReasonStale, signature.ReasonMissing)
				changed.Header.Del(name)
				refused(t, source, changed, signature.ReasonMissing, signature.ReasonMismatch)
			}
		}
		if d.URL.RawQuery != "" {
			changed := d
			u := *d.URL
			changed.URL = &u
			u.RawQuery = flipped(d.URL.RawQuery)
			refused(t, source, changed, signature.ReasonMismatch)
			u.RawQuery = ""
			refused(t, source, changed, signature.ReasonMissing)
		}
		if strings.Contains(c.body, "open sesame") {
			changed := d
			changed.Body = []byte(strings.ReplaceAll(c.body, "open sesame", "open sesamf"))
			refused(t, source, changed, signature.ReasonMismatch)
			changed.Body = []byte(strings.ReplaceAll(c.body, `"token"`, `"taken"`))
			refused(t, source, changed, signature.ReasonMissing)
		}
	})
}

// flipped changes one bit of the last letter.
func flipped(text string) string {
	i := strings.LastIndexFunc(text, func(r rune) bool { return r != '=' })
	return text[:i] + string(text[i]^4) + text[i+1:]
}

func TestPresetsRefuseAnOldTimestamp(t *testing.T) {
	t.Parallel()
	everyPreset(t, func(t *testing.T, source *mapping.Source, s sender, c presetCase) {
		for _, v := range s.verify {
			if v.Timestamp == nil {
				continue
			}
			refused(t, source, s.send(t, c.body, c.header, received.Add(-v.Timestamp.Tolerance-2*time.Second)), signature.ReasonStale)
			refused(t, source, s.send(t, c.body, c.header, received.Add(v.Timestamp.Tolerance+2*time.Second)), signature.ReasonStale)
			if _, err := source.Receive(s.send(t, c.body, c.header, received.Add(2*time.Second-v.Timestamp.Tolerance))); err != nil {
				t.Errorf("within the window: %v", err)
			}
		}
	})
}

func TestPresetsTakeTheKeyOfEitherSlotAndNoOther(t *testing.T) {
	t.Parallel()
	everyPreset(t, func(t *testing.T, source *mapping.Source, s sender, c presetCase) {
		other := newSender(t, s.preset, presetSecret(s.preset, "OTHER"))
		if _, err := source.Receive(other.send(t, c.body, c.header, received)); err != nil {
			t.Errorf("the key of the other slot: %v", err)
		}
		foreign := "the key of somebody else"
		switch s.preset {
		case "close":
			foreign = strings.Repeat("ab", 32)
		case "standard-webhooks":
			foreign = "whsec_BBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBB"
		}
		refused(t, source, newSender(t, s.preset, foreign).send(t, c.body, c.header, received), signature.ReasonMismatch)
	})
}

func TestPresetsRefuseABodyThatCanBeReadInTwoWaysOrNotAtAll(t *testing.T) {
	t.Parallel()
	everyPreset(t, func(t *testing.T, source *mapping.Source, s sender, c presetCase) {
		bad := map[string]string{"cut off": c.body[:len(c.body)/2], "empty": ""}
		switch c.header.Get("Content-Type") {
		case "application/x-www-form-urlencoded":
			bad = map[string]string{"nested deeply": c.body + "&a" + strings.Repeat("[b]", 100) + "=1", "both text and object": c.body + "&x=1&x[y]=2", "broken escape": c.body + "&x=%zz"}
		case "text/xml; charset=utf-8":
			bad["nested deeply"] = strings.Repeat("<a>", 100) + strings.Repeat("</a>", 100)
			bad["an entity of its own"] = `<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><a>&x;</a>`
		default:
			bad["nested deeply"] = strings.Replace(c.body, "{", `{"deep":`+strings.Repeat("[", 100)+strings.Repeat("]", 100)+",", 1)
			bad["a key twice"] = strings.Replace(c.body, "{", `{"twice":1,"twice":2,`, 1)
			if !s.uses("digest") { // which signs nothing else
				bad["not UTF-8"] = strings.Replace(c.body, "{", "{\"latin\":\"\xe9\",", 1)
			}
		}
		for name, body := range bad {
			events, err := source.Receive(s.send(t, body, c.header, received))
			var syntax *payload.SyntaxError
			var failure *signature.Failure
			// A proof that stands in the body goes down with it.
			if !errors.As(err, &syntax) && !errors.As(err, &failure) || events != nil {
				t.Errorf("%s: got %d events, %v", name, len(events), err)
			}
		}
	})
}

func TestPresetsTakeAMebibyte(t *testing.T) {
	t.Parallel()
	everyPreset(t, func(t *testing.T, source *mapping.Source, s sender, c presetCase) {
		padding := strings.Repeat("x", 1<<20-len(c.body)-20)
		body := strings.Replace(c.body, "{", `{"padding":"`+padding+`",`, 1)
		switch c.header.Get("Content-Type") {
		case "application/x-www-form-urlencoded":
			body = c.body + "&padding=" + padding
		case "text/xml; charset=utf-8":
			body = c.body + "<!--" + padding + "-->"
		}
		few, err := source.Receive(s.send(t, c.body, c.header, received))
		if err != nil {
			t.Fatal(err)
		}
		many, err := source.Receive(s.send(t, body, c.header, received))
		if err != nil || len(many) != len(few) {
			t.Errorf("got %d events, want %d (%v)", len(many), len(few), err)
		}
	})
}

// senderKey takes the place of HighLevel's private key, which is not public.
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

// send makes a delivery of that body, signed at that time. A secret
// in the body is written there as "open sesame".
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
