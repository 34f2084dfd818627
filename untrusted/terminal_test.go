package untrusted_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"callbridge/untrusted"
)

// forged tries to control a terminal and to begin a line of its own.
const forged = "lead\n2026-11-28 12:00:00  accepted created\r\x1b[2K\x1b]8;;http://x\x07\x1b]52;c;aGk=\x1b\\\u009b31m\u202eoof\b\b\x7f\u2028\u2066\U000e0041"

type named string

type raw []byte

func TestFprintfPrintsOneCleanLine(t *testing.T) {
	t.Parallel()
	for kind, value := range map[string]any{
		"string": forged, "named": named(forged), "bytes": []byte(forged), "raw": json.RawMessage(forged), "slice": raw(forged),
		"error": errors.New(forged), "stringer": stringer(forged), "list": []string{forged}, "struct": struct{ Text string }{forged},
	} {
		var out bytes.Buffer
		_ = untrusted.Fprintf(&out, "%s|\n", value)
		checkTerminal(t, kind, out.String())
		if strings.Count(out.String(), "\n") != 1 || !strings.Contains(out.String(), "accepted created") {
			t.Errorf("%s: %q", kind, out.String())
		}
	}
	var out bytes.Buffer
	_ = untrusted.Fprintf(&out, "%-6s|%3d|%v|%s|%s", "ab", 7, true, untrusted.Lines("{\n  \"a\": 1\n}"), nil)
	if want := "ab    |  7|true|{\n  \"a\": 1\n}|<nil>"; out.String() != want {
		t.Errorf("%q, want %q", out.String(), want)
	}
}

// checkTerminal fails if text holds what controls a terminal.
func checkTerminal(t *testing.T, what, text string) {
	t.Helper()
	for _, r := range text {
		if r != '\n' && r != '\t' && unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r) || unicode.Is(unicode.Zl, r) || r == utf8.RuneError || unicode.Is(unicode.Cf, r) {
			t.Errorf("%s: %U in %+q", what, r, text)
		}
	}
}

func TestWriterEscapesWhatControlsATerminal(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"plain\ttext\n":  "plain\ttext\n",
		"naïve 中 \u00a0": "naïve 中 \u00a0",
		"a\x1b[2K\rb":    `a\u001b[2K\u000db`,
		"\u009b31m":      `\u009b31m`,
		"\u202e\u2028":   `\u202e\u2028`,
		"\U000e0041":     `\udb40\udc41`,
		"bad \xff bytes": `bad \ufffd bytes`,
		"👩\u200d💻":       "👩\u200d💻",
		"\x7f\x00\u200b": `\u007f\u0000\u200b`,
	} {
		var whole, single bytes.Buffer
		if n, err := untrusted.NewWriter(&whole).Write([]byte(in)); n != len(in) || err != nil {
			t.Errorf("%q: wrote %d, %v", in, n, err)
		}
		w := untrusted.NewWriter(&single)
		for i := range len(in) {
			_, _ = w.Write([]byte{in[i]})
		}
		if whole.String() != want {
			t.Errorf("%q becomes %q, want %q", in, whole.String(), want)
		}
		if single.String() != want && !strings.Contains(in, "\u200d") { // a joiner needs its neighbours
			t.Errorf("%q byte for byte becomes %q, want %q", in, single.String(), want)
		}
	}
}

func TestWriterKeepsTheMeaningOfJSON(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	encoder := json.NewEncoder(untrusted.NewWriter(&out))
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(map[string]any{"text": forged, "raw": json.RawMessage("\"" + "\u009b\u202e\u2028" + "\"")}); err != nil {
		t.Fatal(err)
	}
	checkTerminal(t, "JSON", out.String())
	var got map[string]string
	if err := json.Unmarshal(out.Bytes(), &got); err != nil || got["text"] != forged || got["raw"] != "\u009b\u202e\u2028" {
		t.Errorf("%v: %+q from %s", err, got, out.String())
	}
}

func TestErrorLinesHasOneLineAnError(t *testing.T) {
	t.Parallel()
	evil := errors.New("unknown source \"x\naccepted\"")
	for want, err := range map[string]error{
		"plain":                               errors.New("plain"),
		`unknown source "x accepted"`:         evil,
		"a\nb":                                errors.Join(errors.New("a"), errors.New("b")),
		"a\nunknown source \"x accepted\"\nb": errors.Join(errors.New("a"), errors.Join(evil, errors.New("b"))),
		`read: unknown source "x accepted" b`: fmt.Errorf("read: %w %w", evil, errors.New("b")),
	} {
		if got := untrusted.ErrorLines(err); string(got) != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
