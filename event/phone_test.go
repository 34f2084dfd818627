package event_test

import (
	"regexp"
	"strings"
	"testing"

	"callbridge/event"
)

func TestE164(t *testing.T) {
	t.Parallel()
	form := regexp.MustCompile(`^\+[1-9][0-9]{6,14}$`)
	for _, text := range []string{
		"", "+", "+0", "+1", "+123456", "+1234567", "+12025550142", "+02025550142", "12025550142", "++2025550142", "+1202555014a",
		"+1202555/142", "+1202555:142", "+1202555 142", "+12025550142\n", "+1٢025550142", " +12025550142", "+" + strings.Repeat("1", 15), "+" + strings.Repeat("1", 16),
	} {
		if got := event.IsE164(text); got != form.MatchString(text) {
			t.Errorf("%q: %t", text, got)
		}
	}
}
