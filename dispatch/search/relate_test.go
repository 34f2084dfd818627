package search

import (
	"encoding/json"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"

	"callbridge/callab"
	"callbridge/event"
)

const (
	ourID   = "6f1f8f0e-5f57-4c0e-9d0a-1f6f4b0a7c11"
	otherID = "00000000-0000-5000-8000-000000000000"
)

// TestRelateNeedsIDNumberAndTime: each of the three alone proves nothing.
func TestRelateNeedsIDNumberAndTime(t *testing.T) {
	t.Parallel()
	claimed := time.Date(2026, 11, 28, 10, 0, 0, 0, time.UTC)
	now := claimed.Add(time.Hour)
	const to = "+12025550142"
	meta := func(id any) map[string]any { return map[string]any{event.RequestKey: id} }
	at := func(d time.Duration) callab.Time { return callab.Time{Time: claimed.Add(d)} }
	local := func(text string) (written callab.Time) {
		_ = written.UnmarshalJSON([]byte(`"` + text + `"`))
		return written
	}
	for name, c := range map[string]struct {
		call callab.Call
		want relation
	}{
		"metadata":                            {callab.Call{CallTo: to, CreatedAt: at(0), Metadata: meta(ourID)}, own},
		"metadata in capitals":                {callab.Call{CallTo: to, CreatedAt: at(0), Metadata: meta(strings.ToUpper(ourID))}, own},
		"variable":                            {callab.Call{CallTo: to, CreatedAt: at(0), AgentDynamicVariables: meta(ourID)}, own},
		"notes":                               {callab.Call{CallTo: to, CreatedAt: at(0), Notes: "callbridge " + ourID}, own},
		"notes end in it":                     {callab.Call{CallTo: to, CreatedAt: at(0), Notes: "Ada\ncallbridge " + ourID + "\n"}, own},
		"number without plus":                 {callab.Call{CallTo: "12025550142", CreatedAt: at(0), Metadata: meta(ourID)}, own},
		"number with separators":              {callab.Call{CallTo: "+1 (202) 555-0142", CreatedAt: at(0), Metadata: meta(ourID)}, own},
		"Callab's clock is behind":            {callab.Call{CallTo: to, CreatedAt: at(-9 * time.Minute), Metadata: meta(ourID)}, own},
		"notes go on after the id":            {callab.Call{CallTo: to, CreatedAt: at(0), Notes: "callbridge " + ourID + " called"}, similar},
		"notes: part of a longer word":        {callab.Call{CallTo: to, CreatedAt: at(0), Notes: "xcallbridge " + ourID}, similar},
		"notes: our name only":                {callab.Call{CallTo: to, CreatedAt: at(0), Notes: "callbridge lead of Ada"}, similar},
		"notes: an id that is none":           {callab.Call{CallTo: to, CreatedAt: at(0), Notes: "callbridge " + strings.Replace(ourID, "6", "g", 1)}, similar},
		"metadata: another form of id":        {callab.Call{CallTo: to, CreatedAt: at(0), Metadata: meta("urn:uuid:" + otherID)}, similar},
		"metadata: not a text":                {callab.Call{CallTo: to, CreatedAt: at(0), Metadata: meta(7)}, similar},
		"no id at all":                        {callab.Call{CallTo: to, CreatedAt: at(0)}, similar},
		"no id, no time":                      {callab.Call{CallTo: to}, similar},
		"no id, no number":                    {callab.Call{CreatedAt: at(0)}, similar},
		"no id, national number":              {callab.Call{CallTo: "(202) 555-0142", CreatedAt: at(0)}, similar},
		"no id, extension":                    {callab.Call{CallTo: to + " ext 7", CreatedAt: at(0)}, similar},
		"our id, no time":                     {callab.Call{CallTo: to, Metadata: meta(ourID)}, similar},
		"our id, before the claim":            {callab.Call{CallTo: to, CreatedAt: at(-time.Hour), Metadata: meta(ourID)}, similar},
		"our id, far in the future":           {callab.Call{CallTo: to, CreatedAt: at(24 * time.Hour), Metadata: meta(ourID)}, similar},
		"our id, another number":              {callab.Call{CallTo: "+12025550143", CreatedAt: at(0), Metadata: meta(ourID)}, similar},
		"our id in notes, another number":     {callab.Call{CallTo: "+12025550143", CreatedAt: at(0), Notes: "callbridge " + ourID}, unrelated},
		"our id in notes, old":                {callab.Call{CallTo: to, CreatedAt: at(-time.Hour), Notes: "callbridge " + ourID}, unrelated},
		"another number":                      {callab.Call{CallTo: "+12025550143", CreatedAt: at(0)}, unrelated},
		"old":                                 {callab.Call{CallTo: to, CreatedAt: at(-time.Hour)}, unrelated},
		"another id":                          {callab.Call{CallTo: to, CreatedAt: at(0), Metadata: meta(otherID)}, unrelated},
		"another id, ours in a variable":      {callab.Call{CallTo: to, CreatedAt: at(0), Metadata: meta(otherID), AgentDynamicVariables: meta(ourID)}, similar},
		"another id, ours in the notes":       {callab.Call{CallTo: to, CreatedAt: at(0), Metadata: meta(otherID), Notes: "callbridge " + ourID}, similar},
		"another variable, ours in notes":     {callab.Call{CallTo: to, CreatedAt: at(0), AgentDynamicVariables: meta(otherID), Notes: "callbridge " + ourID}, similar},
		"our variable, another in notes":      {callab.Call{CallTo: to, CreatedAt: at(0), AgentDynamicVariables: meta(ourID), Notes: "callbridge " + otherID}, own},
		"older notes after ours":              {callab.Call{CallTo: to, CreatedAt: at(0), Notes: "callbridge " + strings.ToUpper(ourID) + "\ncallbridge " + otherID}, similar},
		"another id, ours elsewhere":          {callab.Call{CallTo: to, CreatedAt: at(0), Metadata: meta(otherID), Raw: json.RawMessage(`{"custom":{"id":"` + ourID + `"}}`)}, similar},
		"another id, ours, other number":      {callab.Call{CallTo: "+12025550143", CreatedAt: at(0), Metadata: meta(otherID), Notes: "callbridge " + ourID}, unrelated},
		"another id, ours, old":               {callab.Call{CallTo: to, CreatedAt: at(-time.Hour), Metadata: meta(otherID), Notes: "callbridge " + ourID}, unrelated},
		"no id, local time":                   {callab.Call{CallTo: to, CreatedAt: local("2026-11-28T00:30:00")}, similar},
		"our id in notes, local time":         {callab.Call{CallTo: to, CreatedAt: local("2026-11-28 00:30:00"), Notes: "callbridge " + ourID}, similar},
		"no id, local time of the day before": {callab.Call{CallTo: to, CreatedAt: local("2026-11-27T20:30:00")}, unrelated},
	} {
		if got := relate(c.call, Target{ID: uuid.MustParse(ourID), CallTo: to, Claimed: claimed}, now); got != c.want {
			t.Errorf("%s: relation %d, want %d", name, got, c.want)
		}
	}
}

// TestSignRemovesOtherIDs: text of a form that predicts the id of another
// request proves nothing in Callab's list.
func TestSignRemovesOtherIDs(t *testing.T) {
	t.Parallel()
	const line = "callbridge " + ourID
	for notes, want := range map[string]string{
		"":                                  line,
		line:                                line,
		"Lead of Ada":                       "Lead of Ada\n" + line,
		"Lead of Ada\n" + line:              "Lead of Ada\n" + line,
		"callbridge " + otherID:             line,
		"CallBridge\u00a0\u200b " + otherID: line,
		"a callbridge " + otherID + " b":    "a  b\n" + line,
		"callbcallbridge " + otherID + "ridge " + otherID: line,
		"  \n": line,
	} {
		call, _ := json.Marshal(callab.NewCall{
			CallTo: "+12025550142", Notes: notes,
			Metadata:              map[string]any{event.RequestKey: otherID, "form": []any{map[string]any{"text": "x callbridge " + otherID}}},
			AgentDynamicVariables: map[string]string{event.RequestKey: otherID, "text": "callbridge " + otherID},
		})
		body, _, err := Sign(call, uuid.MustParse(ourID))
		if err != nil {
			t.Fatal(err)
		}
		var signed callab.NewCall
		if err := json.Unmarshal(body, &signed); err != nil {
			t.Fatal(err)
		}
		if signed.Notes != want {
			t.Errorf("notes %q became %q, want %q", notes, signed.Notes, want)
		}
		if strings.Contains(string(body), otherID) {
			t.Errorf("another id is left in %s", body)
		}
		if signed.AgentDynamicVariables[event.RequestKey] != ourID || signed.Metadata[event.RequestKey] != ourID {
			t.Errorf("the keys of the id hold a foreign value: %s", body)
		}
	}
}

func TestSignCutsNotesAndNotTheID(t *testing.T) {
	t.Parallel()
	got := signedNotes(strings.Repeat("é", 3*maxNoteRunes), ourID)
	if utf8.RuneCountInString(got) != maxNoteRunes || !strings.HasSuffix(got, "é\ncallbridge "+ourID) {
		t.Errorf("notes of %d characters end in %q", utf8.RuneCountInString(got), got[len(got)-60:])
	}
}

// TestNumbersThatMayBeTheSame: Callab does not document how it writes numbers. Only
// one that is certainly another proves that a call is not the request's.
func TestNumbersThatMayBeTheSame(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		listed, wanted string
		want           comparison
	}{
		{"+442079460958", "+442079460958", sameNumber},
		{"0044 20 7946 0958", "+442079460958", sameNumber},
		{"011 44 20 7946 0958", "+442079460958", perhapsSameNumber},
		{"+44 (0)20 7946 0958", "+442079460958", perhapsSameNumber},
		{"+44 (0)20 7946 0958 ext. 7", "+442079460958", perhapsSameNumber},
		{"020 7946 0958", "+442079460958", perhapsSameNumber},
		{"+5215512345678", "+525512345678", perhapsSameNumber},
		{"sip:+442079460958@198.51.100.7", "+442079460958", perhapsSameNumber},
		{"+44•••••••58", "+442079460958", perhapsSameNumber},
		{"+44******0958", "+442079460958", perhapsSameNumber},
		{"xxxx0958", "+442079460958", perhapsSameNumber},
		{"+44207946XXXX", "+442079460958", perhapsSameNumber},
		{"0958", "+442079460958", perhapsSameNumber},
		{"+44 ٢٠ ٧٩٤٦ ٠٩٥٨", "+442079460958", perhapsSameNumber},
		{"4 5012", "+68345012", perhapsSameNumber},
		{"", "+442079460958", perhapsSameNumber},
		{"unknown", "+442079460958", perhapsSameNumber},
		{"+442079460959", "+442079460958", otherNumber},
		{"020 7946 0959", "+442079460958", otherNumber},
		{"+44******0959", "+442079460958", otherNumber},
		{"0959", "+442079460958", otherNumber},
		{"+12079460958", "+442079460958", otherNumber},
		{"+442079460959 x7", "+442079460958", otherNumber},
	} {
		if got := compareNumbers(c.listed, c.wanted); got != c.want {
			t.Errorf("%q and %s: %d, want %d", c.listed, c.wanted, got, c.want)
		}
	}
}
