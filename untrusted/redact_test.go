package untrusted_test

import (
	"strings"
	"testing"

	"callbridge/untrusted"
)

func TestRedactMasksNumbersAndNothingElse(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"cannot call +12025550142 now":          "cannot call +12•••••••42 now",
		"(202) 555-0142 is busy":                "20••••••42 is busy",
		"call 6f1f8f0e-5f57-4c0e-9d0a-11 gone":  "call 6f1f8f0e-5f57-4c0e-9d0a-11 gone",
		"HTTP 503 after 15s":                    "HTTP 503 after 15s",
		"+١٢٠٢٥٥٥٠١٤٢ in Arabic digits":         "+12•••••••42 in Arabic digits",
		"＋１２０２５５５０１４２ in wide ones":             "+12•••••••42 in wide ones",
		"+1\u00a0202\u2009555\u20130142":        "+12•••••••42",
		"dial tcp 192.168.100.12:4222: refused": "dial tcp 192.168.100.12:4222: refused",
		"192.168.100.120":                       "19••••••••20",
		"+192.168.100.12:4222":                  "+19•••••••12:4222",
		"":                                      "",
	} {
		if got := untrusted.Redact(in); got != want {
			t.Errorf("Redact(%q) = %q, want %q", in, got, want)
		}
	}
}

func FuzzRedact(f *testing.F) {
	f.Add("cannot call +1 (202) 555-0142 now")
	f.Add("id 6f1f8f0e-5f57-4c0e-9d0a-1f6f4b0a7c11")
	f.Fuzz(func(t *testing.T, text string) {
		// A number between spaces is always masked.
		const number = "+442079460123"
		if strings.Contains(untrusted.Redact(text+" "+number+" "+text), number) {
			t.Errorf("the number is still in it: %q", text)
		}
	})
}
