package signature

import (
	"reflect"
	"slices"
	"strconv"
	"strings"
)

// kinds says which keys each kind takes, and how it is made.
var kinds = map[string]struct {
	keys  []string
	build func(c Config, publicURL string) (check, error)
}{
	"hmac":      {keys: slices.Concat(signedKeys, []string{"hash"}), build: newHMAC},
	"digest":    {keys: slices.Concat(signedKeys, []string{"hash"}), build: newDigest},
	"publickey": {keys: slices.Concat(signedKeys, []string{"alg"}), build: newPublicKey},
	"token":     {keys: []string{"header", "query", "body_path", "scheme", "values"}, build: newToken},
	"basic":     {keys: []string{"user", "passwords"}, build: newBasic},
	"jwt": {keys: []string{"header", "scheme", "alg", "keys", "key_encoding", "aud", "iss", "leeway",
		"body_hash_claim", "encoding"}, build: newJWT},
	"none": {keys: []string{"reason"}, build: newOpen},
}

var signedKeys = []string{
	"keys", "key_encoding", "allow_short", "header", "query", "body_path", "format", "prefix", "separator",
	"field", "encoding", "timestamp", "id", "signed", "url", "allow_unsigned_body",
}

func compile(c Config, publicURL string) (namedCheck, error) {
	if len(c.AnyOf) > 0 {
		return compileAnyOf(c, publicURL)
	}
	kind, ok := kinds[c.Kind]
	if !ok {
		return namedCheck{}, faulty("kind", "%q is unknown; hmac, digest, publickey, token, basic, jwt or none", c.Kind)
	}
	for _, key := range c.written() {
		if key != "kind" && !slices.Contains(kind.keys, key) {
			return namedCheck{}, faulty(key, "kind %s does not take it", c.Kind)
		}
	}
	built, err := kind.build(c, publicURL)
	return namedCheck{kind: c.Kind, check: built}, err
}

func compileAnyOf(c Config, publicURL string) (namedCheck, error) {
	if keys := c.written(); len(keys) > 1 {
		keys = slices.DeleteFunc(keys, func(key string) bool { return key == "any_of" })
		return namedCheck{}, faulty(keys[0], "any_of stands without other keys")
	}
	var alternatives anyOf
	for i, alternative := range c.AnyOf {
		place := "any_of." + strconv.Itoa(i)
		if alternative.Kind == "none" {
			return namedCheck{}, faulty(place+".kind", "none must stand alone: it would let everybody in")
		}
		compiled, err := compile(alternative, publicURL)
		if err != nil {
			return namedCheck{}, under(place, err)
		}
		alternatives = append(alternatives, compiled)
	}
	return namedCheck{kind: "any_of", check: alternatives}, nil
}

// written returns the YAML names of the keys that hold something.
func (c Config) written() []string {
	var keys []string
	for field, value := range reflect.ValueOf(c).Fields() {
		if !value.IsZero() {
			keys = append(keys, field.Tag.Get("yaml"))
		}
	}
	return keys
}

// checkSecrets refuses what can only be a mistake: no secret, an empty one, or
// one with the line break of the file that it came from.
func checkSecrets(key string, secrets Secrets) error {
	if len(secrets) == 0 {
		return faulty(key, "missing")
	}
	for i, secret := range secrets {
		place := key + "." + strconv.Itoa(i)
		if secret == "" {
			return faulty(place, "is empty")
		}
		if strings.TrimSpace(secret) != secret {
			return faulty(place, "has white space around it")
		}
	}
	return nil
}

// oneOf checks a key whose values are few.
func oneOf(key, value string, allowed ...string) error {
	if slices.Contains(allowed, value) {
		return nil
	}
	if value == "" {
		return faulty(key, "missing; one of %s", strings.Join(allowed, ", "))
	}
	return faulty(key, "%q is unknown; one of %s", value, strings.Join(allowed, ", "))
}
