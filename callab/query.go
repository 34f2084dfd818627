package callab

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"callbridge/untrusted"
)

// Query holds the parameters of GET /calls/query that are needed to find a
// call. Zero fields are not sent; Callab's defaults are newest first, 10 per page.
// Source: https://docs.callab.ai/api-reference/campaign-calls/query.
type Query struct {
	// Search is looked for in call_to, notes, feedback and transcript.
	Search string
	// Page counts from 0. PerPage has no documented maximum; Callab may
	// send fewer.
	Page, PerPage int
	// NewestUpdate asks for the call that changed last first. Whether the list really
	// has that order is for SortedByUpdate.
	NewestUpdate bool
}

func (q Query) values() url.Values {
	v := url.Values{}
	if q.Search != "" {
		v.Set("search", q.Search)
	}
	if q.Page != 0 {
		v.Set("page", strconv.Itoa(q.Page))
	}
	if q.PerPage != 0 {
		v.Set("per_page", strconv.Itoa(q.PerPage))
	}
	if q.NewestUpdate {
		v.Set("sort_column", "updated_at")
		v.Set("order", "desc")
	}
	return v
}

// SortedByUpdate reports whether each call of a page has a time of its last change, and
// none is newer than the one before it. A page that is not sorted proves nothing about
// the calls of later pages.
func SortedByUpdate(calls []Call) bool {
	for i, call := range calls {
		if call.UpdatedAt.IsZero() || i > 0 && call.UpdatedAt.After(calls[i-1].UpdatedAt.Time) {
			return false
		}
	}
	return true
}

// GetCall reads one call. Nothing is repeated, but that net/http sends a GET again whose
// idle connection was closed. A call that Callab does not know is an *Error for which
// Gone is true. An answer with another call is an error: its end would be taken for that
// of the call that was asked for.
func (c *Client) GetCall(ctx context.Context, id string) (Call, error) {
	if strings.Trim(id, ".") == "" || !validID(id) {
		return Call{}, errors.New("get call: no id of a call")
	}
	e, err := c.get(ctx, nil, "calls", url.PathEscape(id))
	if err != nil {
		return Call{}, fmt.Errorf("get call: %w", err)
	}
	call, err := e.call()
	if err != nil || !validID(call.ID) {
		return Call{}, errors.New("get call: answer holds no call")
	}
	if !strings.EqualFold(call.ID, id) {
		return Call{}, errors.New("get call: answer holds another call")
	}
	return call, nil
}

// QueryCalls reads one page of calls, newest first. A page that cannot be read
// completely is an error: a call that is overlooked could be placed again. A list that is
// null is empty.
func (c *Client) QueryCalls(ctx context.Context, query Query) ([]Call, error) {
	e, err := c.get(ctx, query.values(), "calls", "query")
	if err != nil {
		return nil, fmt.Errorf("query calls: %w", err)
	}
	var calls []Call
	if err := json.Unmarshal(e.Data, &calls); err != nil {
		return nil, errors.New("query calls: answer holds no list of calls")
	}
	if calls == nil {
		return []Call{}, nil
	}
	for _, call := range calls {
		if !validID(call.ID) {
			return nil, errors.New("query calls: answer holds a call without a valid id")
		}
	}
	return calls, nil
}

// get sends a GET request and returns the envelope of a successful answer.
func (c *Client) get(ctx context.Context, query url.Values, path ...string) (envelope, error) {
	req, err := c.newRequest(ctx, http.MethodGet, nil, path...)
	if err != nil {
		return envelope{}, err
	}
	req.URL.RawQuery = query.Encode()
	resp, err := c.reader.Do(req)
	if err != nil {
		return envelope{}, untrusted.NetworkError(err)
	}
	r, err := readBody(resp, maxListBytes)
	if err != nil {
		return envelope{}, untrusted.NetworkError(err)
	}
	r = r.withoutToken(req)
	e := r.envelope()
	if !r.success() || !e.ok() {
		return envelope{}, r.asError(e, c.config.Now())
	}
	return e, nil
}

const (
	idleReaders     = 4
	idleReaderLimit = 30 * time.Second
)

// newReader returns the HTTP client for requests that may be repeated. It
// reuses connections, and follows no redirect: the token is for Callab only.
func newReader(c *Client) *http.Client {
	transport := &http.Transport{
		TLSClientConfig: c.tls, TLSHandshakeTimeout: c.config.DialTimeout,
		DialContext:         (&net.Dialer{Timeout: c.config.DialTimeout}).DialContext,
		MaxIdleConnsPerHost: idleReaders, IdleConnTimeout: idleReaderLimit,
	}
	if c.base.Scheme == "https" {
		transport.Proxy = c.config.Proxy
	}
	return &http.Client{
		Transport: transport, Timeout: c.config.DialTimeout + c.config.Timeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// withoutToken replaces our token in the body, which goes into results and logs.
func (r response) withoutToken(req *http.Request) response {
	r.body = untrusted.Secrets{strings.TrimPrefix(req.Header.Get("Authorization"), bearer)}.Scrub(r.body)
	return r
}

var errNotHTTP = errors.New("answer is not HTTP")
