package search

import (
	"bytes"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/google/uuid"

	"callbridge/callab"
	"callbridge/event"
)

// notePrefix precedes the request id in a call's notes.
const notePrefix = "callbridge "

// signature is where a call in Callab's list holds the id of a request.
type signature int

const (
	unsigned signature = iota
	// inNotes: text of a form can reach the notes.
	inNotes
	// inData: the metadata or the variable, whose keys only dispatch writes.
	inData
)

// signedID returns the request id that a call carries. Metadata counts before the
// variable, and the variable before the notes, which may hold foreign text.
func signedID(c callab.Call) (uuid.UUID, signature) {
	for _, values := range []map[string]any{c.Metadata, c.AgentDynamicVariables} {
		text, _ := values[event.RequestKey].(string)
		if id, ok := parseID(text); ok {
			return id, inData
		}
	}
	if id, ok := noteID(c.Notes); ok {
		return id, inNotes
	}
	return uuid.UUID{}, unsigned
}

const idLength = len("6f1f8f0e-5f57-4c0e-9d0a-1f6f4b0a7c11")

// parseID accepts the one form that dispatch writes.
func parseID(text string) (uuid.UUID, bool) {
	if len(text) != idLength {
		return uuid.UUID{}, false
	}
	id, err := uuid.Parse(text)
	return id, err == nil
}

// noteID returns the id of notes that are "callbridge <id>", or end in it as
// words of their own.
func noteID(notes string) (uuid.UUID, bool) {
	notes = strings.TrimSpace(notes)
	if len(notes) < idLength {
		return uuid.UUID{}, false
	}
	text, signed := strings.CutSuffix(notes[:len(notes)-idLength], notePrefix)
	before, _ := utf8.DecodeLastRuneInString(text)
	if !signed || text != "" && !unicode.IsSpace(before) {
		return uuid.UUID{}, false
	}
	return parseID(notes[len(notes)-idLength:])
}

// IsOther reports whether a call is certainly not the one of a request: it carries
// another id, or its number is another one.
func IsOther(c callab.Call, id uuid.UUID, to event.Phone) bool {
	signed, where := signedID(c)
	return where != unsigned && signed != id || compareNumbers(c.CallTo, string(to)) == otherNumber
}

// relation is what a call in Callab's list has to do with a request.
type relation int

const (
	unrelated relation = iota
	// similar: the call may be the request's, and nothing proves it.
	similar
	// own: the call is the request's.
	own
)

// relate compares a call of the list with a request that was claimed at a time.
// A call is the request's own if it carries its id, was placed to its number and
// at a time that fits. A call that may be the request's, although one of the
// three is missing or odd, is similar: it prevents another call. So does one that
// carries another id and contains the request's: Callab may mix what it keeps of a
// person with what one call carries. Where the number is not known any more, the id in
// the data of the call is enough. It is a pure function.
func relate(c callab.Call, t Target, now time.Time) relation {
	id, where := signedID(c)
	number, fits := compareNumbers(c.CallTo, string(t.CallTo)), fitsTime(c.CreatedAt.Time, t.Claimed, now)
	if t.CallTo == "" && where == inData {
		number = sameNumber
	}
	isOurs := where != unsigned && id == t.ID
	switch {
	case isOurs && number == sameNumber && fits:
		return own
	case isOurs && where == inData:
		return similar
	case where != unsigned && !isOurs && !contains(c, t.ID.String()):
		return unrelated
	case number == otherNumber, before(c.CreatedAt, t.Claimed.Add(-listSkew)):
		return unrelated
	}
	return similar
}

// contains reports whether a call has the id anywhere, in either case.
func contains(c callab.Call, id string) bool {
	if len(c.Raw) > 0 && bytes.Contains(bytes.ToLower(c.Raw), []byte(id)) {
		return true
	}
	for _, values := range []map[string]any{c.Metadata, c.AgentDynamicVariables} {
		if text, _ := values[event.RequestKey].(string); strings.EqualFold(text, id) {
			return true
		}
	}
	return strings.Contains(strings.ToLower(c.Notes), id)
}

// westmost is the largest difference between UTC and the local time of a zone west of it.
const westmost = 12 * time.Hour

// before reports whether a call was certainly created before a time. A time without
// a zone may be that of any zone.
func before(created callab.Time, at time.Time) bool {
	if created.NoZone {
		at = at.Add(-westmost)
	}
	return !created.IsZero() && created.Before(at)
}

func fitsTime(created, claimed, now time.Time) bool {
	return !created.IsZero() && !created.Before(claimed.Add(-listSkew)) && !created.After(now.Add(listSkew))
}
