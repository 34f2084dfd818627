package untrusted_test

import (
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"callbridge/untrusted"
)

func TestVisibleKeepsWhatPeopleReadAndNothingElse(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"":                                "",
		"Ana Müller":                      "Ana Müller",
		"two\nlines\tand a tab":           "two\nlines\tand a tab",
		"line\u2028end\u2029\u0085":       "line\nend\n\n",
		"carriage\r\nreturn":              "carriage \nreturn",
		"\x1b[31mred\x1b[0m":              " [31mred [0m",
		"C1 \u009b31m and \x7f":           "C1  31m and  ",
		"no\u200bbreak\u00ad\u2060\ufeff": "nobreak",
		"\u202eright to left\u2066":       "right to left",
		"tags\U000e0041\U000e007f":        "tags",
		"\u3164\uffa0\u115f\u1160":        "",
		"\u2800blank":                     " blank",
		"nb\u00a0sp\u3000wide":            "nb sp wide",
		"bytes \xff\xfe":                  "bytes ",
		"private \ue000\U000f0000 \ufdd0": "private  ",
		"family 👩\u200d👩\u200d👧 and 👩🏽\u200d💻": "family 👩\u200d👩\u200d👧 and 👩🏽\u200d💻",
		"heart ❤\ufe0f and 1\ufe0f\u20e3":      "heart ❤\ufe0f and 1\ufe0f\u20e3",
		"हिन्\u200dदी नमस्\u200cते":            "हिन्\u200dदी नमस्\u200cते",
		"می\u200cخواهم":                        "می\u200cخواهم",
		"i\u200dgnore \u200d":                  "ignore ",
		"葛\U000e0100城":                         "葛\U000e0100城",
		"+49\ufe0f30":                          "+4930",
	} {
		if got := untrusted.Visible(in); got != want {
			t.Errorf("Visible(%+q) = %+q, want %+q", in, got, want)
		}
	}
}

func TestLineIsOneLine(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"": "", " ": "", "a b": "a b", "  a \n b\t\tc\r\n": "a b c", "a\u2028b": "a b", "naïve  café": "naïve café",
	} {
		if got := untrusted.Line(in); got != want {
			t.Errorf("Line(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestLogMasksNumbersAndCuts(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"lead.created":                            "lead.created",
		"lead\nlevel=INFO msg=accepted":           "lead level=INFO msg=accepted",
		"+12025550142":                            "+12•••••••42",
		"lead-202-555-0142":                       "lead-20••••••42",
		"x2025550142y":                            "x20••••••42y",
		"id 12345678-1234-1234-1234-1234567890ab": "id 12345678-1234-1234-1234-1234567890ab",
		strings.Repeat("x", 64):                   strings.Repeat("x", 64),
		strings.Repeat("x", 65):                   strings.Repeat("x", 63) + "…",
		strings.Repeat("ä", 200_000):              strings.Repeat("ä", 63) + "…",
		strings.Repeat("x", 58) + " +12025550142": strings.Repeat("x", 58) + " +12•…",
	} {
		if got := untrusted.Log(in); got != want {
			t.Errorf("Log(%.80q) = %q, want %q", in, got, want)
		}
	}
}

func TestCutCountsCharacters(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{"äöü": "äöü", "äöüß": "äö…", "abcd": "ab…", "": ""} {
		if got := untrusted.Cut(in, 3); got != want {
			t.Errorf("Cut(%q, 3) = %q, want %q", in, got, want)
		}
	}
}

func FuzzLog(f *testing.F) {
	f.Add("lead\r\n\x1b]8;;http://x\x07link\u202e")
	f.Add("a  b")
	f.Fuzz(func(t *testing.T, text string) {
		got := untrusted.Log(text)
		if n := utf8.RuneCountInString(got); n > 64 || !utf8.ValidString(got) {
			t.Errorf("%q has %d characters", got, n)
		}
		for _, r := range got {
			if unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r) || r == '\u2028' || r == '\u2029' {
				t.Errorf("%+q holds %U", got, r)
			}
		}
		if again := untrusted.Log(got); again != got {
			t.Errorf("Log(%+q) = %+q: a second time it differs", got, again)
		}
	})
}

func BenchmarkLogOfAnUsualValue(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		untrusted.Log("contact.propertyChange")
	}
}
