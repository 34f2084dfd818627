package mapping

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/json"
	"net/http"
	"slices"
	"strconv"

	"callbridge/mapping/payload"
)

// Kinds of handshakes.
const (
	challengeQuery   = "query_echo"
	challengeBody    = "body_echo"
	challengeHead    = "head_ok"
	challengeHeader  = "header_echo"
	challengeOptions = "cloudevents_options"
	challengeIgnore  = "ignore"
)

// challengeKeys are the keys that each kind takes beside kind itself.
var challengeKeys = map[string][]string{
	challengeQuery:   {"mode_param", "mode", "token_param", "token", "echo_param"},
	challengeBody:    {"path", "only_if_absent"},
	challengeHead:    {},
	challengeHeader:  {"header", "field"},
	challengeOptions: {"allowed_origins", "allowed_rate"},
	challengeIgnore:  {"path", "equals"},
}

// challengeMethods are the HTTP methods that a kind answers before anything is
// verified. A POST to ignore is verified first.
var challengeMethods = map[string][]string{
	challengeQuery:   {http.MethodGet},
	challengeBody:    {http.MethodPost},
	challengeHead:    {http.MethodHead},
	challengeHeader:  {http.MethodGet, http.MethodPost},
	challengeOptions: {http.MethodOptions},
}

// maxEcho bounds what is sent back to somebody who has proved nothing.
const maxEcho = 1024

// Reply is the answer to a handshake.
type Reply struct {
	Status int
	Header http.Header
	// ContentType is that of Body; empty without a body.
	ContentType string
	Body        []byte
}

// challenge is one handshake by which a CRM asks whether somebody is there who
// wants its webhooks. Answering one creates nothing.
type challenge struct {
	kind                         string
	modeParam, mode              string
	tokenParam, echoParam        string
	tokens                       [][sha256.Size]byte
	path                         payload.Path
	member, onlyIfAbsent, equals string
	header, field                string
	allowedOrigins               []string
	allowedRate                  int
}

// Handshakes reports whether the source answers requests of this method, other
// than the POSTs that bring events.
func (s *Source) Handshakes(method string) bool {
	return slices.ContainsFunc(s.challenges, func(c challenge) bool {
		return slices.Contains(challengeMethods[c.kind], method)
	})
}

// Challenge answers a delivery that is a handshake, and reports whether it is
// one. It comes before verification: a CRM signs no handshake.
func (s *Source) Challenge(d Delivery) (Reply, bool) {
	for i := range s.challenges {
		c := &s.challenges[i]
		if !slices.Contains(challengeMethods[c.kind], d.Method) {
			continue
		}
		if reply, ok := c.answer(d); ok {
			return reply, true
		}
	}
	return Reply{}, false
}

// ignores reports whether a delivery, verified by now, is no event.
func (s *Source) ignores(root payload.Value) bool {
	return slices.ContainsFunc(s.challenges, func(c challenge) bool {
		if c.kind != challengeIgnore {
			return false
		}
		found, _ := c.path.Lookup(root)
		text, ok := scalarText(found)
		return ok && text == c.equals
	})
}

func (c *challenge) answer(d Delivery) (Reply, bool) {
	switch c.kind {
	case challengeQuery:
		return c.echoQuery(d)
	case challengeBody:
		return c.echoBody(d)
	case challengeHeader:
		return c.echoHeader(d)
	case challengeOptions:
		return c.consent(d)
	default:
		return Reply{Status: http.StatusOK}, true
	}
}

// echoQuery answers Meta: a GET with a token that the administrator chose, and
// a text to send back bare.
// https://developers.facebook.com/docs/graph-api/webhooks/getting-started
func (c *challenge) echoQuery(d Delivery) (Reply, bool) {
	query := d.url().Query()
	echo := query.Get(c.echoParam)
	if query.Get(c.modeParam) != c.mode || echo == "" || len(echo) > maxEcho {
		return Reply{}, false
	}
	given, match := sha256.Sum256([]byte(query.Get(c.tokenParam))), 0
	for _, token := range c.tokens {
		match |= subtle.ConstantTimeCompare(given[:], token[:])
	}
	if match == 0 {
		return Reply{}, false
	}
	return textReply(echo), true
}

// echoBody answers monday and Slack: a POST whose body holds nothing but a
// text to send back in the same member.
// https://developer.monday.com/api-reference/reference/webhooks
func (c *challenge) echoBody(d Delivery) (Reply, bool) {
	if len(d.Body) > 4*maxEcho {
		return Reply{}, false
	}
	tree, err := payload.Decode(d.Header.Get("Content-Type"), payload.JSON, d.Body)
	object, ok := tree.(map[string]any)
	if err != nil || !ok {
		return Reply{}, false
	}
	echo, isText := object[c.member].(string)
	_, isEvent := object[c.onlyIfAbsent]
	if !isText || echo == "" || len(echo) > maxEcho || isEvent {
		return Reply{}, false
	}
	return memberReply(c.member, echo)
}

// echoHeader answers Asana (the header comes back) and Okta (a member of the
// body is its value).
func (c *challenge) echoHeader(d Delivery) (Reply, bool) {
	echo := d.Header.Get(c.header)
	if echo == "" || len(echo) > maxEcho {
		return Reply{}, false
	}
	if c.field != "" {
		return memberReply(c.field, echo)
	}
	return Reply{Status: http.StatusOK, Header: http.Header{http.CanonicalHeaderKey(c.header): {echo}}}, true
}

// consent answers the abuse protection of CloudEvents: the headers are the
// consent, the status says nothing. The callback that a sender may offer is
// never called, since anybody can name any URL there.
// https://github.com/cloudevents/spec/blob/main/cloudevents/http-webhook.md
func (c *challenge) consent(d Delivery) (Reply, bool) {
	origin := d.Header.Get("WebHook-Request-Origin")
	anybody := slices.Contains(c.allowedOrigins, "*")
	if origin == "" || !anybody && !slices.Contains(c.allowedOrigins, origin) {
		return Reply{}, false
	}
	if anybody {
		origin = "*"
	}
	headers := http.Header{"Allow": {http.MethodPost}}
	headers.Set("WebHook-Allowed-Origin", origin)
	if asked := d.Header.Get("WebHook-Request-Rate"); asked != "" {
		headers.Set("WebHook-Allowed-Rate", c.rate(asked))
	}
	return Reply{Status: http.StatusOK, Header: headers}, true
}

// rate is what is asked for, as far as it is allowed: requests a minute.
func (c *challenge) rate(asked string) string {
	if c.allowedRate == 0 {
		return "*"
	}
	if n, err := strconv.Atoi(asked); err == nil && n > 0 && n < c.allowedRate {
		return asked
	}
	return strconv.Itoa(c.allowedRate)
}

func textReply(body string) Reply {
	return Reply{Status: http.StatusOK, ContentType: "text/plain; charset=utf-8", Body: []byte(body)}
}

// memberReply is a JSON object of one member.
func memberReply(name, value string) (Reply, bool) {
	body, err := json.Marshal(map[string]string{name: value})
	return Reply{Status: http.StatusOK, ContentType: "application/json", Body: body}, err == nil
}
