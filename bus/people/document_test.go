package people

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
)

var noon = time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC)

// id is the id of the n-th request.
func id(n int) uuid.UUID { return uuid.UUID{15: byte(n), 14: byte(n >> 8)} }

func TestARequestHasOneCall(t *testing.T) {
	t.Parallel()
	d := Document{}.With(Call{Request: id(1), Attempt: 2, At: noon}).With(Call{Request: id(2), Attempt: 1, At: noon.Add(time.Second)})
	d = d.With(Call{Request: id(1), Attempt: 3, At: noon.Add(time.Minute)})
	if own, is := d.Of(id(1)); len(d.Calls) != 2 || !is || own.Attempt != 2 || !own.At.Equal(noon.Add(time.Minute)) {
		t.Errorf("%+v", d.Calls)
	}
	if d.Calls[0].Request != id(2) {
		t.Error("the oldest is not the first")
	}
	if _, is := d.Of(id(3)); is {
		t.Error("a call of a request that made none")
	}
}

func TestWhatMattersIsRemembered(t *testing.T) {
	t.Parallel()
	old := noon.Add(-Remembered)
	for name, c := range map[string]struct {
		call Call
		want bool
	}{
		"30 days ago":                          {Call{At: old}, false},
		"a moment less":                        {Call{At: old.Add(time.Millisecond)}, true},
		"long ago, and open":                   {Call{At: old.Add(-time.Hour), Open: true}, true},
		"the last declined one":                {Call{At: old.Add(-time.Hour), Class: "declined"}, true},
		"an earlier one than the last reached": {Call{At: old.Add(-2 * time.Hour), Class: "reached"}, false},
	} {
		c.call.Request = id(1)
		d := Document{Calls: []Call{c.call, {Request: id(2), At: old.Add(-time.Minute), Class: "reached"}}}.With(Call{Request: id(3), At: noon})
		if _, got := d.Of(id(1)); got != c.want {
			t.Errorf("%s: remembered %t", name, got)
		}
	}
}

func TestTheNewestCallsAreRemembered(t *testing.T) {
	t.Parallel()
	d := Document{}
	for n := range MaxCalls + 10 {
		d = d.With(Call{Request: id(n), Attempt: 1, At: noon.Add(time.Duration(n) * time.Second)})
	}
	if len(d.Calls) != MaxCalls || d.Calls[0].Request != id(10) {
		t.Errorf("%d calls, the first of %s", len(d.Calls), d.Calls[0].Request)
	}
}

func TestADocumentThatCannotBeReadIsAnError(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		``:                        "not a document",
		`{}`:                      "not a document",
		`{"format":1,"calls":3}`:  "not a document",
		`{"format":2}`:            "update this callbridge",
		`{"format":1,"calls":[]}`: "",
		`{"format":1,"calls":[{"request":"00000000-0000-0000-0000-000000000001","attempt":1,"at":"2026-11-29T12:00:00Z"}]}`: "",
	} {
		_, err := parse([]byte(text))
		if want == "" && err != nil || want != "" && (!errors.Is(err, ErrUnreadable) || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s: %v", text, err)
		}
	}
}
