package handlers

import (
	"net/http"
	"time"

	"github.com/gin-gonic/gin"

	"callbridge/mapping"
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
	if reply, ok := source.Challenge(deliveryOf(c, nil, start)); ok {
		line.reason = reasonHandshake
		writeReply(c, reply)
		return
	}
	if source.Handshakes(c.Request.Method) {
		line.reason = "handshake_refused"
		in.refuseUnverified(c, &line, http.StatusForbidden, "handshake", "the handshake is not the one of this source")
		return
	}
	line.reason = "method"
	c.Header("Allow", http.MethodPost)
	refuse(c, http.StatusMethodNotAllowed, "method_not_allowed", "webhooks are sent with POST")
}

// writeReply answers a handshake. The body may echo text of an unverified
// sender, so browsers must not guess another content type.
func writeReply(c *gin.Context, r mapping.Reply) {
	for name, values := range r.Header {
		c.Writer.Header()[name] = values
	}
	c.Header("X-Content-Type-Options", "nosniff")
	if r.ContentType == "" {
		c.Status(r.Status)
		c.Writer.WriteHeaderNow()
		return
	}
	c.Data(r.Status, r.ContentType, r.Body)
}
