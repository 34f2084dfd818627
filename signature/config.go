package signature

import "time"

// Config is one verifier as it stands in YAML. Which keys a kind takes is
// checked by New; a key that the kind does not take is an error, so that
// nothing written down goes unchecked.
type Config struct {
	// Kind is hmac, digest, publickey, token, basic, jwt or none. Empty only
	// together with AnyOf.
	Kind string `yaml:"kind"`
	// AnyOf holds alternatives; one of them is enough.
	AnyOf []Config `yaml:"any_of"`
	// Reason says why a source of kind none is open.
	Reason string `yaml:"reason"`

	// Hash is sha1, sha256 or sha512 (hmac, digest).
	Hash string `yaml:"hash"`
	// Algorithms: ed25519, ecdsa-p256 or rsa-pkcs1-sha256 (publickey), or
	// those of HS256, RS256, EdDSA that a token may use (jwt).
	Algorithms List `yaml:"alg"`
	// Keys may each have signed; two during rotation.
	Keys Secrets `yaml:"keys"`
	// KeyEncoding is text (default), hex, base64 or whsec for shared keys;
	// hex, base64, pem or whpk for public ones.
	KeyEncoding string `yaml:"key_encoding"`
	// AllowShort accepts whsec keys of less than 24 bytes, which Standard
	// Webhooks 1.0 forbids.
	AllowShort bool `yaml:"allow_short"`

	// Header, Query or BodyPath say where the signature or token stands. Of
	// several headers the first that is there counts. BodyPath is a dotted
	// path in a JSON object or a field of a form.
	Header   List   `yaml:"header"`
	Query    string `yaml:"query"`
	BodyPath string `yaml:"body_path"`

	// Format is how signatures are packed: plain (default), kv
	// ("t=1,v1=a,v1=b") or list ("v1,a v1,b").
	Format string `yaml:"format"`
	// Prefix must stand before a plain signature; blanks may follow it.
	Prefix string `yaml:"prefix"`
	// Separator stands between the parts of kv (default ",") and list
	// (default " ").
	Separator string `yaml:"separator"`
	// Field names the kv fields or list versions whose values are tried; all
	// others are ignored. A list without it holds bare signatures.
	Field List `yaml:"field"`
	// Encoding of the signature, or of the body hash in a jwt: hex, base64 or
	// base64url.
	Encoding string `yaml:"encoding"`

	// Timestamp is when the sender signed; without it there is no replay
	// window.
	Timestamp *Timestamp `yaml:"timestamp"`
	// ID is the sender's name of the message.
	ID *ID `yaml:"id"`
	// Signed is the text that was signed; default "{body}". Placeholders:
	// {body} {body_sha256_hex} {body:a.b} {form_sorted} {timestamp} {id}
	// {method} {url} {path_query} {header:Name}, and {secret} in a digest.
	Signed string `yaml:"signed"`
	// URL says how {url} is rebuilt.
	URL *URL `yaml:"url"`
	// AllowUnsignedBody accepts a Signed that does not speak for the body,
	// as Mailgun's does not: whoever has seen one signature can then send
	// any body until the timestamp is too old.
	AllowUnsignedBody bool `yaml:"allow_unsigned_body"`

	// Scheme stands before a token or jwt in its header, for example Bearer.
	// One of several; "" is the bare token.
	Scheme List `yaml:"scheme"`
	// Values are the tokens that are accepted (token).
	Values Secrets `yaml:"values"`
	// User and Passwords are those of HTTP Basic (basic).
	User      string  `yaml:"user"`
	Passwords Secrets `yaml:"passwords"`

	// Audience and Issuer: one of the values must be the token's (jwt).
	Audience List `yaml:"aud"`
	Issuer   List `yaml:"iss"`
	// Leeway is what clocks may differ when exp and nbf are checked (jwt).
	Leeway time.Duration `yaml:"leeway"`
	// BodyHashClaim names the claim that holds the SHA-256 of the body, in
	// Encoding (jwt). A token without exp is only accepted with it.
	BodyHashClaim string `yaml:"body_hash_claim"`
}

// Timestamp is where the time of signing stands and how old it may be.
type Timestamp struct {
	// Header, Field (of a kv signature) or BodyPath: one of them.
	Header   List   `yaml:"header"`
	Field    string `yaml:"field"`
	BodyPath string `yaml:"body_path"`
	// Format is unix, unix_ms, rfc3339 or http_date.
	Format string `yaml:"format"`
	// Tolerance in both directions; 0 means that the time is not checked. It
	// is checked after the signature, which must cover {timestamp}.
	Tolerance time.Duration `yaml:"tolerance"`
}

// ID is where {id} stands.
type ID struct {
	Header List `yaml:"header"`
}

// URL says how the URL that the sender called is rebuilt, since a proxy hides
// it: the public base, then path and query as received.
type URL struct {
	// PublicBase is scheme, host, port and, where a proxy strips one, path
	// prefix, as the sender calls it.
	PublicBase string `yaml:"public_base"`
	// TryWithoutPort also tries the URL without its port or, where it has
	// none, with the default port of its scheme, as Twilio's SDKs do.
	TryWithoutPort bool `yaml:"try_without_port"`
	// TryDecoded also tries the URL with the twelve percent-escapes decoded
	// that HubSpot's documentation of its v3 signature lists.
	TryDecoded bool `yaml:"try_decoded"`
	// CheckQuerySHA256 names the query parameter with the hex SHA-256 of a
	// body that is no form (Twilio: bodySHA256). A body needs it then.
	CheckQuerySHA256 string `yaml:"check_query_sha256"`
}

// WithSecrets returns a copy in which every verifier that has no keys, values
// or passwords of its own, alternatives included, gets these.
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
