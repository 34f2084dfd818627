package loss

import (
	"testing"
	"time"
)

var (
	made  = time.Date(2026, 11, 1, 8, 0, 0, 0, time.UTC)
	again = made.Add(time.Hour)
)

func TestCompareKnowsALossFromARestoreAndFromNothing(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		remembered Mark
		now        seen
		want       Kind
	}{
		"a first start":                       {Mark{}, seen{Mark{made, 9}, made}, intact},
		"nothing has changed":                 {Mark{made, 9}, seen{Mark{made, 9}, made}, intact},
		"more messages":                       {Mark{made, 9}, seen{Mark{made, 12}, made}, intact},
		"all messages are too old":            {Mark{made, 9}, seen{Mark{made, 9}, time.Time{}}, intact},
		"made again, empty":                   {Mark{made, 9}, seen{Mark{again, 0}, time.Time{}}, Lost},
		"made again, with newer messages":     {Mark{made, 9}, seen{Mark{again, 20}, again.Add(time.Second)}, Lost},
		"made again, and was empty before":    {Mark{made, 0}, seen{Mark{again, 0}, time.Time{}}, intact},
		"moved with all messages":             {Mark{made, 9}, seen{Mark{again, 9}, made}, intact},
		"moved without the newest messages":   {Mark{made, 9}, seen{Mark{again, 7}, made}, Restored},
		"the sequence went back":              {Mark{made, 9}, seen{Mark{made, 7}, made}, Restored},
		"an older stream under the same name": {Mark{again, 9}, seen{Mark{made, 12}, made}, Restored},
	} {
		if got := compare(c.remembered, c.now); got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}

func TestTreatDecidesByTheEarliestTimeOfARequest(t *testing.T) {
	t.Parallel()
	at := func(minute int) time.Time { return made.Add(time.Duration(minute) * time.Minute) }
	for name, c := range map[string]struct {
		record          Record
		since, recorded time.Time
		want            Treatment
	}{
		"nothing was lost":                         {Record{}, at(1), time.Time{}, Dial},
		"lost, older":                              {Record{Lost: at(5)}, at(4), time.Time{}, Hold},
		"lost, older, with a record since":         {Record{Lost: at(5)}, at(4), at(6), Hold},
		"lost, newer":                              {Record{Lost: at(5)}, at(5), time.Time{}, Dial},
		"restored, older":                          {Record{Restored: at(5), Ledger: at(5)}, at(4), time.Time{}, SearchFirst},
		"restored, older, with a record of before": {Record{Restored: at(5), Ledger: at(5)}, at(3), at(4), SearchFirst},
		"restored, older, with a record since":     {Record{Restored: at(5), Ledger: at(5)}, at(4), at(6), Dial},
		"restored, newer":                          {Record{Restored: at(5), Ledger: at(5)}, at(6), time.Time{}, Dial},
		"lost, then the ledger restored":           {Record{Lost: at(5), Restored: at(7), Ledger: at(7)}, at(4), time.Time{}, SearchFirst},
		"lost, then only requests restored":        {Record{Lost: at(5), Restored: at(7)}, at(4), time.Time{}, Hold},
		"lost, then requests restored, between":    {Record{Lost: at(5), Restored: at(7)}, at(6), time.Time{}, SearchFirst},
		"restored, then lost":                      {Record{Lost: at(7), Restored: at(5), Ledger: at(5)}, at(6), time.Time{}, Hold},
	} {
		if got := c.record.Treat(c.since, c.recorded); got != c.want {
			t.Errorf("%s: %d, want %d", name, got, c.want)
		}
	}
}

func TestMergeKeepsTheLaterOfEverything(t *testing.T) {
	t.Parallel()
	a := Record{Marks: map[string]Mark{"x": {made, 9}, "y": {made, 5}}, Lost: made, Problems: []Problem{{made, "x", Lost}}}
	b := Record{
		Marks: map[string]Mark{"x": {made, 7}, "y": {again, 1}}, Lost: again,
		Problems:     []Problem{{made, "x", Lost}, {again, "y", Lost}},
		Acknowledged: Acknowledgement{Until: made, By: "op"},
	}
	for _, m := range []Record{merge(a, b), merge(b, a)} {
		if m.Marks["x"].Last != 9 || m.Marks["y"].Last != 1 || !m.Lost.Equal(again) || m.Acknowledged.By != "op" {
			t.Errorf("merged %+v", m)
		}
		if len(m.Problems) != 1 || m.Problems[0].Stream != "y" {
			t.Errorf("open problems: %+v, want that of y, which is newer than the acknowledgement", m.Problems)
		}
	}
}
