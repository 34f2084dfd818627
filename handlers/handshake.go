package handlers

import (
	"net/http"
	"time"

	"github.com/gin-gonic/gin"

	"callbridge/mapping"
)

// handshakeMethods are those by which CRMs ask whether somebody is there.
// Events come with POST only.
var handshakeMethods = []string{http.MethodGet, http.MethodHead, http.MethodOptions}

// reasonHandshake marks the log line of what was answered and brought nothing.
const reasonHandshake = "handshake"

// handshake answers a CRM that asks whether somebody is there. It reads no
// body and creates nothing.
func (in Intake) handshake(c *gin.Context) {
	start := time.Now()
	line := in.newLine(c, start)
	defer func() { in.finish(c, &line) }()

	source, ok := in.Mapping().Source(line.source)
	if !ok {
		in.refuseUnknown(c, &line)
		return
	}
	if reply, ok := source.Challenge(deliveryOf(c, nil, start)); ok {
		line.reason = reasonHandshake
		write(c, reply)
		return
	}
	if source.Handshakes(c.Request.Method) {
		line.reason = "handshake_refused"
		in.turnAway(c, &line, http.StatusForbidden, "handshake", "the handshake is not the one of this source")
		return
	}
	line.reason = "method"
	c.Header("Allow", http.MethodPost)
	refuse(c, http.StatusMethodNotAllowed, "method_not_allowed", "webhooks are sent with POST")
}

// write sends a reply in which text of a stranger may stand: no browser is to
// read it as anything else than it says.
func write(c *gin.Context, r mapping.Reply) {
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
