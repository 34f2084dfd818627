package mapping

import (
	"regexp"
	"strings"

	"go.yaml.in/yaml/v4"
)

// reference is the one way to write a secret: the name of an environment
// variable, or a file that holds nothing else.
var reference = regexp.MustCompile(`^\$\{(?:([A-Za-z_][A-Za-z0-9_]*)|file:(/[^}]+))\}$`)

const referenceHint = `write "${NAME}" for an environment variable or "${file:/path}"`

// hasReference finds ${…}, but not the dollar sign before a merge tag, as in
// "${{price}}".
func hasReference(text string) bool {
	return strings.Contains(strings.ReplaceAll(text, "${{", ""), "${")
}

// secret resolves one reference. No problem shows the text itself: somebody
// may have written the secret there.
func (l *loader) secret(n node) (string, bool) {
	if n.Kind != yaml.ScalarNode || n.Tag == "!!null" {
		n.problem("a secret must be a text", referenceHint)
		return "", false
	}
	found := reference.FindStringSubmatch(n.Value)
	if found == nil {
		n.problem("a secret must not stand in this file", referenceHint)
		return "", false
	}
	if l.options.WithoutSecrets {
		return "without-secrets", true
	}
	value, ok := l.lookupSecret(n, found[1], found[2])
	if ok && value == "" {
		n.problem(n.Value+" is empty", "")
		return "", false
	}
	return value, ok
}

func (l *loader) lookupSecret(n node, variable, file string) (string, bool) {
	if variable != "" {
		value, ok := l.options.LookupEnv(variable)
		if !ok {
			text := "the environment variable " + variable + " is not set"
			l.unset[text] = true
			n.problem(text, "")
		}
		return value, ok
	}
	data, err := l.options.ReadFile(file)
	if err != nil {
		n.problem("read secret: "+err.Error(), "")
		return "", false
	}
	return strings.TrimRight(string(data), "\r\n"), true
}

// secrets resolves a reference or a list of them.
func (l *loader) secrets(n node) []string {
	var values []string
	for _, item := range n.items() {
		if value, ok := l.secret(item); ok {
			values = append(values, value)
		}
	}
	return values
}
