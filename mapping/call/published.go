package call

import (
	"encoding/json"
	"errors"
	"fmt"
	"unicode/utf8"

	jsonv2 "github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"callbridge/event"
	"callbridge/mapping/config"
	"callbridge/mapping/field"
	"callbridge/mapping/payload"
)

const (
	// maxMetadataBytes bounds the metadata of one call. No provider publishes a limit.
	maxMetadataBytes = 16 << 10
	// maxMark is more than our mark adds to notes and metadata.
	maxMark = 100
)

// published is what is judged of a call that another service requested.
type published struct {
	CallTo    string            `json:"call_to"`
	Variables map[string]string `json:"agent_dynamic_variables"`
	Notes     string            `json:"notes"`
	Metadata  jsontext.Value    `json:"metadata"`
}

// ToDial returns the number that the body of a create call dials. The error says that
// the body is none, or which of the limits it exceeds that hold for calls of routes
// too. Names are compared as encoding/json does it, without regard to their case.
func ToDial(body json.RawMessage) (string, error) {
	var p published
	if err := jsonv2.Unmarshal(body, &p, jsonv2.MatchCaseInsensitiveNames(true), jsontext.AllowInvalidUTF8(true)); err != nil {
		return "", errors.New("call is not a create-call body")
	}
	if len(p.Variables) > maxVariables {
		return "", fmt.Errorf("%d variables; at most %d are allowed", len(p.Variables), maxVariables)
	}
	for name, value := range p.Variables {
		switch {
		case !config.VariableName.MatchString(name):
			return "", errors.New("the name of a variable is not letters, digits and _")
		case longer(value, maxVariable):
			return "", fmt.Errorf("the variable %s has more than %d characters", name, maxVariable)
		}
	}
	switch {
	case longer(p.Notes, maxNotes+maxMark):
		return "", fmt.Errorf("notes have more than %d characters", maxNotes)
	case len(p.Metadata) > maxMetadataBytes+maxMark:
		return "", fmt.Errorf("metadata has more than %d bytes", maxMetadataBytes)
	}
	return p.CallTo, nil
}

// Refuse returns why the call, which is encoded as body, is too large to be sent, or nil.
func (b *Body) Refuse(body json.RawMessage) *field.Refusal {
	if len(body) <= maxMetadataBytes {
		return nil // and so are its metadata
	}
	metadata, err := payload.Encode(b.Metadata)
	if err != nil || len(metadata) > maxMetadataBytes+maxMark {
		return &field.Refusal{
			Reason: event.ReasonBadCall, Field: "metadata",
			Detail: fmt.Sprintf("metadata has more than %d bytes", maxMetadataBytes),
		}
	}
	return nil
}

// longer reports whether a text has more characters than that.
func longer(text string, most int) bool {
	return len(text) > most && utf8.RuneCountInString(text) > most
}
