package callab

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"
)

const (
	idleReaders     = 4
	idleReaderLimit = 30 * time.Second
)

// newReader makes the HTTP client for what may be asked twice. It keeps
// connections, and follows no redirect: the token goes to Callab only.
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

// GetCall reads one call. Callab does not tell "not found" from other errors:
// both are an *Error.
func (c *Client) GetCall(ctx context.Context, id string) (Call, error) {
	if strings.Trim(id, ".") == "" {
		return Call{}, errors.New("get call: no id")
	}
	e, err := c.get(ctx, nil, "calls", url.PathEscape(id))
	if err != nil {
		return Call{}, fmt.Errorf("get call: %w", err)
	}
	call, err := e.call()
	if err != nil || call.ID == "" {
		return Call{}, errors.New("get call: answer holds no call")
	}
	return call, nil
}

// QueryCalls reads one page of calls, newest first unless the query says
// otherwise. A page that cannot be read in full is an error: a call that is
// overlooked could be placed again.
func (c *Client) QueryCalls(ctx context.Context, query Query) ([]Call, error) {
	e, err := c.get(ctx, query.values(), "calls", "query")
	if err != nil {
		return nil, fmt.Errorf("query calls: %w", err)
	}
	var calls []Call
	if err := json.Unmarshal(e.Data, &calls); err != nil || calls == nil {
		return nil, errors.New("query calls: answer holds no list of calls")
	}
	for _, call := range calls {
		if call.ID == "" {
			return nil, errors.New("query calls: answer holds a call without an id")
		}
	}
	return calls, nil
}

// get reads an envelope that says "ok".
func (c *Client) get(ctx context.Context, query url.Values, path ...string) (envelope, error) {
	req, err := c.newRequest(ctx, http.MethodGet, path...)
	if err != nil {
		return envelope{}, err
	}
	if err := c.setHeader(req); err != nil {
		return envelope{}, err
	}
	req.URL.RawQuery = query.Encode()
	resp, err := c.reader.Do(req)
	if err != nil {
		return envelope{}, wireError(err)
	}
	r, err := newReply(resp)
	if err != nil {
		return envelope{}, wireError(err)
	}
	r = r.scrub(req)
	e := r.envelope()
	if !r.success() || !e.ok() {
		return envelope{}, r.asError(e, c.config.Now())
	}
	return e, nil
}

// scrubbable is the least length of a token that cannot stand in an answer by
// chance.
const scrubbable = 16

// scrub takes our token out of an answer that repeats it: the answer goes into
// results and logs.
func (r reply) scrub(req *http.Request) reply {
	token := strings.TrimPrefix(req.Header.Get("Authorization"), bearer)
	if len(token) >= scrubbable {
		r.body = bytes.ReplaceAll(r.body, []byte(token), []byte("[token]"))
	}
	return r
}

var errNotHTTP = errors.New("answer is not HTTP")

// wireError keeps errors of the network and of TLS. Others of net/http quote
// what the server sent, or the URL, and may hold anything.
func wireError(err error) error {
	// *url.Error prints the query, where the telephone number is.
	var outer *url.Error
	if errors.As(err, &outer) {
		err = outer.Err
	}
	var network net.Error
	var certificate *tls.CertificateVerificationError
	switch {
	case errors.As(err, &network), errors.As(err, &certificate),
		errors.Is(err, ErrWindowClosed), errors.Is(err, context.Canceled),
		errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return err
	}
	return errNotHTTP
}
