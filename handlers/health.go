package handlers

import (
	"context"
	"net/http"
	"sync"
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

// mount adds the endpoints for operators: /readyz shows each check.
func (h Health) mount(engine *gin.Engine) {
	engine.GET("/livez", live)
	engine.GET("/readyz", h.ready)
}

// mountPublic adds the endpoints for load balancers. Any client may ask them, so /readyz
// says only whether the process is ready, and asks the checks once a second at most.
func (h Health) mountPublic(engine *gin.Engine) {
	last := &readiness{health: h}
	engine.GET("/livez", live)
	engine.GET("/readyz", func(c *gin.Context) {
		ready := last.get()
		reply(c, readyStatus(ready), gin.H{"ready": ready})
	})
}

func live(c *gin.Context) { reply(c, http.StatusOK, gin.H{"alive": true}) }

func (h Health) ready(c *gin.Context) {
	ready, checks := h.run(c.Request.Context())
	body := gin.H{"ready": ready, "checks": checks}
	if h.Info != nil {
		for k, v := range h.Info() {
			body[k] = v
		}
	}
	reply(c, readyStatus(ready), body)
}

func readyStatus(ready bool) int {
	if !ready {
		return http.StatusServiceUnavailable
	}
	return http.StatusOK
}

// readyFor is how long an answer of the checks counts on the public listener.
const readyFor = time.Second

// readiness is the last answer of the checks.
type readiness struct {
	health Health
	// mu is locked while the checks run: other requests meanwhile get their answer.
	mu    sync.Mutex
	asked time.Time
	ready bool
}

func (r *readiness) get() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.asked.IsZero() || time.Since(r.asked) >= readyFor {
		// Not the context of the request: another one may use the answer.
		r.ready, _ = r.health.run(context.Background())
		r.asked = time.Now()
	}
	return r.ready
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
