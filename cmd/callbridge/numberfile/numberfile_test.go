package numberfile_test

import (
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"callbridge/cmd/callbridge/numberfile"
	"callbridge/event"
	"callbridge/internal/testkit"
)

func TestParse(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"+1 202 555 0142":                   "+12025550142",
		"0049 (0) 30 12345678":              "+493012345678",
		"+1 202 555 0142 ext. 7":            "+12025550142",
		"+1 (800) 234-5678":                 "+18002345678", // never called, and a number
		"+1 202 555 1212":                   "+12025551212",
		"+1 202 555 0142 / +1 202 555 0143": "",
		"Ada":                               "",
		"202 555 0142":                      "", // of which country?
		"+49170":                            "",
	} {
		if got, err := numberfile.Parse(text, ""); got.Reveal() != want || (err == nil) != (want != "") {
			t.Errorf("%q is %q, %v, want %q", text, got.Reveal(), err, want)
		}
	}
	if got, err := numberfile.Parse("(202) 555-0142", "US"); got.Reveal() != "+12025550142" || err != nil {
		t.Errorf("of a region: %q, %v", got.Reveal(), err)
	}
}

func TestScanNamesTheLine(t *testing.T) {
	t.Parallel()
	text := "\ufeffphone,name\n+12025550142,Ada\n\n# a remark\n\"+1 202 555 0143\",\"Bob, B.\"\r\nno number,Eve\n+12025550144\n\"+1202\n"
	var got []string
	err := numberfile.Scan(strings.NewReader(text), "", func(l numberfile.Line) error {
		got = append(got, fmt.Sprint(l.At, " ", l.Number.Reveal(), " ", l.Err != nil))
		return nil
	})
	want := "2 +12025550142 false|5 +12025550143 false|6  true|7 +12025550144 false|8  true"
	if strings.Join(got, "|") != want || err != nil {
		t.Errorf("%s, %v", strings.Join(got, "|"), err)
	}
	if err := numberfile.Scan(strings.NewReader("1\n"+strings.Repeat("x", 1<<17)), "", func(numberfile.Line) error { return nil }); err == nil || !strings.Contains(err.Error(), "line 2 is longer") {
		t.Errorf("a long line: %v", err)
	}
}

// write gives a file a content that was written long ago.
func write(t *testing.T, path, text string, age time.Duration) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	at := time.Now().Add(-age)
	if err := os.Chtimes(path, at, at); err != nil {
		t.Fatal(err)
	}
}

func TestTheFileCountsAsItIsNow(t *testing.T) {
	t.Parallel()
	const ada, bob = event.Phone("+12025550142"), event.Phone("+12025550143")
	path := filepath.Join(t.TempDir(), "dnc.csv")
	write(t, path, "+1 202 555 0142\n", time.Hour)
	f := numberfile.New(path, 2*time.Hour, slog.New(slog.DiscardHandler))
	listed := func(number event.Phone) string {
		_, is, err := f.Listed(number)
		return fmt.Sprint(is, " ", err)
	}
	if listed(ada) != "true <nil>" || listed(bob) != "false <nil>" {
		t.Errorf("ada %s, bob %s", listed(ada), listed(bob))
	}
	write(t, path, "+1 202 555 0143\n", 30*time.Minute)
	if got := listed(bob); got != "true <nil>" && !strings.Contains(got, "is being read again") {
		t.Errorf("after a change: %s", got)
	}
	testkit.Eventually(t, "the new content counts", func() bool { return listed(ada) == "false <nil>" && listed(bob) == "true <nil>" })
	for name, c := range map[string]struct {
		change func()
		want   string
	}{
		"a line without a number": {func() { write(t, path, "+1 202 555 0143\nBob\n", time.Minute) }, "line 2 holds no number"},
		"too old":                 {func() { write(t, path, "+1 202 555 0143\n", 3*time.Hour) }, "DNC_FILE_MAX_AGE"},
		"gone":                    {func() { _ = os.Remove(path) }, "cannot be read, so nobody is called"},
	} {
		c.change()
		testkit.Eventually(t, name, func() bool { return strings.Contains(listed(ada), c.want) && strings.Contains(listed(bob), c.want) })
		if f.Problem() == nil {
			t.Errorf("%s: no problem", name)
		}
	}
	write(t, path, "+1 202 555 0142\n", time.Minute)
	testkit.Eventually(t, "the file is good again", func() bool { return listed(ada) == "true <nil>" && listed(bob) == "false <nil>" })
}

func TestAFileThatCannotBeReadAtTheStartIsAProblem(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "dnc.csv")
	f := numberfile.New(path, 0, slog.New(slog.DiscardHandler))
	if err := f.Problem(); err == nil || !strings.Contains(err.Error(), "DNC_FILE cannot be read") {
		t.Errorf("no file: %v", err)
	}
	write(t, path, "+12025550142\n2025550143\n", time.Hour)
	f = numberfile.New(path, 0, slog.New(slog.DiscardHandler))
	if err := f.Problem(); err == nil || !strings.Contains(err.Error(), "line 2 holds no number") || strings.Contains(err.Error(), "2025550143") {
		t.Errorf("a bad line: %v", err)
	}
	if _, _, err := f.Listed("+12025550199"); err == nil {
		t.Error("a number is allowed by a file that cannot be read")
	}
	write(t, path, "+12025550142\n", time.Minute)
	testkit.Eventually(t, "the file is good", func() bool { return f.Problem() == nil })
}
