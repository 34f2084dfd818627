package connect

import "testing"

func TestPasswordThatWasAcceptedIsOfferedFirst(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		all      []string
		accepted string
		try      int
		want     string
	}{
		"one":                     {[]string{"a"}, "", 0, "a"},
		"one, again":              {[]string{"a"}, "a", 7, "a"},
		"two, the first line":     {[]string{"new", "old"}, "", 0, "new"},
		"two, the other":          {[]string{"new", "old"}, "", 1, "old"},
		"two, accepted":           {[]string{"new", "old"}, "old", 0, "old"},
		"two, accepted, refused":  {[]string{"new", "old"}, "old", 1, "new"},
		"two, accepted is gone":   {[]string{"new", "old"}, "older", 0, "new"},
		"two, then at random (0)": {[]string{"new", "old"}, "old", 2, "old"},
	} {
		if got := choose(c.all, c.accepted, c.try, func(int) int { return 0 }); got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
	if got := choose([]string{"new", "old"}, "old", 2, func(int) int { return 1 }); got != "new" {
		t.Errorf("at random: %q, want the other", got)
	}
}
