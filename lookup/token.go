package lookup

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"

	"callbridge/mapping/lookups"
	"callbridge/untrusted"
)

const (
	// maxTokenBytes limits a response of a token endpoint.
	maxTokenBytes = 64 << 10
	// defaultTokenLife is for a response without expires_in, such as Salesforce's.
	defaultTokenLife = 10 * time.Minute
	// maxTokenMargin is how long before its expiry a token is renewed: a tenth of
	// its life, but not more than this.
	maxTokenMargin = time.Minute
)

// tokens caches the OAuth 2.0 access tokens, one per set of credentials.
type tokens struct {
	client *http.Client
	mu     sync.Mutex
	byAuth map[lookups.Auth]*access
}

func newTokens(client *http.Client) *tokens {
	return &tokens{client: client, byAuth: map[lookups.Auth]*access{}}
}

// access is one access token and the refresh token for its successor.
type access struct {
	mu      sync.Mutex
	token   string
	expires time.Time
	// refresh is the newest refresh token: some CRMs accept each only once. It is
	// not stored, so after a restart the configured one is used.
	refresh string
}

// get returns a token, and whether it comes from the cache and so may have been
// revoked.
func (t *tokens) get(ctx context.Context, auth lookups.Auth, now time.Time) (token string, cached bool, err error) {
	t.mu.Lock()
	a, ok := t.byAuth[auth]
	if !ok {
		a = &access{refresh: auth.RefreshToken.Reveal()}
		t.byAuth[auth] = a
	}
	t.mu.Unlock()

	a.mu.Lock()
	defer a.mu.Unlock()
	if a.token != "" && now.Before(a.expires) {
		return a.token, true, nil
	}
	err = a.renew(ctx, t.client, auth, now)
	return a.token, false, err
}

// invalidate removes a token that the API refused.
func (t *tokens) invalidate(auth lookups.Auth, token string) {
	t.mu.Lock()
	a := t.byAuth[auth]
	t.mu.Unlock()
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.token == token {
		a.token = ""
	}
}

// renew requests a token from the token endpoint: with a refresh token by RFC 6749
// section 6, without one by section 4.4.
func (a *access) renew(ctx context.Context, client *http.Client, auth lookups.Auth, now time.Time) error {
	form := url.Values{"client_id": {auth.ClientID.Reveal()}, "client_secret": {auth.ClientSecret.Reveal()}}
	if auth.Scope != "" {
		form.Set("scope", auth.Scope)
	}
	form.Set("grant_type", "client_credentials")
	if a.refresh != "" {
		form.Set("grant_type", "refresh_token")
		form.Set("refresh_token", a.refresh)
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, auth.TokenURL, strings.NewReader(form.Encode()))
	if err != nil {
		return permanentError("ask for an access token: " + withoutPeer(err).Error())
	}
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	request.Header.Set("Accept", "application/json")
	response, err := client.Do(request)
	if err != nil {
		return fmt.Errorf("ask for an access token: %w", withoutPeer(err))
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(response.Body, maxTokenBytes))
	if err != nil {
		return fmt.Errorf("read access token: %w", withoutPeer(err))
	}
	return a.parse(response.StatusCode, body, secrets(auth, a.refresh), now)
}

// grant is the response of a token endpoint (RFC 6749 sections 5.1 and 5.2).
type grant struct {
	AccessToken  string      `json:"access_token"`
	RefreshToken string      `json:"refresh_token"`
	ExpiresIn    json.Number `json:"expires_in"`
	Error        string      `json:"error"`
}

// errorCode matches errors that may be logged. Other text may repeat our secrets.
var errorCode = regexp.MustCompile(`^[a-z_]{1,40}$`)

// parse sets the token from the response of the token endpoint.
func (a *access) parse(status int, body []byte, hidden untrusted.Secrets, now time.Time) error {
	var g grant
	err := json.Unmarshal(body, &g)
	switch {
	case status >= 500 || status == http.StatusTooManyRequests || status == http.StatusRequestTimeout:
		return fmt.Errorf("the token endpoint answered HTTP %d", status)
	case status < 300 && err == nil && g.AccessToken != "":
	case errorCode.MatchString(g.Error) && hidden.ScrubString(g.Error) == g.Error:
		return credentialsError("the token endpoint refused: " + g.Error)
	default:
		return credentialsError("the token endpoint gave no access token, HTTP " + strconv.Itoa(status))
	}
	life := defaultTokenLife
	if seconds, err := g.ExpiresIn.Int64(); err == nil && seconds > 0 {
		life = time.Duration(min(seconds, 1<<31)) * time.Second
	}
	a.token, a.expires = g.AccessToken, now.Add(life-min(maxTokenMargin, life/10))
	if g.RefreshToken != "" {
		a.refresh = g.RefreshToken
	}
	return nil
}
