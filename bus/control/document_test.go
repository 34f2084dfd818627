package control

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"
)

var noon = time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC)

func stop(s Scope, until time.Time) Stop {
	return Stop{Scope: s, By: "ada@example", Why: "test", Since: noon, Until: until}
}

func TestADocumentStopsWhatItCovers(t *testing.T) {
	t.Parallel()
	call := Scope{Source: "crm", Route: "new-lead", Country: "DE"}
	for name, c := range map[string]struct {
		stops []Stop
		call  Scope
		at    time.Time
		want  bool
	}{
		"nothing is stopped":                  {nil, call, noon, false},
		"everything":                          {[]Stop{stop(Scope{}, time.Time{})}, call, noon, true},
		"its source":                          {[]Stop{stop(Scope{Source: "crm"}, time.Time{})}, call, noon, true},
		"another source":                      {[]Stop{stop(Scope{Source: "shop"}, time.Time{})}, call, noon, false},
		"its route":                           {[]Stop{stop(Scope{Route: "new-lead"}, time.Time{})}, call, noon, true},
		"its country":                         {[]Stop{stop(Scope{Country: "DE"}, time.Time{})}, call, noon, true},
		"its source in another country":       {[]Stop{stop(Scope{Source: "crm", Country: "US"}, time.Time{})}, call, noon, false},
		"its source in its country":           {[]Stop{stop(Scope{Source: "crm", Country: "DE"}, time.Time{})}, call, noon, true},
		"a country, and its own is not known": {[]Stop{stop(Scope{Country: "US"}, time.Time{})}, Scope{Source: "crm", Route: "new-lead"}, noon, true},
		"the second stop":                     {[]Stop{stop(Scope{Source: "shop"}, time.Time{}), stop(Scope{Route: "new-lead"}, time.Time{})}, call, noon, true},
		"until later":                         {[]Stop{stop(Scope{}, noon.Add(time.Hour))}, call, noon.Add(time.Hour - 1), true},
		"until now":                           {[]Stop{stop(Scope{}, noon.Add(time.Hour))}, call, noon.Add(time.Hour), false},
	} {
		if _, got := (Document{Stops: c.stops}).Stopped(c.call, c.at); got != c.want {
			t.Errorf("%s: stopped %v", name, got)
		}
	}
}

func TestResumeEndsTheStopThatIsMeant(t *testing.T) {
	t.Parallel()
	crm, shop := Scope{Source: "crm"}, Scope{Source: "shop"}
	for name, c := range map[string]struct {
		stops []Scope
		scope Scope
		all   bool
		left  []Scope
		want  error
	}{
		"the only one":                    {[]Scope{crm}, Scope{}, false, nil, nil},
		"one of two by its scope":         {[]Scope{crm, shop}, crm, false, []Scope{shop}, nil},
		"everything, beside another stop": {[]Scope{{}, shop}, Scope{}, false, []Scope{shop}, nil},
		"all":                             {[]Scope{crm, shop}, Scope{}, true, nil, nil},
		"one of two without a scope":      {[]Scope{crm, shop}, Scope{}, false, []Scope{crm, shop}, ErrUnclear},
		"a scope that is not stopped":     {[]Scope{crm}, shop, false, []Scope{crm}, ErrUnclear},
		"nothing":                         {nil, Scope{}, true, nil, ErrNothing},
	} {
		var d Document
		for _, s := range c.stops {
			d = d.With(stop(s, time.Time{}))
		}
		next, ended, err := d.Without(c.scope, c.all, Resume{By: "bob", At: noon.Add(time.Minute)})
		var left []Scope
		for _, s := range next.Stops {
			left = append(left, s.Scope)
		}
		if !errors.Is(err, c.want) || !slices.Equal(left, c.left) || err == nil && len(ended) != len(c.stops)-len(c.left) {
			t.Errorf("%s: left %v, ended %v, %v", name, left, ended, err)
		}
	}
}

func TestTheRateGrowsAfterAResume(t *testing.T) {
	t.Parallel()
	resumed := Document{Resumed: Resume{At: noon}}
	over := Document{Stops: []Stop{stop(Scope{}, noon)}}
	replaced := over.With(Stop{Scope: Scope{Source: "crm"}, Since: noon.Add(time.Second)})
	for name, c := range map[string]struct {
		d     Document
		after time.Duration
		want  float64
	}{
		"never stopped":                   {Document{}, 0, 1},
		"at once":                         {resumed, 0, 0.25},
		"by a clock that is behind":       {resumed, -time.Minute, 0.25},
		"in the middle":                   {resumed, 150 * time.Second, 0.625},
		"at the end":                      {resumed, 5 * time.Minute, 1},
		"a stop that ended by itself":     {over, 0, 0.25},
		"before it ends":                  {over, -time.Second, 1},
		"it ended, and was removed since": {replaced, time.Second, 0.2525},
	} {
		if got := c.d.Share(noon.Add(c.after)); got < c.want-1e-9 || got > c.want+1e-9 {
			t.Errorf("%s: %v of the rate, want %v", name, got, c.want)
		}
	}
}

func TestADocumentThatCannotBeReadIsAnError(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		``:                        "callbridge stop --why TEXT",
		`{}`:                      "not a document",
		`{"format":1,"stops":{}}`: "not a document",
		`{"format":2,"stops":[]}`: "update this callbridge",
		`{"format":1,"stops":[]}`: "",
		// A newer scope that this version does not know: it stops everything.
		`{"format":1,"stops":[{"agent":"a","by":"b","why":"c"}]}`: "",
	} {
		d, err := parse([]byte(text))
		if want == "" && err != nil || want != "" && (!errors.Is(err, ErrUnreadable) || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s: %v", text, err)
		}
		if _, stopped := d.Stopped(Scope{Source: "crm"}, noon); strings.Contains(text, "agent") && !stopped {
			t.Errorf("%s stops nothing", text)
		}
	}
}
