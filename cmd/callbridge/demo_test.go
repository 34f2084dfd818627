package main

import (
	"strings"
	"testing"

	"callbridge/demo"
	"callbridge/internal/testkit"
)

func TestDemoOnceSucceeds(t *testing.T) {
	t.Parallel()
	code, out, errs := callbridge(t, "", "demo", "--once")
	if code != 0 {
		t.Fatalf("exit code %d: %s\n%s", code, errs, out)
	}
	for _, step := range []string{"received", "mapped", "dialled", "result", "duplicate", "no_consent", "missing_field", "not dialling again", "deferred", "outside_hours", "capped"} {
		if !strings.Contains(out, step) {
			t.Errorf("the demo does not show %q:\n%s", step, out)
		}
	}
	if strings.Contains(out, "route :") {
		t.Errorf("the demo shows a call that is none:\n%s", out)
	}
	if strings.Contains(out, "5550142") {
		t.Error("the demo shows a whole number")
	}
}

func TestReadmeShowsTheDemosWebhook(t *testing.T) {
	t.Parallel()
	if !strings.Contains(testkit.Read(t, "README.md"), demo.InviteBody) || !strings.Contains(testkit.Read(t, "README.md"), demo.Secrets["WEBSITE_SECRET"]) {
		t.Error("the README sends another webhook than the demo tells")
	}
}
