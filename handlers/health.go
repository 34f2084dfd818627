package handlers

import (
	"context"
	"net/http"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/prometheus/client_golang/prometheus"
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
	engine.GET("/livez", func(c *gin.Context) { reply(c, http.StatusOK, gin.H{"alive": true}) })
	engine.GET("/readyz", h.ready)
}

func (h Health) ready(c *gin.Context) {
	ready, checks := h.ask(c.Request.Context())
	body := gin.H{"ready": ready, "checks": checks}
	if h.Info != nil {
		for k, v := range h.Info() {
			body[k] = v
		}
	}
	status := http.StatusOK
	if !ready {
		status = http.StatusServiceUnavailable
	}
	reply(c, status, body)
}

// ask runs the checks, and says of each that it is ok or why not.
func (h Health) ask(ctx context.Context) (ready bool, checks map[string]string) {
	ctx, cancel := context.WithTimeout(ctx, readyTimeout)
	defer cancel()
	ready, checks = true, map[string]string{}
	for _, check := range h.Checks {
		checks[check.Name] = "ok"
		if err := check.Ask(ctx); err != nil {
			ready, checks[check.Name] = false, err.Error()
		}
	}
	return ready, checks
}

// Gauge is what /readyz says, asked at each scrape. A NATS that does not answer
// holds a scrape up for readyTimeout at most, which is then the answer.
func (h Health) Gauge() prometheus.Collector {
	return prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "callbridge_ready", Help: "1 if /readyz says that this process is ready, else 0.",
	}, func() float64 {
		if ready, _ := h.ask(context.Background()); !ready {
			return 0
		}
		return 1
	})
}
