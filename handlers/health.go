package handlers

import (
	"context"
	"net/http"
	"sync"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/prometheus/client_golang/prometheus"
)

// Severity says what a check that fails means for readiness.
type Severity int

const (
	// Critical is the severity of what webhooks need. While such a check fails, /readyz
	// answers 503, and a load balancer sends no webhooks.
	Critical Severity = iota
	// Minor is the severity of what happens after the answer to a webhook. While only
	// such checks fail, webhooks are taken and stored, and /readyz answers 200 with the
	// status "degraded".
	Minor
)

// The status in the answer of /readyz.
const (
	statusOK       = "ok"
	statusDegraded = "degraded"
	statusNotReady = "not_ready"
)

// Check is one condition of readiness. Ask returns nil, or why it is not met.
type Check struct {
	Name     string
	Severity Severity
	Ask      func(context.Context) error
}

// Health answers /livez and /readyz. /livez succeeds while the process answers
// at all: a restart would not repair a NATS that is unreachable.
type Health struct {
	Checks []Check
	// Sources returns why the events of single sources wait, by the name of the source:
	// all other sources work, so each is Minor. It may be nil.
	Sources func() map[string]string
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
	r := h.run(c.Request.Context())
	body := gin.H{"ready": r.ready(), "status": r.status, "checks": r.checks}
	if len(r.sources) > 0 {
		body["sources"] = r.sources
	}
	if h.Info != nil {
		for k, v := range h.Info() {
			body[k] = v
		}
	}
	reply(c, readyStatus(r.ready()), body)
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
		r.ready = r.health.run(context.Background()).ready()
		r.asked = time.Now()
	}
	return r.ready
}

// report is the answer of all checks.
type report struct {
	status string
	// checks has "ok" or the text of the error of each check, sources why the events of
	// a source wait.
	checks, sources map[string]string
}

func (r report) ready() bool { return r.status != statusNotReady }

func (h Health) run(ctx context.Context) report {
	ctx, cancel := context.WithTimeout(ctx, readyTimeout)
	defer cancel()
	r := report{status: statusOK, checks: map[string]string{}}
	if h.Sources != nil {
		r.sources = h.Sources()
	}
	if len(r.sources) > 0 {
		r.status = statusDegraded
	}
	for _, check := range h.Checks {
		r.checks[check.Name] = statusOK
		err := check.Ask(ctx)
		if err == nil {
			continue
		}
		r.checks[check.Name] = err.Error()
		if check.Severity == Critical {
			r.status = statusNotReady
		} else if r.status == statusOK {
			r.status = statusDegraded
		}
	}
	return r
}

var (
	readyDesc = prometheus.NewDesc("callbridge_ready",
		"1 if /readyz says that this process is ready for webhooks, else 0.", nil, nil)
	checkDesc = prometheus.NewDesc("callbridge_check_ok",
		"1 if this check of /readyz is ok, else 0.", []string{"check"}, nil)
)

// Collector has the metrics callbridge_ready and callbridge_check_ok. It runs the checks
// at each scrape, which a NATS that does not answer delays by readyTimeout at most.
func (h Health) Collector() prometheus.Collector { return collector{h} }

type collector struct{ health Health }

func (c collector) Describe(to chan<- *prometheus.Desc) {
	to <- readyDesc
	to <- checkDesc
}

func (c collector) Collect(to chan<- prometheus.Metric) {
	r := c.health.run(context.Background())
	to <- prometheus.MustNewConstMetric(readyDesc, prometheus.GaugeValue, oneIf(r.ready()))
	for name, text := range r.checks {
		to <- prometheus.MustNewConstMetric(checkDesc, prometheus.GaugeValue, oneIf(text == statusOK), name)
	}
}

func oneIf(yes bool) float64 {
	if yes {
		return 1
	}
	return 0
}
