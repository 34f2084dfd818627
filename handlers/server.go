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

// Intake holds what the webhook endpoint depends on.
type Intake struct {
	// Mapping returns the configuration in force.
	Mapping func() *mapping.Config
	Bus     *bus.Bus
	Log     *slog.Logger
	// TrustedProxies are addresses and networks whose X-Forwarded-For is
	// trusted for the address that is logged and limited.
	TrustedProxies []string
	// Tracer records a span for each webhook; nil records none.
	Tracer *span.Tracer

	metrics  *metrics
	failures *failureLimiter
}

// webhookPath is the path to which CRMs send webhooks.
const webhookPath = "/webhooks/:source"

// Public returns the handler of the public listener: webhooks, handshakes, and
// the two health endpoints that a load balancer needs.
func Public(in Intake, health Health, registry prometheus.Registerer) http.Handler {
	in.metrics, in.failures = newMetrics(registry), newFailureLimiter()
	engine := newEngine(in.Log, in.TrustedProxies)
	engine.POST(webhookPath, in.receive)
	engine.Match(handshakeMethods, webhookPath, in.handshake)
	health.mount(engine)
	return engine
}

// Admin returns the handler of the operators' listener: health, metrics and
// profiles.
func Admin(health Health, gatherer prometheus.Gatherer, log *slog.Logger) http.Handler {
	engine := newEngine(log, nil)
	health.mount(engine)
	engine.GET("/metrics", gin.WrapH(promhttp.HandlerFor(gatherer, promhttp.HandlerOpts{})))
	engine.GET("/debug/pprof/*profile", profile)
	return engine
}

// profile serves net/http/pprof, for example to
// go tool pprof http://ADMIN_ADDR/debug/pprof/profile?seconds=10
func profile(c *gin.Context) {
	switch c.Param("profile") {
	case "/profile":
		pprof.Profile(c.Writer, c.Request)
	case "/trace":
		pprof.Trace(c.Writer, c.Request)
	case "/symbol":
		pprof.Symbol(c.Writer, c.Request)
	default:
		// Index also serves the named profiles: heap, goroutine, ...
		pprof.Index(c.Writer, c.Request)
	}
}

func newEngine(log *slog.Logger, proxies []string) *gin.Engine {
	gin.SetMode(gin.ReleaseMode)
	engine := gin.New()
	engine.HandleMethodNotAllowed = true
	engine.Use(recovery(log))
	// The only error is an invalid address, which cmd/callbridge has refused
	// at start.
	_ = engine.SetTrustedProxies(proxies)
	engine.NoRoute(func(c *gin.Context) {
		refuse(c, http.StatusNotFound, "not_found", "webhooks go to /webhooks/NAME-OF-THE-SOURCE")
	})
	engine.NoMethod(func(c *gin.Context) {
		refuse(c, http.StatusMethodNotAllowed, "method_not_allowed", "webhooks are sent with POST")
	})
	return engine
}

// recovery answers a panic with 500, so that the CRM sends the webhook again.
// The log line has neither headers nor body, which may hold secrets.
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
// programs, and a sentence for people. The cause is only in our log.
type failure struct {
	Error   string `json:"error"`
	Message string `json:"message"`
}

// refuse answers with a failure and ends the chain of handlers.
func refuse(c *gin.Context, status int, word, message string) {
	c.Abort()
	reply(c, status, failure{word, message})
}

// reply sends body as one line of JSON, ended by a newline for a terminal.
func reply(c *gin.Context, status int, body any) {
	c.Data(status, jsonType, encode(body))
}

const jsonType = gin.MIMEJSON + "; charset=utf-8"

func encode(body any) []byte {
	text, err := json.Marshal(body)
	if err != nil {
		panic("handlers: encode an answer: " + err.Error())
	}
	return append(text, '\n')
}
