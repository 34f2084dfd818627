package lookups

import (
	"callbridge/mapping/config"
	"fmt"
	"io"
	"net/url"
	"slices"
	"strconv"
)

// Secret is a text that prints as ••• in every format.
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

// Auth are the credentials of a lookup, comparable with ==.
type Auth struct {
	// Kind says which other members are used.
	Kind string
	// Name of the header or parameter. The value of a header is Prefix and Value.
	Name, Prefix string
	Value        Secret
	// Token is for bearer.
	Token Secret
	// User and Password are for basic.
	User, Password Secret
	// OAuth 2.0 (RFC 6749): the refresh token grant (§6) or, without a refresh
	// token, the client credentials grant (§4.4).
	TokenURL                             string
	ClientID, ClientSecret, RefreshToken Secret
	Scope, HeaderScheme                  string
}

// authNeeds are the mandatory keys of each kind, authTakes the optional ones.
var (
	authNeeds = map[string][]string{
		AuthBearer: {"token"}, AuthHeader: {"name", "value"}, AuthQuery: {"name", "value"}, AuthBasic: {"user"},
		AuthOAuth: {"token_url", "client_id", "client_secret"},
	}
	authTakes = map[string][]string{
		AuthHeader: {"prefix"}, AuthBasic: {"password"}, AuthOAuth: {"refresh_token", "scope", "header_scheme"},
	}
)

func (r entryReader) readAuth(at config.Node) Auth {
	keys, ok := at.Known(config.AuthKeys)
	if !ok {
		return Auth{}
	}
	if _, ok := keys.Get("kind"); !ok {
		at.Problem(`"kind" is missing`, "for example bearer")
		return Auth{}
	}
	a := Auth{Kind: keys.OneOf("kind"), HeaderScheme: "Bearer"}
	for _, key := range authNeeds[a.Kind] {
		if _, ok := keys.Get(key); !ok {
			at.Problem(strconv.Quote(key)+" is missing for "+a.Kind, "")
		}
	}
	for _, key := range keys.Keys {
		if a.Kind != "" && key != "kind" && !slices.Contains(authNeeds[a.Kind], key) && !slices.Contains(authTakes[a.Kind], key) {
			keys.Name(key).Problem(strconv.Quote(key)+" is not for "+a.Kind, "")
			continue
		}
		r.readAuthKey(&a, key, keys.Value(key))
	}
	if a.Kind == AuthHeader && a.Name != "" && !headerName.MatchString(a.Name) {
		at.Problem(strconv.Quote(a.Name)+" is not a header name", "")
	}
	return a
}

func (r entryReader) readAuthKey(a *Auth, key string, n config.Node) {
	secrets := map[string]*Secret{
		"token": &a.Token, "value": &a.Value, "password": &a.Password,
		"client_secret": &a.ClientSecret, "refresh_token": &a.RefreshToken,
	}
	// Names may be secrets too: Close takes its API key as the user.
	names := map[string]*Secret{"user": &a.User, "client_id": &a.ClientID}
	texts := map[string]*string{
		"name": &a.Name, "prefix": &a.Prefix, "scope": &a.Scope, "header_scheme": &a.HeaderScheme, "token_url": &a.TokenURL,
	}
	switch {
	case secrets[key] != nil:
		value, _ := n.Secret()
		*secrets[key] = Secret(value)
	case names[key] != nil && config.HasReference(n.Raw()):
		value, _ := n.Secret()
		*names[key] = Secret(value)
	case names[key] != nil:
		*names[key] = Secret(r.withParams(n))
	case texts[key] != nil:
		*texts[key] = r.withParams(n)
	}
	if key == "token_url" {
		if u, err := url.Parse(a.TokenURL); err != nil || u.Host == "" || !isSecure(u) {
			n.Problem("must begin with https://", "")
		}
	}
}
