package lookup

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"

	"callbridge/mapping/lookups"
	"callbridge/untrusted"
)

const (
	// attemptTimeout limits one request with its redirects.
	attemptTimeout = 15 * time.Second
	// maxResponseBytes limits a response's body, decompressed.
	maxResponseBytes = 1 << 20
	maxRedirects     = 3
)

// newClient returns a client that does not follow redirects: follow decides which
// are followed, and send with which credentials.
func newClient() *http.Client {
	return &http.Client{
		Transport: &http.Transport{
			Proxy: http.ProxyFromEnvironment, ForceAttemptHTTP2: true,
			MaxIdleConnsPerHost: perSource, IdleConnTimeout: time.Minute, TLSHandshakeTimeout: attemptTimeout,
		},
		Timeout:       attemptTimeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// fetch sends the request of a lookup and returns the response, whatever its
// status. If the CRM refuses a cached access token, fetch renews the token and
// repeats the request.
func (s *Service) fetch(ctx context.Context, q *lookups.Request) (response, error) {
	ctx, cancel := context.WithTimeout(ctx, attemptTimeout)
	defer cancel()
	if q.Auth.Kind != lookups.AuthOAuth {
		return s.fetchWithToken(ctx, q, "")
	}
	for {
		token, cached, err := s.tokens.get(ctx, q.Auth, time.Now())
		if err != nil {
			return response{}, err
		}
		r, err := s.fetchWithToken(ctx, q, token)
		if err != nil || !cached || classify(q.Meaning(r.status, r.contentType, r.body), r, nil, time.Now()).result != refused {
			return r, err
		}
		s.tokens.invalidate(q.Auth, token)
	}
}

// fetchWithToken follows redirects among the source's hosts.
func (s *Service) fetchWithToken(ctx context.Context, q *lookups.Request, token string) (response, error) {
	address, err := url.Parse(q.URL)
	if err != nil {
		return response{}, permanentError("the lookup's URL cannot be read")
	}
	first := address
	for hop := 0; ; hop++ {
		got, err := s.send(ctx, q, address, address.Host == first.Host, token)
		if err != nil {
			return response{}, err
		}
		next := got.Header.Get("Location")
		if got.StatusCode < 300 || got.StatusCode >= 400 || next == "" {
			return readResponse(got, secrets(q.Auth, token))
		}
		_ = got.Body.Close()
		if hop == maxRedirects {
			return response{}, permanentError("the API redirects too often")
		}
		if address, err = follow(q, first, address, next, secrets(q.Auth, token)); err != nil {
			return response{}, err
		}
	}
}

// follow returns where a redirect leads, or why it is not followed: to a host that
// the source does not name, from HTTPS to HTTP, or with a POST.
func follow(q *lookups.Request, first, from *url.URL, location string, hidden untrusted.Secrets) (*url.URL, error) {
	to, err := from.Parse(location)
	switch {
	case err != nil:
		return nil, permanentError("the redirect cannot be read")
	case q.Method != http.MethodGet:
		return nil, permanentError("the API redirects a POST")
	case to.Scheme != first.Scheme || !slices.Contains(q.Hosts, to.Host):
		host := untrusted.Log(hidden.ScrubString(to.Host))
		return nil, permanentError(fmt.Sprintf("the API redirects to %q, which is not one of the source's hosts", host))
	}
	if q.Auth.Kind == lookups.AuthQuery && to.Host != first.Host {
		query := to.Query()
		query.Del(q.Auth.Name)
		to.RawQuery = query.Encode()
	}
	return to, nil
}

// send sends one request, with credentials only to the host that the source is
// configured with.
func (s *Service) send(ctx context.Context, q *lookups.Request, address *url.URL, withCredentials bool, token string) (*http.Response, error) {
	request, err := http.NewRequestWithContext(ctx, q.Method, address.String(), bytes.NewReader(q.Body))
	if err != nil {
		return nil, permanentError("make the lookup: " + withoutPeer(err).Error())
	}
	request.Header = q.Header.Clone()
	if request.Header.Get("Accept") == "" {
		request.Header.Set("Accept", "application/json, application/xml;q=0.9")
	}
	if len(q.Body) > 0 {
		request.Header.Set("Content-Type", "application/json")
	}
	if withCredentials {
		authorize(request, q.Auth, token)
	}
	response, err := s.client.Do(request)
	if err != nil {
		return nil, withoutPeer(err)
	}
	return response, nil
}

// authorize adds the source's credentials to a request.
func authorize(request *http.Request, a lookups.Auth, token string) {
	switch a.Kind {
	case lookups.AuthBearer:
		request.Header.Set("Authorization", "Bearer "+a.Token.Reveal())
	case lookups.AuthHeader:
		request.Header.Set(a.Name, a.Prefix+a.Value.Reveal())
	case lookups.AuthQuery:
		query := request.URL.Query()
		query.Set(a.Name, a.Value.Reveal())
		request.URL.RawQuery = query.Encode()
	case lookups.AuthBasic:
		request.SetBasicAuth(a.User.Reveal(), a.Password.Reveal())
	case lookups.AuthOAuth:
		request.Header.Set("Authorization", a.HeaderScheme+" "+token)
	}
}

// secrets are the credentials that an answer may repeat. The user of basic is one if
// there is no password: then it is a key.
func secrets(a lookups.Auth, token string) untrusted.Secrets {
	user, password := a.User.Reveal(), a.Password.Reveal()
	s := untrusted.Secrets{
		a.Token.Reveal(), a.Value.Reveal(), password, a.ClientSecret.Reveal(), a.RefreshToken.Reveal(), token,
	}
	if user == "" {
		return s
	}
	if password == "" {
		s = append(s, user)
	}
	return append(s, base64.StdEncoding.EncodeToString([]byte(user+":"+password)))
}

// readResponse reads the answer, without our credentials where it repeats them: the
// answer becomes part of the event, and so of results.
func readResponse(from *http.Response, hidden untrusted.Secrets) (response, error) {
	defer func() { _ = from.Body.Close() }()
	r := response{status: from.StatusCode, header: from.Header, contentType: from.Header.Get("Content-Type")}
	body, err := io.ReadAll(io.LimitReader(from.Body, maxResponseBytes+1))
	switch {
	case err != nil:
		return r, fmt.Errorf("read the API's answer: %w", withoutPeer(err))
	case len(body) > maxResponseBytes:
		return r, permanentError("the API's answer is larger than " + strconv.Itoa(maxResponseBytes) + " bytes")
	}
	r.body = hidden.Scrub(body)
	return r, nil
}

// withoutPeer removes from an error what the peer sent, which may repeat our
// credentials, and the URL, which may contain a name or a key.
func withoutPeer(err error) error {
	if errors.Is(err, context.DeadlineExceeded) {
		return errors.New("no answer within " + attemptTimeout.String())
	}
	return untrusted.NetworkError(err)
}
