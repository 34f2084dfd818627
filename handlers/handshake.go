package handlers

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/gin-gonic/gin"

	"callbridge/mapping"
	"callbridge/mapping/payload"
)

// handshakeMethods are the methods by which CRMs check, beside POST, that an
// endpoint exists and expects their webhooks. Events come only with POST.
var handshakeMethods = []string{http.MethodGet, http.MethodHead, http.MethodOptions}

// reasonHandshake marks the log line of a handshake that was answered.
const reasonHandshake = "handshake"

// handshake answers a CRM that checks the endpoint. It reads no body and stores
// nothing.
func (in Intake) handshake(c *gin.Context) {
	start := time.Now()
	line := in.newLogLine(c, start)
	defer func() { in.finish(c, &line) }()

	source, ok := in.Mapping().Source(line.source)
	if !ok {
		in.refuseUnknownSource(c, &line)
		return
	}
	handshakes := source.Handshakes()
	if reply, ok := answerHandshake(handshakes, deliveryOf(c, nil, start)); ok {
		in.answer(c, &line, reply)
		return
	}
	if hasHandshake(handshakes, c.Request.Method) {
		line.reason = "handshake_refused"
		in.refuseUnverified(c, &line, http.StatusForbidden, "handshake", "the handshake is not the one of this source")
		return
	}
	line.reason = "method"
	c.Header("Allow", http.MethodPost)
	in.refuseUnverified(c, &line, http.StatusMethodNotAllowed, "method_not_allowed", "webhooks are sent with POST")
}

// answer answers a handshake. Handshakes are not verified, so they count for the limit
// of failures: a CRM makes one when a webhook is set up.
func (in Intake) answer(c *gin.Context, line *logLine, reply handshakeReply) {
	line.reason, line.unverified = reasonHandshake, true
	if wait := in.failures.add(line.sender(), time.Now()); wait > 0 {
		in.refuseLimited(c, line, wait)
		return
	}
	writeReply(c, reply)
}

// writeReply answers a handshake. The body may echo text of an unverified
// sender, so browsers must not guess another content type.
func writeReply(c *gin.Context, r handshakeReply) {
	for name, values := range r.header {
		c.Writer.Header()[name] = values
	}
	c.Header("X-Content-Type-Options", "nosniff")
	if r.contentType == "" {
		c.Status(r.status)
		c.Writer.WriteHeaderNow()
		return
	}
	c.Data(r.status, r.contentType, r.body)
}

// maxEchoBytes bounds what is sent back to an unverified sender.
const maxEchoBytes = 1024

// methodsOf are the HTTP methods of each kind of handshake.
var methodsOf = map[string][]string{
	mapping.HandshakeQuery:   {http.MethodGet},
	mapping.HandshakeBody:    {http.MethodPost},
	mapping.HandshakeHead:    {http.MethodHead},
	mapping.HandshakeHeader:  {http.MethodGet, http.MethodPost},
	mapping.HandshakeOptions: {http.MethodOptions},
}

// handshakeReply is the answer to a handshake.
type handshakeReply struct {
	status int
	header http.Header
	// contentType is that of body; empty without a body.
	contentType string
	body        []byte
}

// hasHandshake reports whether a handshake uses this method.
func hasHandshake(handshakes []mapping.Handshake, method string) bool {
	return slices.ContainsFunc(handshakes, func(h mapping.Handshake) bool {
		return slices.Contains(methodsOf[h.Kind], method)
	})
}

// answerHandshake answers a delivery that is a handshake, and reports whether it
// is one. It is called before verification, since CRMs do not sign handshakes.
func answerHandshake(handshakes []mapping.Handshake, d mapping.Delivery) (handshakeReply, bool) {
	for i := range handshakes {
		h := &handshakes[i]
		if !slices.Contains(methodsOf[h.Kind], d.Method) {
			continue
		}
		if r, ok := answerKind(h, d); ok {
			return r, true
		}
	}
	return handshakeReply{}, false
}

func answerKind(h *mapping.Handshake, d mapping.Delivery) (handshakeReply, bool) {
	switch h.Kind {
	case mapping.HandshakeQuery:
		return echoQuery(h, d)
	case mapping.HandshakeBody:
		return echoBody(h, d)
	case mapping.HandshakeHeader:
		return echoHeader(h, d)
	case mapping.HandshakeOptions:
		return allowOrigin(h, d)
	default:
		return handshakeReply{status: http.StatusOK}, true
	}
}

// echoQuery answers Meta: a GET with a token that the administrator chose, and a
// text to send back as the whole body.
// https://developers.facebook.com/docs/graph-api/webhooks/getting-started
func echoQuery(h *mapping.Handshake, d mapping.Delivery) (handshakeReply, bool) {
	query := d.URL.Query()
	echo := query.Get(h.EchoParam)
	if query.Get(h.ModeParam) != h.Mode || echo == "" || len(echo) > maxEchoBytes {
		return handshakeReply{}, false
	}
	sent, match := sha256.Sum256([]byte(query.Get(h.TokenParam))), 0
	for _, token := range h.Tokens {
		match |= subtle.ConstantTimeCompare(sent[:], token[:])
	}
	if match == 0 {
		return handshakeReply{}, false
	}
	return handshakeReply{status: http.StatusOK, contentType: "text/plain; charset=utf-8", body: []byte(echo)}, true
}

// echoBody answers monday and Slack: a POST with a member to send back.
// https://developer.monday.com/api-reference/reference/webhooks
func echoBody(h *mapping.Handshake, d mapping.Delivery) (handshakeReply, bool) {
	if len(d.Body) > 4*maxEchoBytes {
		return handshakeReply{}, false
	}
	tree, err := payload.Decode(d.Header.Get("Content-Type"), payload.JSON, d.Body)
	object, ok := tree.(map[string]any)
	if err != nil || !ok {
		return handshakeReply{}, false
	}
	echo, isText := object[h.Member].(string)
	_, isEvent := object[h.OnlyIfAbsent]
	if !isText || echo == "" || len(echo) > maxEchoBytes || isEvent {
		return handshakeReply{}, false
	}
	return objectReply(h.Member, echo)
}

// echoHeader answers Asana (the header is sent back) and Okta (its value is sent
// back as a member of the body).
func echoHeader(h *mapping.Handshake, d mapping.Delivery) (handshakeReply, bool) {
	echo := d.Header.Get(h.Header)
	if echo == "" || len(echo) > maxEchoBytes {
		return handshakeReply{}, false
	}
	if h.Field != "" {
		return objectReply(h.Field, echo)
	}
	return handshakeReply{status: http.StatusOK, header: http.Header{http.CanonicalHeaderKey(h.Header): {echo}}}, true
}

// allowOrigin answers the abuse protection of CloudEvents: the headers give the
// permission, not the status. The callback URL that a sender may offer is never
// requested, since an unverified sender chooses it.
// https://github.com/cloudevents/spec/blob/main/cloudevents/http-webhook.md
func allowOrigin(h *mapping.Handshake, d mapping.Delivery) (handshakeReply, bool) {
	origin := d.Header.Get("WebHook-Request-Origin")
	allowAll := slices.Contains(h.AllowedOrigins, "*")
	if origin == "" || !allowAll && !slices.Contains(h.AllowedOrigins, origin) {
		return handshakeReply{}, false
	}
	if allowAll {
		origin = "*"
	}
	headers := http.Header{"Allow": {http.MethodPost}}
	headers.Set("WebHook-Allowed-Origin", origin)
	if requested := d.Header.Get("WebHook-Request-Rate"); requested != "" {
		headers.Set("WebHook-Allowed-Rate", allowedRate(h.AllowedRate, requested))
	}
	return handshakeReply{status: http.StatusOK, header: headers}, true
}

// allowedRate is the requested rate, up to the limit: requests a minute.
func allowedRate(limit int, requested string) string {
	if limit == 0 {
		return "*"
	}
	if n, err := strconv.Atoi(requested); err == nil && n > 0 && n < limit {
		return requested
	}
	return strconv.Itoa(limit)
}

// objectReply is a JSON object of one member.
func objectReply(name, value string) (handshakeReply, bool) {
	body, err := json.Marshal(map[string]string{name: value})
	return handshakeReply{status: http.StatusOK, contentType: "application/json", body: body}, err == nil
}
