// Package callab is a client of the Callab REST API (https://docs.callab.ai):
// it places calls and reads them back. It is the last step of a webhook's way
// and knows nothing of the steps before it.
//
// Creating a call has no idempotency key, so a request that creates one leaves
// this package at most once: on a connection of its own, in one write, inside
// a time window, and nothing here ever sends it again. What came of it is an
// Answer, which tells "not sent" from "nobody knows".
package callab

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"
)

const (
	// DefaultURL is the base of every path in Callab's API reference.
	DefaultURL = "https://api.callab.ai/v1"
	// DefaultTimeout is Config.Timeout where that is zero.
	DefaultTimeout = 15 * time.Second
	// DefaultDialTimeout is Config.DialTimeout where that is zero.
	DefaultDialTimeout = 5 * time.Second
	// DefaultUserAgent is Config.UserAgent where that is empty.
	DefaultUserAgent = "callab-go/1"
)

// Config is how Callab is reached. Only Token has no default.
type Config struct {
	// URL is the base of the API: http or https, without user, query and
	// fragment. DefaultURL if empty.
	URL string
	// Token returns the API key or JWT for "Authorization: Bearer". It is
	// asked at each request, so that a token may change while we run.
	Token func() string
	// Timeout bounds the time from the first byte of a request to the last
	// byte of its answer.
	Timeout time.Duration
	// DialTimeout bounds name lookup, TCP and TLS of a new connection.
	DialTimeout time.Duration
	// UserAgent is sent with every request.
	UserAgent string
	// TLS is for a server with a certificate authority of its own. HTTP/2 is
	// never negotiated, whatever it says.
	TLS *tls.Config
	// Proxy names the HTTP proxy that an https URL is tunnelled through;
	// http.ProxyFromEnvironment if nil. A plain http URL is reached directly:
	// a forwarding proxy may send a request again by itself.
	Proxy func(*http.Request) (*url.URL, error)
	// Now is the clock that write windows are held against; time.Now if nil.
	Now func() time.Time
	// Trace is told how far a call has come. Nil costs nothing.
	Trace *Trace
}

// Client speaks to one Callab. It is safe for concurrent use.
type Client struct {
	config Config
	base   *url.URL
	tls    *tls.Config
	reader *http.Client
	dialer *net.Dialer
	// create and test are the requests that place a call, without what is
	// said in each anew.
	create, test *http.Request
}

// New makes a Client. It does not connect.
func New(config Config) (*Client, error) {
	base, err := parseBase(cmp.Or(config.URL, DefaultURL))
	if err != nil {
		return nil, err
	}
	if config.Token == nil {
		return nil, errors.New("callab needs a token")
	}
	if config.Timeout < 0 || config.DialTimeout < 0 {
		return nil, errors.New("callab timeouts must not be negative")
	}
	config.Timeout = cmp.Or(config.Timeout, DefaultTimeout)
	config.DialTimeout = cmp.Or(config.DialTimeout, DefaultDialTimeout)
	config.UserAgent = cmp.Or(config.UserAgent, DefaultUserAgent)
	if config.Now == nil {
		config.Now = time.Now
	}
	if config.Proxy == nil {
		config.Proxy = http.ProxyFromEnvironment
	}
	c := &Client{config: config, base: base, tls: clientTLS(config.TLS, base.Hostname())}
	c.reader, c.dialer = newReader(c), newDialer(config.Timeout)
	if c.create, err = c.newRequest(context.Background(), http.MethodPost, "calls"); err != nil {
		return nil, err
	}
	c.test, err = c.newRequest(context.Background(), http.MethodPost, "calls", "make-call")
	return c, err
}

func parseBase(text string) (*url.URL, error) {
	// The text itself stays out of every error: somebody may have put a
	// password into it.
	base, err := url.Parse(text)
	switch {
	case err != nil:
		return nil, errors.New("callab URL cannot be read")
	case base.Scheme != "http" && base.Scheme != "https":
		return nil, errors.New("callab URL must begin with http:// or https://")
	case base.Hostname() == "":
		return nil, errors.New("callab URL names no host")
	case base.User != nil:
		return nil, errors.New("callab URL must not hold a user or password")
	case base.RawQuery != "" || base.ForceQuery || base.Fragment != "":
		return nil, errors.New("callab URL must not have a query or fragment")
	}
	return base, nil
}

func clientTLS(config *tls.Config, host string) *tls.Config {
	config = config.Clone()
	if config == nil {
		config = &tls.Config{}
	}
	config.NextProtos = []string{"http/1.1"}
	config.ServerName = cmp.Or(config.ServerName, host)
	// A create call fits into one full-size record, hence into one write.
	config.DynamicRecordSizingDisabled = true
	if config.ClientSessionCache == nil {
		// Every call has a connection of its own; resuming makes the second
		// handshake cheap. Go's client never sends early data, which a
		// server could be made to take twice.
		config.ClientSessionCache = tls.NewLRUClientSessionCache(0)
	}
	return config
}

// newRequest makes a request that says nothing yet. Path segments must be
// escaped.
func (c *Client) newRequest(ctx context.Context, method string, path ...string) (*http.Request, error) {
	req, err := http.NewRequestWithContext(ctx, method, c.base.JoinPath(path...).String(), nil)
	if err != nil {
		return nil, fmt.Errorf("make request: %w", err)
	}
	return req, nil
}

// setHeader sets the headers that every endpoint wants.
func (c *Client) setHeader(req *http.Request) error {
	token, err := c.token()
	if err != nil {
		return err
	}
	req.Header = http.Header{
		"Authorization": {bearer + token},
		"User-Agent":    {c.config.UserAgent},
		"Accept":        {"application/json"},
	}
	if parent, ok := req.Context().Value(traceParent{}).(string); ok {
		req.Header.Set("Traceparent", parent)
	}
	return nil
}

const bearer = "Bearer "

// token returns what stands behind "Bearer". RFC 6750 allows no character
// that could end a header line; a file's last line break is forgiven.
func (c *Client) token() (string, error) {
	token := strings.TrimSpace(c.config.Token())
	if token == "" {
		return "", errors.New("callab token is empty")
	}
	for _, b := range []byte(token) {
		if b <= ' ' || b > '~' {
			return "", errors.New("callab token holds a character that no header can carry")
		}
	}
	return token, nil
}

type traceParent struct{}

// WithTraceParent returns a context whose requests carry the W3C trace context
// header traceparent. A value that is not of its form (55 visible characters
// or more, https://www.w3.org/TR/trace-context/#traceparent-header) is left out.
func WithTraceParent(ctx context.Context, parent string) context.Context {
	const version00 = len("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
	if len(parent) < version00 || len(parent) > 2*version00 || strings.Trim(parent, "-0123456789abcdef") != "" {
		return ctx
	}
	return context.WithValue(ctx, traceParent{}, parent)
}
