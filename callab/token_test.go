package callab

import (
	"strings"
	"testing"
)

func TestTokenThatCallabCannotTakeIsNamed(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"":                      "is empty",
		" \n":                   "is empty",
		"Bearer":                `begins with "Bearer"`,
		"Bearer hush":           `begins with "Bearer"`,
		"bearer\thush":          `begins with "Bearer"`,
		"Bearer:hush":           `begins with "Bearer"`,
		"hu sh":                 "blank or a line break",
		"hu\nsh":                "blank or a line break",
		"hu\r\nsh":              "blank or a line break",
		`"hush"`:                "in quotes",
		"'hush'":                "in quotes",
		"${CALLAB_TOKEN}":       "placeholder",
		"<your-hush>":           "placeholder",
		"hush\u00a0hush":        "visible ASCII",
		"\ufeffhush":            "visible ASCII",
		"hush\x00":              "visible ASCII",
		"hush":                  "",
		" hush\r\n":             "",
		"eyJhbGciOiJI.e30.x-_=": "",
		"12|hush":               "",
		"bearerhush":            "",
	} {
		err := CheckToken(text)
		switch {
		case want == "" && err != nil:
			t.Errorf("%q: %v", text, err)
		case want != "" && (err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "hush")):
			t.Errorf("%q: %v, want %q and no token", text, err, want)
		}
	}
}

func TestUnusualURLIsSaid(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"https://api.callab.ai":          "/v1",
		"https://api.callab.ai/":         "/v1",
		"https://api.callab.ai/v1/calls": "/v1",
		"http://api.callab.ai/v1":        "plain http",
		"http://10.0.0.7:8090/v1":        "plain http",
		"http://localhost.example/v1":    "plain http",
		"https://api.callab.ai/v1":       "",
		"https://api.callab.ai/v1/":      "",
		"http://127.0.0.1:8090/v1":       "",
		"http://[::1]:8090/v1":           "",
		"http://localhost:8090/v1":       "",
	} {
		remarks := strings.Join(Remarks(text), "\n")
		if want == "" && remarks != "" || want != "" && strings.Count(remarks, "\n") != 0 || !strings.Contains(remarks, want) {
			t.Errorf("%s: %q, want %q", text, remarks, want)
		}
	}
	if got := Remarks("http://api.callab.ai"); len(got) != 2 {
		t.Errorf("both: %q", got)
	}
}
