package lookup_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"

	"callbridge/internal/testkit"
)

func TestCredentialsAreSentAsConfigured(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		auth string
		got  func(*http.Request) string
		want string
	}{
		{`{kind: bearer, token: "${SECRET}"}`, header("Authorization"), "Bearer " + secret},
		{`{kind: header, name: x-api-token, value: "${SECRET}"}`, header("X-Api-Token"), secret},
		{`{kind: header, name: Authorization, prefix: "Token token=", value: "${SECRET}"}`, header("Authorization"), "Token token=" + secret},
		{`{kind: query, name: access_token, value: "${SECRET}"}`, func(r *http.Request) string { return r.Form.Get("access_token") }, secret},
		{`{kind: basic, user: "${SECRET}"}`, func(r *http.Request) string { user, password, _ := r.BasicAuth(); return user + ":" + password }, secret + ":"},
	} {
		t.Run(c.auth, func(t *testing.T) {
			t.Parallel()
			crm := newCRM(t, ada)
			f := setup(t, crm, "auth: "+c.auth)
			f.send("crm", `{"id":"e1","object":5}`)
			f.want("requested", "Ada")
			if got := c.got(crm.requests()[0]); got != c.want {
				t.Errorf("the API receives %q, want %q", got, c.want)
			}
		})
	}
}

func header(name string) func(*http.Request) string {
	return func(r *http.Request) string { return r.Header.Get(name) }
}

func TestRedirectToAnotherHostIsFollowedWithoutCredentials(t *testing.T) {
	t.Parallel()
	for _, auth := range []string{
		`{kind: bearer, token: "${SECRET}"}`, `{kind: header, name: X-Api-Token, value: "${SECRET}"}`,
		`{kind: query, name: key, value: "${SECRET}"}`, `{kind: basic, user: "${SECRET}", password: "${SECRET}"}`,
	} {
		t.Run(auth, func(t *testing.T) {
			t.Parallel()
			other := newCRM(t, ada)
			crm := newCRM(t, func(w http.ResponseWriter, r *http.Request) {
				http.Redirect(w, r, other.URL+"/moved?"+r.URL.RawQuery, http.StatusFound)
			})
			f := setup(t, crm, fmt.Sprintf("auth: %s\n      hosts: [%q, %q]", auth, crm.Listener.Addr(), other.Listener.Addr()))
			f.send("crm", `{"id":"e1","object":5}`)
			f.want("requested", "Ada")
			r := other.requests()[0]
			_, _, basic := r.BasicAuth()
			if shown := fmt.Sprint(r.Header, r.URL, r.Form); strings.Contains(shown, secret) || basic {
				t.Errorf("the other host receives %s", shown)
			}
		})
	}
}

func TestRefusedCredentialsPauseOnlyTheirSource(t *testing.T) {
	t.Parallel()
	for _, code := range []int{http.StatusUnauthorized, http.StatusForbidden} {
		t.Run(strconv.Itoa(code), func(t *testing.T) {
			t.Parallel()
			closed, open := newCRM(t, status(code)), newCRM(t, ada)
			f := setupWith(t, t.TempDir(), "sources:"+fmt.Sprintf(source, "closed", closed.URL, "timeout: 1s")+
				fmt.Sprintf(source, "open", open.URL, "")+fmt.Sprintf(routes, "closed, open"))
			f.send("closed", `{"id":"e1","object":5}`)
			f.send("closed", `{"id":"e2","object":6}`)
			testkit.Eventually(t, "the source is held", func() bool { return len(f.service.Held()) > 0 })
			if held := f.service.Held(); len(held) != 1 || !strings.Contains(held["closed"], "refuses our credentials") {
				t.Errorf("held: %v", held)
			}
			if err := f.service.Ready(); err != nil {
				t.Errorf("not ready: %v", err)
			}
			f.send("open", `{"id":"e3","object":7}`)
			f.want("requested", "Ada")
			// This takes longer than timeout: no event is rejected while the source is paused.
			testkit.Eventually(t, "the credentials are tried again", func() bool { return len(closed.requests()) > 2 })
			closed.change(ada)
			f.want("requested", "Ada")
			f.want("requested", "Ada")
			f.nothingMore()
			if held := f.service.Held(); len(held) > 0 {
				t.Errorf("still held: %v", held)
			}
		})
	}
}

func TestOneForbiddenRecordDoesNotPauseTheSource(t *testing.T) {
	t.Parallel()
	crm := newCRM(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/contacts/6" {
			w.WriteHeader(http.StatusForbidden)
			return
		}
		ada(w, r)
	})
	f := setup(t, crm, "timeout: 1s")
	f.send("crm", `{"id":"e1","object":5}`)
	f.want("requested", "Ada")
	f.send("crm", `{"id":"e2","object":6}`)
	f.want("rejected lookup_failed", "HTTP 403")
	if held := f.service.Held(); len(held) > 0 {
		t.Errorf("held: %v", held)
	}
}

// tokenEndpoint issues access tokens t1, t2, … Each refresh token is valid once.
type tokenEndpoint struct {
	*httptest.Server
	mu       sync.Mutex
	received []string
	given    int
	refresh  string
	life     string
	refused  bool
}

func newTokenEndpoint(t *testing.T) *tokenEndpoint {
	t.Helper()
	e := &tokenEndpoint{refresh: secret, life: "3600"}
	e.Server = httptest.NewServer(e)
	t.Cleanup(e.Close)
	return e
}

func (e *tokenEndpoint) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	_ = r.ParseForm()
	e.mu.Lock()
	defer e.mu.Unlock()
	e.received = append(e.received, r.Form.Get("grant_type")+" "+r.Form.Get("refresh_token"))
	if e.refused || r.Form.Get("client_secret") != secret || r.Form.Get("refresh_token") != e.refresh {
		w.WriteHeader(http.StatusBadRequest)
		_, _ = fmt.Fprint(w, `{"error":"invalid_grant"}`)
		return
	}
	e.given++
	e.refresh = fmt.Sprintf("refresh-%d", e.given)
	_, _ = fmt.Fprintf(w, `{"access_token":"t%d","refresh_token":%q,"expires_in":%s}`, e.given, e.refresh, e.life)
}

// takes is a CRM that accepts only the newest access token.
func (e *tokenEndpoint) takes(w http.ResponseWriter, r *http.Request) {
	e.mu.Lock()
	good := r.Header.Get("Authorization") == fmt.Sprintf("Zoho-oauthtoken t%d", e.given)
	e.mu.Unlock()
	if !good {
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	ada(w, r)
}

func (e *tokenEndpoint) set(change func()) {
	e.mu.Lock()
	defer e.mu.Unlock()
	change()
}

func (e *tokenEndpoint) auth() string {
	return fmt.Sprintf(`auth: {kind: oauth, token_url: %q, client_id: app, client_secret: "${SECRET}", refresh_token: "${SECRET}", header_scheme: Zoho-oauthtoken}`, e.URL)
}

func TestAccessTokenIsRequestedOnce(t *testing.T) {
	t.Parallel()
	e := newTokenEndpoint(t)
	crm := newCRM(t, e.takes)
	f := setup(t, crm, e.auth())
	for i := range 20 {
		f.send("crm", fmt.Sprintf(`{"id":"e%d","object":%d}`, i, i))
	}
	for range 20 {
		f.want("requested", "Ada")
	}
	f.nothingMore()
	if len(e.received) != 1 || e.received[0] != "refresh_token "+secret {
		t.Errorf("token requests: %q, want one", e.received)
	}
}

func TestAccessTokenIsRenewedWithTheNewestRefreshToken(t *testing.T) {
	t.Parallel()
	e := newTokenEndpoint(t)
	crm := newCRM(t, e.takes)
	f := setup(t, crm, e.auth())
	f.send("crm", `{"id":"e1","object":5}`)
	f.want("requested", "Ada")
	// Revoke the token: the CRM accepts only one that was not issued yet.
	e.set(func() { e.given++ })
	f.send("crm", `{"id":"e2","object":6}`)
	f.want("requested", "Ada")
	f.nothingMore()
	if len(e.received) != 2 || e.received[1] != "refresh_token refresh-1" {
		t.Errorf("token requests: %q", e.received)
	}
}

func TestExpiredTokenIsRenewedBeforeTheRequest(t *testing.T) {
	t.Parallel()
	e := newTokenEndpoint(t)
	e.life = "1"
	crm := newCRM(t, e.takes)
	f := setup(t, crm, e.auth())
	f.send("crm", `{"id":"e1","object":5}`)
	f.want("requested", "Ada")
	testkit.Eventually(t, "another token is requested", func() bool {
		f.send("crm", fmt.Sprintf(`{"id":"n%d","object":6}`, len(crm.requests())))
		f.want("requested", "Ada")
		return e.count() > 1
	})
	f.nothingMore()
	for _, r := range crm.requests() {
		if r.Header.Get("Authorization") == "Zoho-oauthtoken " {
			t.Error("sent a request without a token")
		}
	}
}

func (e *tokenEndpoint) count() (n int) {
	e.set(func() { n = len(e.received) })
	return n
}

func TestRefusedRefreshTokenPausesTheSource(t *testing.T) {
	t.Parallel()
	e := newTokenEndpoint(t)
	e.refused = true
	f := setup(t, newCRM(t, e.takes), e.auth())
	f.send("crm", `{"id":"e1","object":5}`)
	testkit.Eventually(t, "the source is held", func() bool { return len(f.service.Held()) > 0 })
	if log := f.log.String(); !strings.Contains(log, "invalid_grant") {
		t.Errorf("the log does not name the cause:\n%s", log)
	}
	e.set(func() { e.refused = false })
	f.want("requested", "Ada")
	f.nothingMore()
}

func TestUnavailableTokenEndpointIsRetried(t *testing.T) {
	t.Parallel()
	e := newTokenEndpoint(t)
	flaky := httptest.NewServer(inTurn(status(503), e.ServeHTTP))
	t.Cleanup(flaky.Close)
	f := setup(t, newCRM(t, e.takes), strings.Replace(e.auth(), e.URL, flaky.URL, 1))
	f.send("crm", `{"id":"e1","object":5}`)
	f.want("requested", "Ada")
	f.nothingMore()
}

func TestLogHasNoSecretAndNoURL(t *testing.T) {
	t.Parallel()
	e := newTokenEndpoint(t)
	for name, c := range map[string]struct {
		auth   string
		answer http.HandlerFunc
	}{
		"refused":          {`auth: {kind: query, name: key, value: "${SECRET}"}`, status(401)},
		"not found":        {`auth: {kind: bearer, token: "${SECRET}"}`, status(404)},
		"connection reset": {`auth: {kind: query, name: key, value: "${SECRET}"}`, func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }},
		"redirect": {`auth: {kind: query, name: key, value: "${SECRET}"}`, func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "http://198.51.100.7/"+r.URL.String(), http.StatusFound)
		}},
		"oauth": {e.auth(), status(500)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := setup(t, newCRM(t, c.answer), c.auth+"\n      timeout: 1s")
			f.send("crm", `{"id":"e1","object":"202-555-0142"}`)
			testkit.Eventually(t, "the lookup is logged", func() bool { return strings.Contains(f.log.String(), "event.looked_up") })
			f.stop()
			for _, hidden := range []string{secret, "555-0142", "5550142", "555%20", "/contacts", "key="} {
				if strings.Contains(f.log.String(), hidden) {
					t.Errorf("the log shows %q:\n%s", hidden, f.log.String())
				}
			}
		})
	}
}
