package search

import (
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/uuid"

	"callbridge/callab"
	"callbridge/event"
	"callbridge/untrusted"
)

// maxNoteRunes bounds the notes of a call, id included, as the mapping does for
// notes of its own. Callab documents no limit; the id comes last and must not be
// what a limit cuts off.
const maxNoteRunes = 2000

// Sign writes the request id into the metadata and notes of a create-call body, where a
// search of Callab's list finds it, and removes what could be taken for the id of
// another request: the call may hold text of a form, and ids can be predicted.
// Unknown fields of the call are dropped. It returns the body and its number.
func Sign(body []byte, request uuid.UUID) ([]byte, event.Phone, error) {
	id := request.String()
	var call fields
	if err := json.Unmarshal(body, &call, readCall); err != nil {
		return nil, "", fmt.Errorf("call is not a create-call body: %w", err)
	}
	if !event.IsE164(call.CallTo) {
		return nil, "", errors.New("call.call_to is not an E.164 number")
	}
	if call.Metadata == nil {
		call.Metadata = map[string]any{}
	}
	untrusted.EachText(call.Metadata, withoutIDs)
	call.Metadata[event.RequestKey] = id
	for name, value := range call.AgentDynamicVariables {
		call.AgentDynamicVariables[name] = withoutIDs(value)
	}
	if _, foreign := call.AgentDynamicVariables[event.RequestKey]; foreign {
		call.AgentDynamicVariables[event.RequestKey] = id
	}
	call.Notes = signedNotes(call.Notes, id)
	signed, err := json.Marshal(call, writeCall)
	if err != nil {
		return nil, event.Phone(call.CallTo), fmt.Errorf("encode call: %w", err)
	}
	return signed, event.Phone(call.CallTo), nil
}

// fields are those of a create call, without the methods for encoding/json: every request
// is signed, and jsontext takes a third of the time.
type fields callab.NewCall

var (
	// readCall keeps all digits of a number, and reads halves of surrogate pairs that
	// a form may have sent.
	readCall = json.JoinOptions(jsontext.AllowInvalidUTF8(true), json.WithUnmarshalers(json.UnmarshalFromFunc(readNumber)))
	// writeCall writes one request the same way each time.
	writeCall = json.JoinOptions(json.Deterministic(true), jsontext.AllowInvalidUTF8(true))
)

func readNumber(from *jsontext.Decoder, into *any) error {
	if from.PeekKind() != '0' {
		return errors.ErrUnsupported
	}
	number, err := from.ReadValue()
	*into = number.Clone()
	return err
}

// idText is text that could be taken for the signature of a call.
var idText = regexp.MustCompile(`(?i)callbridge[\s\p{Z}\p{C}]*([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})`)

// withoutIDs removes "callbridge <id>" from foreign text, repeatedly: what is
// removed may have stood between the halves of another one.
func withoutIDs(text string) string {
	for {
		next := text
		if len(text) > idLength {
			next = idText.ReplaceAllLiteralString(text, "")
		}
		if next == text {
			return text
		}
		text = next
	}
}

// signedNotes returns the notes of a call with its id on the last line. Notes
// that are too long are cut, never the id.
func signedNotes(notes, id string) string {
	line := notePrefix + id
	if notes == "" || notes == line {
		return line
	}
	notes = strings.TrimSpace(withoutIDs(notes))
	if runes := []rune(notes); len(runes) > maxNoteRunes-len(line)-1 {
		notes = string(runes[:maxNoteRunes-len(line)-1])
	}
	return strings.TrimSpace(notes + "\n" + line)
}
