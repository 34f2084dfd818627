package untrusted_test

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"callbridge/untrusted"
)

func TestScrubFindsSecretsAsEncodersWriteThem(t *testing.T) {
	t.Parallel()
	secrets := untrusted.Secrets{"aB/c+d&e<f=", "", "short"}
	for in, want := range map[string]string{
		"":                            "",
		"nothing":                     "nothing",
		"aB/c+d&e<f=":                 "[secret]",
		"x aB/c+d&e<f= y aB/c+d&e<f=": "x [secret] y [secret]",
		"AB/C+D&E<F=":                 "[secret]",
		`{"a":"aB\/c+d&e<f="}`:        `{"a":"[secret]"}`,
		`aB/c\u002bd\u0026e\u003Cf=`:  "[secret]",
		`\u0061\u0042/c+d&e<f=`:       "[secret]",
		"aB/c+d&amp;e&lt;f=":          "[secret]",
		"aB/c&#43;d&#x26;e<f=":        "[secret]",
		"aB%2Fc%2bd%26e%3Cf%3D":       "[secret]",
		"aB/c+d&e<f":                  "aB/c+d&e<f",
		`aaB/c+d&e<f=\`:               `a[secret]\`,
		"short":                       "short",
		"&&#;&#x;%\\":                 "&&#;&#x;%\\",
	} {
		if got := string(secrets.Scrub([]byte(in))); got != want {
			t.Errorf("Scrub(%q) = %q, want %q", in, got, want)
		}
		if got := secrets.ScrubString(in); got != want {
			t.Errorf("ScrubString(%q) = %q, want %q", in, got, want)
		}
	}
}

func FuzzScrub(f *testing.F) {
	f.Add("a&b<c>+/=%d", "text ")
	f.Fuzz(func(t *testing.T, secret, around string) {
		if len(secret) < 8 || strings.ToValidUTF8(secret, "") != secret {
			t.Skip()
		}
		escaped, err := json.Marshal(around + secret + around)
		if err != nil {
			t.Fatal(err)
		}
		for _, text := range [][]byte{[]byte(around + secret + around), escaped} {
			got := untrusted.Secrets{secret}.Scrub(text)
			if bytes.Contains(got, []byte(secret)) && !strings.Contains("[secret]"+around+"[secret]", secret) {
				t.Errorf("%q is still in %q", secret, got)
			}
		}
	})
}

func BenchmarkScrubAnAnswerWithoutSecrets(b *testing.B) {
	text := bytes.Repeat([]byte(`{"id":"7d1b","notes":"A lead of \"us\"","status":"ok"},`), 20)
	secrets := untrusted.Secrets{"test-token-0123456789abcdef"}
	b.SetBytes(int64(len(text)))
	b.ReportAllocs()
	for b.Loop() {
		secrets.Scrub(text)
	}
}
