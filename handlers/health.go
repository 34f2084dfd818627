package handlers

import (
	"context"
	"net/http"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/prometheus/client_golang/prometheus"
)

// Check is one condition of readiness. Ask returns nil, or why it is not met.
type Check struct {
	Name string
	Ask  func(context.Context) error
}

// Health answers /livez and /readyz. /livez succeeds while the process answers
// at all: a restart would not repair a NATS that is unreachable.
type Health struct {
	Checks []Check
	// Info is shown beside the checks, such as the configuration's hash.
	Info func() map[string]any
}

// readyTimeout limits all checks together. Probes usually allow one second.
const readyTimeout = 900 * time.Millisecond

func (h Health) mount(engine *gin.Engine) {
	engine.GET("/livez", func(c *gin.Context) { reply(c, http.StatusOK, gin.H{"alive": true}) })
	engine.GET("/readyz", h.ready)
}

func (h Health) ready(c *gin.Context) {
	ready, checks := h.run(c.Request.Context())
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

// run runs the checks. It returns for each "ok" or the text of its error.
func (h Health) run(ctx context.Context) (ready bool, checks map[string]string) {
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

// Gauge is the metric callbridge_ready. It runs the checks at each scrape, which
// a NATS that does not answer delays by readyTimeout at most.
func (h Health) Gauge() prometheus.Collector {
	return prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "callbridge_ready", Help: "1 if /readyz says that this process is ready, else 0.",
	}, func() float64 {
		if ready, _ := h.run(context.Background()); !ready {
			return 0
		}
		return 1
	})
}
