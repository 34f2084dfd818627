// Package handlers is the front door, the first step of a webhook's way: it
// receives, has the sender verified, hands over what happened, and answers
// only after the bus has acknowledged. It is the only package that knows Gin.
package handlers

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/pprof"
	"runtime/debug"

	"github.com/gin-gonic/gin"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"callbridge/bus"
	"callbridge/mapping"
	"callbridge/span"
)

// Intake is what the webhook endpoint works with.
type Intake struct {
	// Mapping gives the configuration in force.
	Mapping func() *mapping.Config
	Bus     *bus.Bus
	Log     *slog.Logger
	// TrustedProxies are addresses and networks whose X-Forwarded-For is
	// believed, for the address that is logged and limited.
	TrustedProxies []string
	// Tracer records a span for each webhook; nil for none.
	Tracer *span.Tracer

	metrics  *metrics
	failures *failures
}

// webhookPath is where CRMs send webhooks.
const webhookPath = "/webhooks/:source"

// Public is the listener for CRMs: webhooks, and the two health answers that a
// load balancer needs. Nothing else stands there.
func Public(in Intake, health Health, registry prometheus.Registerer) http.Handler {
	in.metrics, in.failures = newMetrics(registry), newFailures()
	engine := newEngine(in.Log, in.TrustedProxies)
	engine.POST(webhookPath, in.receive)
	engine.Match(handshakeMethods, webhookPath, in.handshake)
	health.mount(engine)
	return engine
}

// Admin is the listener for operators: health and metrics.
func Admin(health Health, gatherer prometheus.Gatherer, log *slog.Logger) http.Handler {
	engine := newEngine(log, nil)
	health.mount(engine)
	engine.GET("/metrics", gin.WrapH(promhttp.HandlerFor(gatherer, promhttp.HandlerOpts{})))
	engine.GET("/debug/pprof/*profile", profile)
	return engine
}

// profile shows what Go's tools ask for: go tool pprof
// http://ADMIN_ADDR/debug/pprof/profile?seconds=10
func profile(c *gin.Context) {
	switch c.Param("profile") {
	case "/profile":
		pprof.Profile(c.Writer, c.Request)
	case "/trace":
		pprof.Trace(c.Writer, c.Request)
	case "/symbol":
		pprof.Symbol(c.Writer, c.Request)
	default:
		// The index also serves the named ones: heap, goroutine, ...
		pprof.Index(c.Writer, c.Request)
	}
}

func newEngine(log *slog.Logger, proxies []string) *gin.Engine {
	gin.SetMode(gin.ReleaseMode)
	engine := gin.New()
	engine.HandleMethodNotAllowed = true
	engine.Use(recovery(log))
	// What is no address is not trusted; the environment is checked before.
	_ = engine.SetTrustedProxies(proxies)
	engine.NoRoute(func(c *gin.Context) {
		refuse(c, http.StatusNotFound, "not_found", "webhooks go to /webhooks/NAME-OF-THE-SOURCE")
	})
	engine.NoMethod(func(c *gin.Context) {
		refuse(c, http.StatusMethodNotAllowed, "method_not_allowed", "webhooks are sent with POST")
	})
	return engine
}

// recovery answers 500, so that the CRM tries again, and keeps the request,
// its headers and its body out of the log.
func recovery(log *slog.Logger) gin.HandlerFunc {
	return func(c *gin.Context) {
		defer func() {
			if p := recover(); p != nil {
				log.Error("http.panic", "path", c.Request.URL.Path, "panic", fmt.Sprintf("%T", p), "stack", string(debug.Stack()))
				refuse(c, http.StatusInternalServerError, "internal", "this is our fault; please send it again")
			}
		}()
		c.Next()
	}
}

// failure is the body of every answer that is not a success: a fixed word for
// programs, a sentence for people. Causes stay in our log.
type failure struct {
	Error   string `json:"error"`
	Message string `json:"message"`
}

func refuse(c *gin.Context, status int, word, message string) {
	c.Abort()
	reply(c, status, failure{word, message})
}

// reply sends JSON as one line that ends, for people with curl.
func reply(c *gin.Context, status int, body any) {
	text, err := json.Marshal(body)
	if err != nil {
		panic("handlers: an answer is no JSON: " + err.Error())
	}
	c.Data(status, jsonType, append(text, '\n'))
}

const jsonType = gin.MIMEJSON + "; charset=utf-8"
