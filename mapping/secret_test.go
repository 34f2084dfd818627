package mapping_test

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"testing"

	"callbridge/mapping"
)

const secretConfig = `sources:
  crm:
    verify: {kind: token, header: X-Api-Key, values: %s}
    key: body:id
routes: []
`

// vault has one secret in the environment and one in a file.
func vault() mapping.Options {
	return mapping.Options{
		LookupEnv: func(name string) (string, bool) {
			value, ok := map[string]string{"NEW": "new-key", "EMPTY": ""}[name]
			return value, ok
		},
		ReadFile: func(file string) ([]byte, error) {
			if file == "/run/secrets/old" {
				return []byte("old-key\n"), nil
			}
			return nil, fmt.Errorf("open %s: %w", file, fs.ErrNotExist)
		},
	}
}

func TestSecretsComeFromTheEnvironmentAndFromFiles(t *testing.T) {
	t.Parallel()
	config, err := mapping.Parse("callbridge.yaml", fmt.Appendf(nil, secretConfig, `["${NEW}", "${file:/run/secrets/old}"]`), vault())
	if err != nil {
		t.Fatal(err)
	}
	source, _ := config.Source("crm")
	for key, fine := range map[string]bool{"new-key": true, "old-key": true, "${NEW}": false, "": false} {
		if _, err := source.Receive(delivery(`{"id": 1}`, "X-Api-Key", key)); (err == nil) != fine {
			t.Errorf("%q: got %v", key, err)
		}
	}
}

func TestSecretsThatAreNone(t *testing.T) {
	t.Parallel()
	const hint = `; write "${NAME}" for an environment variable or "${file:/path}"`
	for _, c := range []struct{ values, want string }{
		{`[hunter2-literal]`, "a secret must not be written in this file" + hint},
		{`["pre-${NEW}"]`, "a secret must not be written in this file" + hint},
		{`[12345]`, "a secret must not be written in this file" + hint},
		{`["${file:relative}"]`, "a secret must not be written in this file" + hint},
		{`[null]`, "a secret must be a text" + hint},
		{`["${NO_SUCH}"]`, "the environment variable NO_SUCH is not set"},
		{`["${EMPTY}"]`, "${EMPTY} is empty"},
		{`["${file:/no/such}"]`, "read secret: open /no/such: file does not exist"},
	} {
		_, err := mapping.Parse("callbridge.yaml", fmt.Appendf(nil, secretConfig, c.values), vault())
		want := "callbridge.yaml:3:55: sources.crm.verify.values: " + c.want
		if err == nil || err.Error() != want {
			t.Errorf("%s: got %v\nwant %s", c.values, err, want)
		}
	}
}

// TestVariableThatIsNotSetIsReportedOnce, however many places want it: a preset
// names its token in each look-up.
func TestVariableThatIsNotSetIsReportedOnce(t *testing.T) {
	t.Parallel()
	const config = `sources:
  hubspot: {preset: hubspot, secret: "${SECRET}"}
  other: {preset: hubspot, secret: "${SECRET}"}
  crm:
    verify: {kind: token, header: X-Api-Key, values: ["${OWN}", "${OWN}", "${HUBSPOT_TOKEN}"]}
    key: body:id
    kye: 5
`
	_, err := mapping.Parse("callbridge.yaml", []byte(config), mapping.Options{LookupEnv: func(string) (string, bool) { return "", false }})
	const want = `callbridge.yaml:2:38: sources.hubspot.secret: the environment variable SECRET is not set
callbridge.yaml:5:55: sources.crm.verify.values: the environment variable OWN is not set
callbridge.yaml:5:75: sources.crm.verify.values: the environment variable HUBSPOT_TOKEN is not set
callbridge.yaml:7:5: sources.crm: unknown key "kye"; did you mean "key"?`
	if err == nil || err.Error() != want {
		t.Errorf("got\n%v\nwant\n%s", err, want)
	}
	_, err = mapping.Parse("callbridge.yaml", []byte(`{public_url: "https://example.com", sources: {hubspot: {preset: hubspot, secret: "${SECRET}"}}}`), mapping.Options{
		LookupEnv: func(name string) (string, bool) { return "set", name == "SECRET" },
	})
	if err == nil || strings.Count(err.Error(), "HUBSPOT_TOKEN is not set") != 1 || strings.Contains(err.Error(), "\n") {
		t.Errorf("a token of the preset: got\n%v", err)
	}
}

// TestProblemsShowNoSecret breaks the line of a secret in many ways.
func TestProblemsShowNoSecret(t *testing.T) {
	t.Parallel()
	options := mapping.Options{LookupEnv: func(string) (string, bool) { return "hunter2", true }}
	for _, values := range []string{
		`hunter2`, `[hunter2]`, `{a: hunter2}`, `[[hunter2]]`, `["${X}", hunter2]`, `["${X}"], key_encoding: hex`, `["${X}"], kind: hmac`,
		`["${X}"], hash: md5`,
	} {
		_, err := mapping.Parse("callbridge.yaml", fmt.Appendf(nil, secretConfig, values), options)
		var problems mapping.Problems
		if !errors.As(err, &problems) {
			t.Errorf("%s: got %v, want problems", values, err)
		}
		for _, p := range problems {
			if text := fmt.Sprintf("%v %#v", p, p); strings.Contains(text, "hunter2") {
				t.Errorf("%s: %s", values, text)
			}
		}
	}
}
