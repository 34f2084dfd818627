package testkit_test

import (
	"log/slog"
	"strings"
	"testing"
	"time"

	"callbridge/internal/testkit"
)

func TestWithinReportsWhetherAConditionHolds(t *testing.T) {
	t.Parallel()
	checks := 0
	if !testkit.Within(time.Minute, func() bool { checks++; return checks == 3 }) {
		t.Error("a condition that holds at the third check was not seen")
	}
	if testkit.Within(time.Millisecond, func() bool { return false }) {
		t.Error("a condition that never holds was seen")
	}
}

func TestLogDecodesItsLines(t *testing.T) {
	t.Parallel()
	var log testkit.Log
	go log.Logger().Info("webhook.received", slog.Int("status", 202))
	if lines := log.Lines(t, 1); lines[0]["msg"] != "webhook.received" || lines[0]["status"] != 202.0 {
		t.Errorf("the lines are %v", lines)
	}
}

func TestReadFindsFilesOfTheRepository(t *testing.T) {
	t.Parallel()
	if text := testkit.Read(t, "go.mod"); !strings.HasPrefix(text, "module callbridge\n") {
		t.Errorf("go.mod begins with %.30q", text)
	}
}
