package callab

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"callbridge/untrusted"
)

const (
	// DefaultURL is the base of every path in Callab's API reference.
	DefaultURL = "https://api.callab.ai/v1"
	// DefaultTimeout is used if Config.Timeout is zero.
	DefaultTimeout = 15 * time.Second
	// DefaultDialTimeout is used if Config.DialTimeout is zero.
	DefaultDialTimeout = 5 * time.Second
	// DefaultUserAgent is used if Config.UserAgent is empty.
	DefaultUserAgent = "callab-go/1"
)

// Config configures a Client. Only Token is required.
type Config struct {
	// URL is the base of the API: http or https, without user, query and
	// fragment. Empty means DefaultURL.
	URL string
	// Token returns the API key or JWT for "Authorization: Bearer". It is
	// called for each request, so that a token can change at run time.
	Token func() string
	// Timeout bounds the time from the first byte of a request to the last
	// byte of its answer.
	Timeout time.Duration
	// DialTimeout bounds name lookup, TCP and TLS of a new connection.
	DialTimeout time.Duration
	// UserAgent is sent with every request.
	UserAgent string
	// TLS sets, for example, an own certificate authority. HTTP/2 is never
	// negotiated.
	TLS *tls.Config
	// Proxy returns the HTTP proxy through which an https URL is tunnelled;
	// nil means http.ProxyFromEnvironment. A plain http URL is always reached
	// directly: a forwarding proxy may repeat a request.
	Proxy func(*http.Request) (*url.URL, error)
	// Now is the clock for write windows; nil means time.Now.
	Now func() time.Time
	// Trace reports the progress of a create call; it may be nil.
	Trace *Trace
}

// Client is a client of one Callab. It is safe for concurrent use.
type Client struct {
	config Config
	base   *url.URL
	tls    *tls.Config
	reader *http.Client
	dialer *net.Dialer
}

// New returns a Client. It does not connect.
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
	if config.Trace == nil {
		config.Trace = &Trace{}
	}
	c := &Client{config: config, base: base, tls: clientTLS(config.TLS, base.Hostname())}
	c.reader, c.dialer = newReader(c), newDialer(config.Timeout)
	return c, nil
}

func parseBase(text string) (*url.URL, error) {
	// No error quotes the text, since it may hold a password.
	base, err := url.Parse(text)
	switch {
	case err != nil:
		return nil, errors.New("callab URL cannot be parsed")
	case base.Scheme != "http" && base.Scheme != "https":
		return nil, errors.New("callab URL must begin with http:// or https://")
	case base.Hostname() == "":
		return nil, errors.New("callab URL has no host")
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
		// Every create call has a connection of its own; session resumption
		// makes its handshake cheaper. Go's client never sends early data,
		// which could be replayed.
		config.ClientSessionCache = tls.NewLRUClientSessionCache(0)
	}
	return config
}

// newRequest returns a request with the headers that every endpoint needs.
// Path segments must be escaped.
func (c *Client) newRequest(ctx context.Context, method string, body io.Reader, path ...string) (*http.Request, error) {
	token, err := c.token()
	if err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(ctx, method, c.base.JoinPath(path...).String(), body)
	if err != nil {
		return nil, fmt.Errorf("make request: %w", untrusted.NetworkError(err))
	}
	req.Header.Set("Authorization", bearer+token)
	req.Header.Set("User-Agent", c.config.UserAgent)
	req.Header.Set("Accept", "application/json")
	if parent, ok := ctx.Value(traceParent{}).(string); ok {
		req.Header.Set("Traceparent", parent)
	}
	return req, nil
}

// token returns the configured token without surrounding white space, such as
// the line break at the end of a file.
func (c *Client) token() (string, error) {
	token := strings.TrimSpace(c.config.Token())
	if err := CheckToken(token); err != nil {
		return "", fmt.Errorf("use callab token: %w", err)
	}
	return token, nil
}

type traceParent struct{}

// WithTraceParent returns a context whose requests carry the W3C trace context
// header traceparent. A value of another format (https://www.w3.org/TR/trace-context/#traceparent-header:
// at least 55 hexadecimal digits and dashes) is ignored.
func WithTraceParent(ctx context.Context, parent string) context.Context {
	const version00 = len("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
	if len(parent) < version00 || len(parent) > 2*version00 || strings.Trim(parent, "-0123456789abcdef") != "" {
		return ctx
	}
	return context.WithValue(ctx, traceParent{}, parent)
}
