package lookup

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"

	"callbridge/event"
	"callbridge/mapping"
)

const (
	// attemptTimeout bounds one question with its redirects.
	attemptTimeout = 15 * time.Second
	// maxAnswerSize is the largest answer that is read, unpacked.
	maxAnswerSize = 1 << 20
	maxRedirects  = 3
)

// newClient follows no redirect by itself: where one leads, and what goes
// along, is decided in follow.
func newClient() *http.Client {
	return &http.Client{
		Transport: &http.Transport{
			Proxy: http.ProxyFromEnvironment, ForceAttemptHTTP2: true,
			MaxIdleConnsPerHost: workers, IdleConnTimeout: time.Minute, TLSHandshakeTimeout: attemptTimeout,
		},
		Timeout:       attemptTimeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// ask asks once. An access token that was had before and is refused now is
// renewed, and the question asked again.
func (f *Finder) ask(ctx context.Context, q *mapping.LookupRequest) (answered, error) {
	ctx, cancel := context.WithTimeout(ctx, attemptTimeout)
	defer cancel()
	if q.Auth.Kind != mapping.AuthOAuth {
		return f.fetch(ctx, q, "")
	}
	for {
		token, old, err := f.tokens.get(ctx, q.Auth, time.Now())
		if err != nil {
			return answered{}, err
		}
		a, err := f.fetch(ctx, q, token)
		if err != nil || a.status != http.StatusUnauthorized || !old {
			return a, err
		}
		f.tokens.drop(q.Auth, token)
	}
}

// fetch follows redirects among the source's hosts.
func (f *Finder) fetch(ctx context.Context, q *mapping.LookupRequest, token string) (answered, error) {
	address, err := url.Parse(q.URL)
	if err != nil {
		return answered{}, final("the look-up's URL cannot be read")
	}
	first := address
	for hop := 0; ; hop++ {
		response, err := f.send(ctx, q, address, address.Host == first.Host, token)
		if err != nil {
			return answered{}, err
		}
		next := response.Header.Get("Location")
		if response.StatusCode < 300 || response.StatusCode >= 400 || next == "" {
			return read(response)
		}
		_ = response.Body.Close()
		if hop == maxRedirects {
			return answered{}, final("the API redirects without an end")
		}
		if address, err = follow(q, first, address, next); err != nil {
			return answered{}, err
		}
	}
}

// follow decides whether a redirect is followed. Hosts that the source does
// not name are not asked, a POST is not sent to another address, and nothing
// goes out unencrypted that was not before.
func follow(q *mapping.LookupRequest, first, from *url.URL, location string) (*url.URL, error) {
	to, err := from.Parse(location)
	switch {
	case err != nil:
		return nil, final("the redirect cannot be read")
	case q.Method != http.MethodGet:
		return nil, final("the API redirects a POST")
	case to.Scheme != first.Scheme || !slices.Contains(q.Hosts, to.Host):
		return nil, final(fmt.Sprintf("the API redirects to %.100q, which is not one of the source's hosts", to.Host))
	}
	if q.Auth.Kind == mapping.AuthQuery && to.Host != first.Host {
		query := to.Query()
		query.Del(q.Auth.Name)
		to.RawQuery = query.Encode()
	}
	return to, nil
}

// send sends one request. Only the first host gets our credentials.
func (f *Finder) send(ctx context.Context, q *mapping.LookupRequest, address *url.URL, ours bool, token string) (*http.Response, error) {
	request, err := http.NewRequestWithContext(ctx, q.Method, address.String(), bytes.NewReader(q.Body))
	if err != nil {
		return nil, final("make the look-up: " + plain(err).Error())
	}
	request.Header = q.Header.Clone()
	if request.Header.Get("Accept") == "" {
		request.Header.Set("Accept", "application/json, application/xml;q=0.9")
	}
	if len(q.Body) > 0 {
		request.Header.Set("Content-Type", "application/json")
	}
	if ours {
		authorize(request, q.Auth, token)
	}
	response, err := f.client.Do(request)
	if err != nil {
		return nil, plain(err)
	}
	return response, nil
}

// authorize adds the credentials.
func authorize(request *http.Request, a mapping.Auth, token string) {
	switch a.Kind {
	case mapping.AuthBearer:
		request.Header.Set("Authorization", "Bearer "+a.Token.Reveal())
	case mapping.AuthHeader:
		request.Header.Set(a.Name, a.Prefix+a.Value.Reveal())
	case mapping.AuthQuery:
		query := request.URL.Query()
		query.Set(a.Name, a.Value.Reveal())
		request.URL.RawQuery = query.Encode()
	case mapping.AuthBasic:
		request.SetBasicAuth(a.User.Reveal(), a.Password.Reveal())
	case mapping.AuthOAuth:
		request.Header.Set("Authorization", a.HeaderScheme+" "+token)
	}
}

func read(response *http.Response) (answered, error) {
	defer func() { _ = response.Body.Close() }()
	a := answered{status: response.StatusCode, header: response.Header, contentType: response.Header.Get("Content-Type")}
	body, err := io.ReadAll(io.LimitReader(response.Body, maxAnswerSize+1))
	switch {
	case err != nil:
		return a, fmt.Errorf("read the API's answer: %w", plain(err))
	case len(body) > maxAnswerSize:
		return a, final("the API's answer is larger than " + strconv.Itoa(maxAnswerSize) + " bytes")
	}
	a.body = body
	return a, nil
}

// plain is an error without the URL, which may hold a name or a key.
func plain(err error) error {
	var with *url.Error
	if errors.As(err, &with) {
		err = with.Err
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return errors.New("no answer within " + attemptTimeout.String())
	}
	return errors.New(event.Redact(err.Error()))
}
