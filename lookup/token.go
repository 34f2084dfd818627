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

	"callbridge/mapping"
)

const (
	// maxTokenBytes is the largest answer of a token endpoint that is read.
	maxTokenBytes = 64 << 10
	// tokenLife is for an answer without expires_in (Salesforce gives none).
	tokenLife = 10 * time.Minute
	// tokenMargin is how long before its end a token is renewed, or a tenth
	// of its life.
	tokenMargin = time.Minute
)

// tokens are the access tokens of OAuth 2.0, one for each set of credentials,
// each had once for all who need it.
type tokens struct {
	client *http.Client
	mu     sync.Mutex
	byAuth map[mapping.Auth]*access
}

func newTokens(client *http.Client) *tokens {
	return &tokens{client: client, byAuth: map[mapping.Auth]*access{}}
}

// access is one token and what is needed for the next.
type access struct {
	mu    sync.Mutex
	token string
	until time.Time
	// refresh is a refresh token that came with an access token: some CRMs
	// take each only once. It is lost with the process.
	refresh string
}

// get returns a token, and whether it was had before and may have been revoked
// since.
func (t *tokens) get(ctx context.Context, auth mapping.Auth, now time.Time) (token string, old bool, err error) {
	t.mu.Lock()
	a, ok := t.byAuth[auth]
	if !ok {
		a = &access{refresh: auth.RefreshToken.Reveal()}
		t.byAuth[auth] = a
	}
	t.mu.Unlock()

	a.mu.Lock()
	defer a.mu.Unlock()
	if a.token != "" && now.Before(a.until) {
		return a.token, true, nil
	}
	return a.token, false, a.renew(ctx, t.client, auth, now)
}

// drop gives up a token that the API does not take any more.
func (t *tokens) drop(auth mapping.Auth, token string) {
	t.mu.Lock()
	a := t.byAuth[auth]
	t.mu.Unlock()
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.token == token {
		a.token = ""
	}
}

// renew asks the token endpoint: RFC 6749 §6 with a refresh token, §4.4
// without.
func (a *access) renew(ctx context.Context, client *http.Client, auth mapping.Auth, now time.Time) error {
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
		return final("ask for an access token: " + plain(err).Error())
	}
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	request.Header.Set("Accept", "application/json")
	response, err := client.Do(request)
	if err != nil {
		return fmt.Errorf("ask for an access token: %w", plain(err))
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(response.Body, maxTokenBytes))
	if err != nil {
		return fmt.Errorf("read access token: %w", plain(err))
	}
	return a.take(response.StatusCode, body, now)
}

// grant is RFC 6749 §5.1 and §5.2.
type grant struct {
	AccessToken  string      `json:"access_token"`
	RefreshToken string      `json:"refresh_token"`
	ExpiresIn    json.Number `json:"expires_in"`
	Error        string      `json:"error"`
}

// errorCode is what an error may be to be shown; a CRM might repeat what it
// was sent.
var errorCode = regexp.MustCompile(`^[a-z_]{1,40}$`)

func (a *access) take(status int, body []byte, now time.Time) error {
	var g grant
	err := json.Unmarshal(body, &g)
	switch {
	case status >= 500 || status == http.StatusTooManyRequests || status == http.StatusRequestTimeout:
		return fmt.Errorf("the token endpoint answered HTTP %d", status)
	case status < 300 && err == nil && g.AccessToken != "":
	case errorCode.MatchString(g.Error):
		return unwelcome("the token endpoint refused: " + g.Error)
	default:
		return unwelcome("the token endpoint gave no access token, HTTP " + strconv.Itoa(status))
	}
	life := tokenLife
	if seconds, err := g.ExpiresIn.Int64(); err == nil && seconds > 0 {
		life = time.Duration(min(seconds, 1<<31)) * time.Second
	}
	a.token, a.until = g.AccessToken, now.Add(life-min(tokenMargin, life/10))
	if g.RefreshToken != "" {
		a.refresh = g.RefreshToken
	}
	return nil
}
