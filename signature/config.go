package signature

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v4"
)

// Config is the YAML configuration of one check. New refuses a key that the kind
// does not use, so that no configured key is silently ignored.
type Config struct {
	// Kind is hmac, digest, publickey, token, basic, jwt or none. It is empty
	// only with AnyOf.
	Kind string `yaml:"kind"`
	// AnyOf are alternatives: a request has to satisfy one of them.
	AnyOf []Config `yaml:"any_of"`
	// Reason says why requests are accepted unverified (none).
	Reason string `yaml:"reason"`

	// Hash is sha1, sha256 or sha512 (hmac, digest).
	Hash string `yaml:"hash"`
	// Algorithms is one of ed25519, ecdsa-p256, rsa-pkcs1-sha256 (publickey),
	// or the allowed ones of HS256, RS256, EdDSA (jwt).
	Algorithms List `yaml:"alg"`
	// Keys are the accepted keys: one, or two during a rotation.
	Keys Secrets `yaml:"keys"`
	// KeyEncoding is text (default), hex, base64 or whsec for shared keys;
	// hex, base64, pem or whpk for public ones.
	KeyEncoding string `yaml:"key_encoding"`
	// AllowShort accepts whsec keys of less than 24 bytes, which Standard
	// Webhooks 1.0 forbids.
	AllowShort bool `yaml:"allow_short"`

	// Header, Query or BodyPath is the location of the signature or token. Of
	// several headers, the first present one is used. BodyPath is a dotted path
	// in a JSON object or a field of a form.
	Header   List   `yaml:"header"`
	Query    string `yaml:"query"`
	BodyPath string `yaml:"body_path"`

	// Format is the format of the value: plain (default), kv ("t=1,v1=a,v1=b")
	// or list ("v1,a v1,b").
	Format string `yaml:"format"`
	// Prefix is required before a plain signature; white space may follow it.
	Prefix string `yaml:"prefix"`
	// Separator separates the parts of kv (default ",") and list (default " ").
	Separator string `yaml:"separator"`
	// Field names the kv fields or list versions that contain signatures; others
	// are ignored. Without it, a list contains signatures without version.
	Field List `yaml:"field"`
	// Encoding of the signature, or of the body hash in a jwt: hex, base64 or
	// base64url.
	Encoding string `yaml:"encoding"`

	// Timestamp describes the time at which the sender signed. Without it a
	// recorded request can be replayed at any time.
	Timestamp *Timestamp `yaml:"timestamp"`
	// ID describes the sender's message id.
	ID *ID `yaml:"id"`
	// Signed is the text that was signed; default "{body}". Placeholders:
	// {body} {body_sha256_hex} {body:a.b} {form_sorted} {timestamp} {id}
	// {method} {url} {path_query} {header:Name}, and {secret} in a digest.
	Signed string `yaml:"signed"`
	// URL says how {url} is reconstructed.
	URL *URL `yaml:"url"`
	// AllowUnsignedBody accepts a Signed that does not cover the body, as with
	// Mailgun. An observed signature can then be reused with any body until its
	// timestamp is too old.
	AllowUnsignedBody bool `yaml:"allow_unsigned_body"`

	// Scheme lists the allowed schemes in front of a token or jwt, for example
	// Bearer; "" allows the bare token.
	Scheme List `yaml:"scheme"`
	// Values are the accepted tokens (token).
	Values Secrets `yaml:"values"`
	// User and Passwords are the credentials of HTTP Basic (basic).
	User      string  `yaml:"user"`
	Passwords Secrets `yaml:"passwords"`

	// Audience and Issuer are the accepted values of aud and iss (jwt).
	Audience List `yaml:"aud"`
	Issuer   List `yaml:"iss"`
	// Leeway is the allowed difference between clocks for exp and nbf (jwt).
	Leeway time.Duration `yaml:"leeway"`
	// BodyHashClaim names the claim with the SHA-256 of the body in Encoding
	// (jwt). Only with it is a token without exp accepted.
	BodyHashClaim string `yaml:"body_hash_claim"`
}

// Timestamp is the location and format of the signing time, and its tolerance.
type Timestamp struct {
	// Header, Field (of format kv) or BodyPath: exactly one is set.
	Header   List   `yaml:"header"`
	Field    string `yaml:"field"`
	BodyPath string `yaml:"body_path"`
	// Format is unix, unix_ms, rfc3339 or http_date.
	Format string `yaml:"format"`
	// Tolerance is the allowed difference in both directions; 0 disables the
	// check. The time is checked after the signature, which has to cover
	// {timestamp}.
	Tolerance time.Duration `yaml:"tolerance"`
}

// ID is the location of {id}.
type ID struct {
	Header List `yaml:"header"`
}

// URL says how to reconstruct the URL that the sender called, which a proxy may
// change: public base, then path and query as received.
type URL struct {
	// PublicBase is the scheme, host and port that the sender calls, and the
	// path prefix if a proxy removes one.
	PublicBase string `yaml:"public_base"`
	// TryWithoutPort also tries the URL without its port or, if it has none,
	// with the default port of its scheme, as Twilio's SDKs do.
	TryWithoutPort bool `yaml:"try_without_port"`
	// TryDecoded also tries the URL with the twelve percent-escapes decoded
	// that HubSpot's documentation of its v3 signature lists.
	TryDecoded bool `yaml:"try_decoded"`
	// CheckQuerySHA256 names the query parameter with the hex SHA-256 of a body
	// that is not a form (Twilio: bodySHA256). Such a body is refused without
	// it.
	CheckQuerySHA256 string `yaml:"check_query_sha256"`
}

// WithSecrets returns a copy in which secrets are the keys, values or passwords of
// each check, alternatives included, that has none.
func (c Config) WithSecrets(secrets ...string) Config {
	fill := func(have Secrets) Secrets {
		if len(have) > 0 {
			return have
		}
		return secrets
	}
	switch c.Kind {
	case "hmac", "digest", "publickey", "jwt":
		c.Keys = fill(c.Keys)
	case "token":
		c.Values = fill(c.Values)
	case "basic":
		c.Passwords = fill(c.Passwords)
	}
	alternatives := c.AnyOf
	c.AnyOf = nil
	for _, a := range alternatives {
		c.AnyOf = append(c.AnyOf, a.WithSecrets(secrets...))
	}
	return c
}

// setKeys returns the YAML names of the keys that are set.
func (c Config) setKeys() []string {
	var keys []string
	for field, value := range reflect.ValueOf(c).Fields() {
		if !value.IsZero() {
			keys = append(keys, field.Tag.Get("yaml"))
		}
	}
	return keys
}

// checkSecrets refuses a missing secret, an empty secret, and a secret with
// leading or trailing white space, such as the line break of its file.
func checkSecrets(key string, secrets Secrets) error {
	if len(secrets) == 0 {
		return configErrorf(key, "missing")
	}
	for i, secret := range secrets {
		path := key + "." + strconv.Itoa(i)
		if secret == "" {
			return configErrorf(path, "is empty")
		}
		if strings.TrimSpace(secret) != secret {
			return configErrorf(path, "has leading or trailing white space")
		}
	}
	return nil
}

// oneOf returns an error unless value is one of allowed.
func oneOf(key, value string, allowed ...string) error {
	if slices.Contains(allowed, value) {
		return nil
	}
	if value == "" {
		return configErrorf(key, "missing; one of %s", strings.Join(allowed, ", "))
	}
	return configErrorf(key, "%q is unknown; one of %s", value, strings.Join(allowed, ", "))
}

// ConfigError is a mistake in the configuration of one check.
type ConfigError struct {
	// Key is the dotted path from the list of verifiers to the YAML node:
	// "0.timestamp.tolerance", "1.any_of.0.keys.1". Empty for the list.
	Key string
	// Text says what is wrong. It never contains a value that may be secret.
	Text string
}

// Error returns "verify.key: text".
func (e *ConfigError) Error() string {
	return strings.TrimSuffix("verify."+e.Key, ".") + ": " + e.Text
}

func configErrorf(key, format string, args ...any) error {
	return &ConfigError{Key: key, Text: fmt.Sprintf(format, args...)}
}

// prefixKey prefixes the key of a *ConfigError with the key of its parent node.
func prefixKey(parent string, err error) error {
	var e *ConfigError
	if !errors.As(err, &e) {
		return err
	}
	return &ConfigError{Key: strings.TrimSuffix(parent+"."+e.Key, "."), Text: e.Text}
}

// List is a list of strings. In YAML it may also be a single string.
type List []string

// UnmarshalYAML decodes a string or a list of strings.
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

// Secrets is a List that hides its values when printed, logged or marshalled.
type Secrets []string

const hidden = "[hidden]"

// UnmarshalYAML decodes a string or a list of strings.
func (s *Secrets) UnmarshalYAML(node *yaml.Node) error { return (*List)(s).UnmarshalYAML(node) }

// Format hides the secrets under every verb.
func (Secrets) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, hidden) }

// LogValue hides the secrets in every slog handler.
func (Secrets) LogValue() slog.Value { return slog.StringValue(hidden) }

// MarshalText hides the secrets in JSON and YAML.
func (Secrets) MarshalText() ([]byte, error) { return []byte(hidden), nil }
