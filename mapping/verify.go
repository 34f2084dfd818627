package mapping

import (
	"errors"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v4"

	"callbridge/signature"
)

// isSecretKey knows the keys of a source, a verifier and a handshake that hold
// secrets.
func isSecretKey(key string) bool {
	return key == "secret" || key == "keys" || key == "values" || key == "passwords" || key == "token"
}

// public reports whether the keys of a verifier are public: those may stand in
// the file.
func (n node) public() bool {
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == "kind" {
			return n.Content[i+1].Value == "publickey"
		}
	}
	return false
}

// verifier compiles what a source says about who may send to it. A source
// that says nothing does not start.
func (l *loader) verifier(source object) *signature.Verifier {
	at, ok := source.get("verify")
	if !ok {
		source.at.problem("nothing says who may send here", `add verify: and a secret, for example {kind: token, header: X-Api-Key, values: ["${KEY}"]}`)
		return nil
	}
	before := len(l.problems)
	var configs []signature.Config
	for _, item := range at.items() {
		configs = append(configs, l.verifierConfig(item))
	}
	secret, hasSecret := source.get("secret")
	if hasSecret {
		values := l.secrets(secret)
		for i, c := range configs {
			configs[i] = c.WithSecrets(values...)
		}
	}
	if len(l.problems) > before {
		return nil
	}
	verifier, err := signature.New(configs, l.publicURL)
	switch {
	case err == nil && !l.options.WithoutSecrets:
		return verifier
	case err != nil && at.doc != source.at.doc && !hasSecret:
		source.at.problem("the preset needs its secret", `add secret: "${NAME}"`)
	case err != nil:
		l.verifierProblems(at, source.at, err)
	}
	return nil
}

// verifierConfig reads one verifier. Its secrets are resolved in a copy of the
// node, so that the original can still be shown.
func (l *loader) verifierConfig(at node) signature.Config {
	var config signature.Config
	before := len(l.problems)
	checkKeys(at, reflect.TypeFor[signature.Config]())
	resolved := l.resolve(at, false)
	if len(l.problems) > before {
		return config
	}
	if err := resolved.Load(&config); err != nil {
		line, column, text := at.Line, at.Column, err.Error()
		var load *yaml.LoadError
		if errors.As(err, &load) && load.Mark.Line > 0 {
			line, column, text = load.Mark.Line, load.Mark.Column, load.Message
		}
		at.problemAt(line, column, text, "")
	}
	return config
}

// isLiteral reports whether nothing in a value refers to a secret.
func isLiteral(n *yaml.Node) bool {
	return !hasReference(n.Value) && !slices.ContainsFunc(n.Content, func(c *yaml.Node) bool { return !isLiteral(c) })
}

// resolve copies a node with its secrets filled in.
func (l *loader) resolve(n node, secret bool) *yaml.Node {
	copied := *n.Node
	copied.Content = make([]*yaml.Node, len(n.Content))
	for i, child := range n.Content {
		at := node{Node: child, doc: n.doc, path: n.path}
		under := secret
		if n.Kind == yaml.MappingNode && i%2 == 1 {
			at.path = join(n.path, n.Content[i-1].Value)
			under = isSecretKey(n.Content[i-1].Value) && !(n.public() && isLiteral(child))
		}
		copied.Content[i] = l.resolve(at, under)
	}
	if n.Kind != yaml.ScalarNode {
		return &copied
	}
	if !secret {
		plainText(n)
		return &copied
	}
	copied.Value, _ = l.secret(n)
	copied.Tag, copied.Style = "!!str", yaml.DoubleQuotedStyle
	return &copied
}

// checkKeys compares the keys of n with the yaml tags of a struct of the
// package signature, whose fields are the documentation of a verifier.
func checkKeys(n node, t reflect.Type) {
	for t.Kind() == reflect.Pointer || t.Kind() == reflect.Slice {
		t = t.Elem()
	}
	if t.Kind() != reflect.Struct {
		return
	}
	for _, item := range n.items() {
		var keys []Key
		fields := map[string]reflect.Type{}
		for i := range t.NumField() {
			name := t.Field(i).Tag.Get("yaml")
			keys = append(keys, Key{Name: name})
			fields[name] = t.Field(i).Type
		}
		o, _ := item.known(keys)
		for _, key := range o.keys {
			if field, ok := fields[key]; ok {
				checkKeys(o.values[key], field)
			}
		}
	}
}

// verifierProblems puts the faults that signature found at their places, those
// of a preset at the source that uses it. Faults of secrets are no faults of a
// file that is checked without its secrets.
func (l *loader) verifierProblems(at, source node, err error) {
	faults := []error{err}
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		faults = joined.Unwrap()
	}
	for _, err := range faults {
		var fault *signature.ConfigError
		if !errors.As(err, &fault) {
			at.problem(err.Error(), "")
			continue
		}
		place, secret := at.find(strings.Split(fault.Key, "."))
		switch {
		case secret && l.options.WithoutSecrets:
		case at.doc != source.doc:
			source.problem(fault.Error(), "")
		default:
			place.problem(fault.Text, "")
		}
	}
}

// find follows keys and indexes as far as they go, and reports whether they
// lead to a secret. A verifier may stand without a list around it.
func (n node) find(keys []string) (node, bool) {
	secret := false
	for _, key := range keys {
		secret = secret || isSecretKey(key)
		if index, err := strconv.Atoi(key); err == nil {
			if items := n.items(); index < len(items) {
				n = items[index]
			}
			continue
		}
		if n.Kind != yaml.MappingNode {
			continue
		}
		for i := 0; i+1 < len(n.Content); i += 2 {
			if n.Content[i].Value == key {
				n = node{Node: n.Content[i+1], doc: n.doc, path: join(n.path, key)}
				break
			}
		}
	}
	return n, secret
}
