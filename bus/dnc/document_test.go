package dnc

import (
	"errors"
	"strings"
	"testing"
	"time"
)

var noon = time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC)

func entry(s Scope, until time.Time) Entry {
	return Entry{Scope: s, By: "ada@example", Why: "asked", Since: noon, Until: until}
}

func TestADocumentForbidsWhatItCovers(t *testing.T) {
	t.Parallel()
	call := Scope{Source: "crm", Route: "new-lead"}
	for name, c := range map[string]struct {
		entries []Entry
		call    Scope
		at      time.Time
		want    bool
	}{
		"no entry":                             {nil, call, noon, false},
		"all calls":                            {[]Entry{entry(Scope{}, time.Time{})}, call, noon, true},
		"its source":                           {[]Entry{entry(Scope{Source: "crm"}, time.Time{})}, call, noon, true},
		"another source":                       {[]Entry{entry(Scope{Source: "shop"}, time.Time{})}, call, noon, false},
		"its route":                            {[]Entry{entry(Scope{Route: "new-lead"}, time.Time{})}, call, noon, true},
		"its source and another route":         {[]Entry{entry(Scope{Source: "crm", Route: "renewal"}, time.Time{})}, call, noon, false},
		"a route, and that of the call is not": {[]Entry{entry(Scope{Route: "renewal"}, time.Time{})}, Scope{Source: "crm"}, noon, true},
		"the second entry":                     {[]Entry{entry(Scope{Source: "shop"}, time.Time{}), entry(Scope{}, time.Time{})}, call, noon, true},
		"until later":                          {[]Entry{entry(Scope{}, noon.Add(time.Hour))}, call, noon.Add(time.Hour - 1), true},
		"until now":                            {[]Entry{entry(Scope{}, noon.Add(time.Hour))}, call, noon.Add(time.Hour), false},
	} {
		if _, got := (Document{Entries: c.entries}).Forbids(c.call, c.at); got != c.want {
			t.Errorf("%s: forbidden %t", name, got)
		}
	}
}

func TestAnEntryIsNeverMadeShorter(t *testing.T) {
	t.Parallel()
	day, week := noon.Add(24*time.Hour), noon.Add(7*24*time.Hour)
	for name, c := range map[string]struct {
		before, add, want time.Time
		changed           bool
	}{
		"without an end, again":    {time.Time{}, time.Time{}, time.Time{}, false},
		"without an end, for days": {time.Time{}, day, time.Time{}, false},
		"for a week, for a day":    {week, day, week, false},
		"for a day, for a week":    {day, week, week, true},
		"for a day, without end":   {day, time.Time{}, time.Time{}, true},
		"ended, for a day":         {noon, day, day, true},
	} {
		d := Document{Format: Format, Entries: []Entry{entry(Scope{}, c.before)}}
		next, changed := d.With(entry(Scope{}, c.add))
		if changed != c.changed || len(next.Entries) != 1 || !next.Entries[0].Until.Equal(c.want) {
			t.Errorf("%s: changed %t, %v", name, changed, next.Entries)
		}
	}
	d, _ := Document{}.With(entry(Scope{Source: "crm"}, time.Time{}))
	if next, changed := d.With(entry(Scope{}, time.Time{})); !changed || len(next.Entries) != 2 {
		t.Errorf("another scope: changed %t, %v", changed, next.Entries)
	}
}

func TestWithoutTakesTheEntryThatIsMeant(t *testing.T) {
	t.Parallel()
	d, _ := Document{}.With(entry(Scope{}, time.Time{}))
	d, _ = d.With(entry(Scope{Source: "crm"}, time.Time{}))
	for name, c := range map[string]struct {
		scope Scope
		all   bool
		left  int
	}{
		"of all calls":   {Scope{}, false, 1},
		"of a source":    {Scope{Source: "crm"}, false, 1},
		"of another one": {Scope{Source: "shop"}, false, 2},
		"all":            {Scope{}, true, 0},
	} {
		next, changed := d.Without(c.scope, c.all, Removal{By: "bob", At: noon})
		if len(next.Entries) != c.left || changed != (c.left < 2) || changed && next.Removed.By != "bob" {
			t.Errorf("%s: changed %t, %v", name, changed, next)
		}
	}
}

func TestADocumentThatCannotBeReadIsAnError(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		``:                          "callbridge dnc add",
		`{}`:                        "not a document",
		`{"format":1,"entries":{}}`: "not a document",
		`{"format":2,"entries":[]}`: "update this callbridge",
		`{"format":1,"entries":[]}`: "",
		// A newer scope that this version does not know: it forbids all calls.
		`{"format":1,"entries":[{"agent":"a"}]}`: "",
	} {
		d, err := parse([]byte(text))
		if want == "" && err != nil || want != "" && (!errors.Is(err, ErrUnreadable) || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s: %v", text, err)
		}
		if _, is := d.Forbids(Scope{Source: "crm"}, noon); strings.Contains(text, "agent") && !is {
			t.Errorf("%s forbids nothing", text)
		}
	}
}
