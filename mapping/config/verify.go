package config

import (
	"errors"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v4"

	"callbridge/signature"
)

// Verification is how a source verifies its senders.
type Verification struct {
	// Verifier is nil after a problem and with Options.WithoutSecrets.
	Verifier *signature.Verifier
	// Coverage is what the signatures cover. It needs no secrets.
	Coverage signature.Coverage
}

// Verification compiles verify: and secret: of a source; publicURL is what CRMs
// sign where they sign the URL. A source without verify: is a problem.
func (r *Reader) Verification(source Object, publicURL string) Verification {
	at, ok := source.Get("verify")
	if !ok {
		source.At.Problem(`"verify" is missing: anyone could send here`,
			`add verify: and a secret, for example {kind: token, header: X-Api-Key, values: ["${KEY}"]}`)
		return Verification{}
	}
	before := at.Problems()
	var configs []signature.Config
	for _, item := range at.Items() {
		configs = append(configs, item.verifierConfig())
	}
	v := Verification{Coverage: signature.CoverageOf(configs)}
	secret, hasSecret := source.Get("secret")
	if hasSecret {
		values := secret.Secrets()
		for i, c := range configs {
			configs[i] = c.WithSecrets(values...)
		}
	}
	if at.Problems() > before {
		return v
	}
	verifier, err := signature.New(configs, publicURL)
	switch {
	case err == nil && !r.WithoutSecrets:
		v.Verifier = verifier
		warnShortSecrets(configs, at, secret, hasSecret)
	case err != nil && !at.SameFile(source.At) && !hasSecret:
		source.At.Problem("the preset needs its secret", `add secret: "${NAME}"`)
	case err != nil:
		r.verifierProblems(at, source.At, err)
	}
	return v
}

// warnShortSecrets warns at each reference to a secret that can be guessed. It
// names the variable or the file, never the value.
func warnShortSecrets(configs []signature.Config, verify, secret Node, hasSecret bool) {
	var short []string
	for _, c := range configs {
		short = append(short, c.ShortSecrets()...)
	}
	if len(short) == 0 {
		return
	}
	warn := func(n Node) {
		if value, ok := n.Secret(); ok && slices.Contains(short, value) {
			n.Warn(n.Raw()+" has less than 16 bytes and can be guessed", "make a longer one: openssl rand -hex 24")
		}
	}
	verify.eachReference(warn)
	if hasSecret {
		secret.eachReference(warn)
	}
}

// eachReference calls f with each text that is ${NAME} or ${file:/path}.
func (n Node) eachReference(f func(Node)) {
	if n.yaml.Kind == yaml.ScalarNode && reference.MatchString(n.Raw()) {
		f(n)
	}
	path := n.path
	for i, child := range n.yaml.Content {
		if n.yaml.Kind == yaml.MappingNode {
			if i%2 == 0 {
				continue
			}
			path = join(n.path, n.yaml.Content[i-1].Value)
		}
		Node{yaml: child, doc: n.doc, path: path}.eachReference(f)
	}
}

// verifierConfig reads one verifier. Secrets are filled into a copy, so that the
// values of the document stay references.
func (n Node) verifierConfig() signature.Config {
	var config signature.Config
	before := n.Problems()
	n.checkKeys(reflect.TypeFor[signature.Config]())
	resolved := n.withSecrets(false)
	if n.Problems() > before {
		return config
	}
	if err := resolved.Load(&config); err != nil {
		line, column, text := n.yaml.Line, n.yaml.Column, err.Error()
		var load *yaml.LoadError
		if errors.As(err, &load) && load.Mark.Line > 0 {
			line, column, text = load.Mark.Line, load.Mark.Column, load.Message
		}
		n.problemAt(line, column, text, "")
	}
	return config
}

// withSecrets copies the YAML of a node with its secrets filled in.
func (n Node) withSecrets(isSecret bool) *yaml.Node {
	copied := *n.yaml
	copied.Content = make([]*yaml.Node, len(n.yaml.Content))
	for i, child := range n.yaml.Content {
		at := Node{yaml: child, doc: n.doc, path: n.path}
		secret := isSecret
		if n.yaml.Kind == yaml.MappingNode && i%2 == 1 {
			key := n.yaml.Content[i-1].Value
			at.path = join(n.path, key)
			secret = isSecretKey(key) && !(n.hasPublicKeys() && isLiteral(child))
		}
		copied.Content[i] = at.withSecrets(secret)
	}
	if n.yaml.Kind != yaml.ScalarNode {
		return &copied
	}
	if !isSecret {
		n.PlainText()
		return &copied
	}
	copied.Value, _ = n.Secret()
	copied.Tag, copied.Style = "!!str", yaml.DoubleQuotedStyle
	return &copied
}

// hasPublicKeys reports whether the keys of a verifier are public keys, which
// may be written in the file.
func (n Node) hasPublicKeys() bool { return n.child("kind").yaml.Value == "publickey" }

// isLiteral reports whether no part of a value refers to a secret.
func isLiteral(n *yaml.Node) bool {
	return !HasReference(n.Value) && !slices.ContainsFunc(n.Content, func(c *yaml.Node) bool { return !isLiteral(c) })
}

// checkKeys refuses keys that are not yaml tags of a struct of the package
// signature, whose fields document the keys of a verifier.
func (n Node) checkKeys(t reflect.Type) {
	for t.Kind() == reflect.Pointer || t.Kind() == reflect.Slice {
		t = t.Elem()
	}
	if t.Kind() != reflect.Struct {
		return
	}
	for _, item := range n.Items() {
		var keys []Key
		fields := map[string]reflect.Type{}
		for i := range t.NumField() {
			name := t.Field(i).Tag.Get("yaml")
			keys = append(keys, Key{Name: name})
			fields[name] = t.Field(i).Type
		}
		o, _ := item.Known(keys)
		for _, key := range o.Keys {
			if field, ok := fields[key]; ok {
				o.values[key].checkKeys(field)
			}
		}
	}
}

// verifierProblems reports the faults that signature.New found at the values
// that have them; those of a preset at the source that uses it. Faults of
// secrets do not count where the secrets were not resolved.
func (r *Reader) verifierProblems(at, source Node, err error) {
	faults := []error{err}
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		faults = joined.Unwrap()
	}
	for _, err := range faults {
		var fault *signature.ConfigError
		if !errors.As(err, &fault) {
			at.Problem(err.Error(), "")
			continue
		}
		value, secret := at.find(strings.Split(fault.Key, "."))
		switch {
		case secret && r.WithoutSecrets:
		case !at.SameFile(source):
			source.Problem(fault.Error(), "")
		default:
			value.Problem(fault.Text, "")
		}
	}
}

// find follows keys and indexes as far as they exist, and reports whether a key
// on the way takes secrets. A single verifier needs no list.
func (n Node) find(keys []string) (Node, bool) {
	secret := false
	for _, key := range keys {
		secret = secret || isSecretKey(key)
		if index, err := strconv.Atoi(key); err == nil {
			if items := n.Items(); index < len(items) {
				n = items[index]
			}
		} else if child := n.child(key); child.yaml.Kind != 0 {
			n = child
		}
	}
	return n, secret
}

// child is the value of a key, or an empty node.
func (n Node) child(key string) Node {
	for i := 0; n.yaml.Kind == yaml.MappingNode && i+1 < len(n.yaml.Content); i += 2 {
		if n.yaml.Content[i].Value == key {
			return Node{yaml: n.yaml.Content[i+1], doc: n.doc, path: join(n.path, key)}
		}
	}
	return Node{yaml: &yaml.Node{}, doc: n.doc, path: n.path}
}
