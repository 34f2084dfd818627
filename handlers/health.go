package handlers

import (
	"context"
	"net/http"
	"time"

	"github.com/gin-gonic/gin"
)

// Check says why one part is not ready, or nil.
type Check struct {
	Name string
	Ask  func(context.Context) error
}

// Health is what /readyz asks. /livez answers as long as the process does:
// restarting it would not bring back a NATS that is away.
type Health struct {
	Checks []Check
	// Info is shown beside the checks, such as the configuration's hash.
	Info func() map[string]any
}

// readyTimeout bounds all checks together, below the second that probes
// usually allow.
const readyTimeout = 900 * time.Millisecond

func (h Health) mount(engine *gin.Engine) {
	engine.GET("/livez", func(c *gin.Context) { c.JSON(http.StatusOK, gin.H{"alive": true}) })
	engine.GET("/readyz", h.ready)
}

func (h Health) ready(c *gin.Context) {
	ctx, cancel := context.WithTimeout(c.Request.Context(), readyTimeout)
	defer cancel()
	status, checks := http.StatusOK, gin.H{}
	for _, check := range h.Checks {
		checks[check.Name] = "ok"
		if err := check.Ask(ctx); err != nil {
			status, checks[check.Name] = http.StatusServiceUnavailable, err.Error()
		}
	}
	body := gin.H{"ready": status == http.StatusOK, "checks": checks}
	if h.Info != nil {
		for k, v := range h.Info() {
			body[k] = v
		}
	}
	c.JSON(status, body)
}
