package call

import (
	"strings"
	"testing"
	"unicode/utf8"
)

func TestLongTextIsCutBetweenWordsAndCharacters(t *testing.T) {
	t.Parallel()
	const nurse, flag, scotland = "👩‍🔧", "🇩🇪", "\U0001f3f4\U000e0067\U000e0062\U000e0073\U000e0063\U000e0074\U000e007f"
	for _, c := range []struct {
		text string
		most int
		want string
	}{
		{"four", 4, "four"},
		{"a roof with tiles", 17, "a roof with tiles"},
		{"a roof with tiles", 16, "a roof with"},
		{"a roof with tiles", 12, "a roof with"},
		{"a roof with tiles", 11, "a roof with"},
		{"a roof with tiles", 10, "a roof"},
		{"éé éé éé", 5, "éé éé"},
		{"a Donaudampfschiffahrtsgesellschaft", 20, "a Donaudampfschiffah"}, // nothing but "a" would be left
		{strings.Repeat("漢", 9), 4, "漢漢漢漢"},
		{"cafe\u0301s", 4, "caf"},
		{"ab" + nurse, 3, "ab"},
		{"ab" + nurse, 4, "ab"},
		{"ab" + nurse + "c", 5, "ab" + nurse},
		{"ab" + flag + flag, 5, "ab" + flag},
		{"ab" + flag + flag, 3, "ab"},
		{"ab👍🏽", 3, "ab"},
		{"ab" + scotland, 6, "ab"},
		{"ab\u1100\u1161\u11a8", 4, "ab"},
		{"abநி", 3, "ab"},
		{"❤️x", 1, "❤"}, // the only character: better its base than nothing
		{"e" + strings.Repeat("\u0301", 9), 4, "e\u0301\u0301\u0301"},
	} {
		got := truncated(c.text, c.most)
		if got != c.want || !utf8.ValidString(got) {
			t.Errorf("%q at %d: got %q, want %q", c.text, c.most, got, c.want)
		}
	}
}
