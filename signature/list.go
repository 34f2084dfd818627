package signature

import (
	"fmt"
	"io"
	"log/slog"

	"go.yaml.in/yaml/v4"
)

// List is a list of texts; YAML may give a single text instead.
type List []string

// UnmarshalYAML reads a text or a list of texts.
func (l *List) UnmarshalYAML(node *yaml.Node) error {
	if node.Kind == yaml.SequenceNode {
		return node.Decode((*[]string)(l))
	}
	var one string
	if err := node.Decode(&one); err != nil {
		return err
	}
	*l = List{one}
	return nil
}

// Secrets is a List that does not show itself when printed, logged or
// marshalled.
type Secrets []string

const hidden = "[hidden]"

// UnmarshalYAML reads a text or a list of texts.
func (s *Secrets) UnmarshalYAML(node *yaml.Node) error { return (*List)(s).UnmarshalYAML(node) }

// Format hides the secrets under every verb.
func (Secrets) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, hidden) }

// LogValue hides the secrets in every slog handler.
func (Secrets) LogValue() slog.Value { return slog.StringValue(hidden) }

// MarshalText hides the secrets in JSON and YAML.
func (Secrets) MarshalText() ([]byte, error) { return []byte(hidden), nil }
