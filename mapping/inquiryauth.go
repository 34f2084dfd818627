package mapping

import (
	"fmt"
	"io"
	"net/url"
	"slices"
)

// Secret is a text that is never shown, however it is printed.
type Secret string

// Format implements fmt.Formatter, under every verb.
func (Secret) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, "•••") }

// MarshalText hides the secret in JSON, YAML and logs.
func (Secret) MarshalText() ([]byte, error) { return []byte("•••"), nil }

// Reveal returns the secret itself, for the request and for nothing else.
func (s Secret) Reveal() string { return string(s) }

// Kinds of Auth.
const (
	AuthNone   = ""
	AuthBearer = "bearer"
	AuthHeader = "header"
	AuthQuery  = "query"
	AuthBasic  = "basic"
	AuthOAuth  = "oauth"
)

var authKinds = []string{AuthBearer, AuthHeader, AuthQuery, AuthBasic, AuthOAuth}

// Auth is how a look-up proves who asks. Two that are equal are the same
// credentials.
type Auth struct {
	// Kind says which of the others count.
	Kind string
	// Name of the header or parameter; of a header, Prefix stands before
	// Value.
	Name, Prefix string
	Value        Secret
	// Token is that of bearer.
	Token Secret
	// User and Password are those of basic.
	User, Password Secret
	// OAuth 2.0 (RFC 6749): with a refresh token §6, without one the client
	// credentials grant of §4.4.
	TokenURL                             string
	ClientID, ClientSecret, RefreshToken Secret
	Scope, HeaderScheme                  string
}

// authNeeds are the keys that a kind must have, authTakes those it may.
var (
	authNeeds = map[string][]string{
		AuthBearer: {"token"}, AuthHeader: {"name", "value"}, AuthQuery: {"name", "value"}, AuthBasic: {"user"},
		AuthOAuth: {"token_url", "client_id", "client_secret"},
	}
	authTakes = map[string][]string{
		AuthHeader: {"prefix"}, AuthBasic: {"password"}, AuthOAuth: {"refresh_token", "scope", "header_scheme"},
	}
)

// auth reads how a look-up proves who asks.
func (r inquiryReader) auth(at node) Auth {
	keys, ok := at.known(authKeys)
	if !ok {
		return Auth{}
	}
	n, ok := keys.get("kind")
	if !ok {
		at.problem(`"kind" is missing`, "for example bearer")
		return Auth{}
	}
	a := Auth{Kind: oneOf(n, authKinds), HeaderScheme: "Bearer"}
	for _, key := range authNeeds[a.Kind] {
		if _, ok := keys.get(key); !ok {
			at.problem(quote(key)+" is missing for "+a.Kind, "")
		}
	}
	for _, key := range keys.keys {
		if a.Kind != "" && key != "kind" && !slices.Contains(authNeeds[a.Kind], key) && !slices.Contains(authTakes[a.Kind], key) {
			keys.names[key].problem(quote(key)+" is not for "+a.Kind, "")
			continue
		}
		r.authKey(&a, key, keys.values[key])
	}
	if a.Kind == AuthHeader && a.Name != "" && !headerName.MatchString(a.Name) {
		at.problem(quote(a.Name)+" is no name of a header", "")
	}
	return a
}

func (r inquiryReader) authKey(a *Auth, key string, n node) {
	secrets := map[string]*Secret{
		"token": &a.Token, "value": &a.Value, "password": &a.Password,
		"client_secret": &a.ClientSecret, "refresh_token": &a.RefreshToken,
	}
	// Names, which some APIs use for keys: Close wants its API key as user.
	names := map[string]*Secret{"user": &a.User, "client_id": &a.ClientID}
	texts := map[string]*string{
		"name": &a.Name, "prefix": &a.Prefix, "scope": &a.Scope, "header_scheme": &a.HeaderScheme, "token_url": &a.TokenURL,
	}
	switch {
	case secrets[key] != nil:
		value, _ := r.secret(n)
		*secrets[key] = Secret(value)
	case names[key] != nil && hasReference(n.Value):
		value, _ := r.secret(n)
		*names[key] = Secret(value)
	case names[key] != nil:
		*names[key] = Secret(r.fill(n))
	case texts[key] != nil:
		*texts[key] = r.fill(n)
	}
	if key == "token_url" {
		if u, err := url.Parse(a.TokenURL); err != nil || u.Host == "" || !secure(u) {
			n.problem("must begin with https://", "")
		}
	}
}
