package policy

import (
	"testing"
	"time"

	"callbridge/policy/hours"
)

// TestClosedSaysWhy: the margin, a part of the country that is not known, or why it is not
// known where the person is.
func TestClosedSaysWhy(t *testing.T) {
	t.Parallel()
	berlin := zone(t, "Europe/Berlin")
	own := &hours.Rule{Name: "own hours", HolidaysDiffer: true}
	for day := range own.Days {
		own.Days[day] = []hours.Span{{From: 9 * 60, To: 12*60 + 30}}
	}
	for name, c := range map[string]struct {
		at, want string
		place    Place
		nowhere  string
	}{
		"margin":          {"2026-11-30T11:25:00Z", "closing within 10m0s in Europe/Berlin at Mon 12:25 (+01:00), by own hours", Place{berlin, "DE-BE"}, ""},
		"closed":          {"2026-11-30T11:31:00Z", "closed in Europe/Berlin at Mon 12:31 (+01:00), by own hours", Place{berlin, "DE-BE"}, ""},
		"holiday":         {"2027-01-06T09:00:00Z", "Heilige Drei Könige in Europe/Berlin at Wed 10:00 (+01:00), by own hours", Place{berlin, "DE-BY"}, ""},
		"part is unknown": {"2027-01-06T09:00:00Z", "Heilige Drei Könige in DE-BW in Europe/Berlin at Wed 10:00 (+01:00), by own hours", Place{berlin, "DE"}, ""},
		"nowhere":         {"2027-01-06T09:00:00Z", `it is not known where the person is: "X" is no state of DE that is known`, Place{}, `"X" is no state of DE that is known`},
	} {
		p := Policy{Purpose: Service, Hours: []*hours.Rule{own}, CloseMargin: 10 * time.Minute}
		f := Facts{Consent: Yes, DoNotCall: No, Nowhere: c.nowhere}
		if c.place.Zone != nil {
			f.Places = []Place{c.place}
		}
		if v := Decide(p, f, at(t, c.at)); v.Detail != c.want {
			t.Errorf("%s: %q, want %q", name, v.Detail, c.want)
		}
	}
}
