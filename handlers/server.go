package handlers

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/pprof"
	"runtime/debug"
	"time"

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
	// TrustedProxies are addresses and networks whose ProxyHeader is trusted for
	// the address that is logged and limited.
	TrustedProxies []string
	// ProxyHeader is X-Forwarded-For, if it is empty.
	ProxyHeader string
	// Connections are those of the listener; nil for a listener without limits.
	Connections *Connections
	// Tracer records a span for each webhook; nil records none.
	Tracer *span.Tracer

	metrics  *metrics
	failures *failureLimiter
	bodies   *bodyBudget
	decoding *gate
	sampler  *sampler
	proxies  proxies
}

// webhookPath is the path to which CRMs send webhooks.
const webhookPath = "/webhooks/:source"

// reasonNotFound marks the log line of a request to a path that callbridge does not
// have, or with a method that the path does not take.
const reasonNotFound = "not_found"

// Public returns the handler of the public listener: webhooks, handshakes, and
// the two health endpoints that a load balancer needs.
func Public(in Intake, health Health, registry prometheus.Registerer) http.Handler {
	in.metrics, in.failures = newMetrics(registry, in.Mapping), &failureLimiter{}
	if in.Connections == nil {
		in.Connections = NewConnections(in.TrustedProxies, registry)
	}
	in.Connections.proved = in.failures.knows
	in.bodies, in.decoding = in.Connections.bodies, newGate()
	in.sampler, in.proxies = &sampler{kinds: map[lineKind]*sample{}}, newProxies(in.TrustedProxies, in.ProxyHeader)
	engine := newEngine(in.Log)
	for _, path := range []string{webhookPath, webhookPath + "/"} {
		engine.POST(path, in.receive)
		engine.Match(handshakeMethods, path, in.handshake)
	}
	engine.NoRoute(in.refuseUnknownPath)
	engine.NoMethod(in.refuseUnknownPath)
	health.mountPublic(engine)
	return in.Connections.handler(engine)
}

// NewServer returns a server whose limits close the connections of clients that send
// slowly or much. An HTTP/2 connection has few streams at once: each costs as much as a
// connection of its own. The errors of the server, most of them failed TLS handshakes,
// are logged at debug level.
func NewServer(handler http.Handler, log *slog.Logger) *http.Server {
	return &http.Server{
		Handler: handler, ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelDebug),
		ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 20 * time.Second,
		WriteTimeout: 30 * time.Second, IdleTimeout: 2 * time.Minute,
		MaxHeaderBytes: 16 << 10,
		HTTP2:          &http.HTTP2Config{MaxConcurrentStreams: 32, MaxReceiveBufferPerConnection: 256 << 10, MaxReceiveBufferPerStream: 64 << 10},
	}
}

// Operators is what the operators' listener serves: health, metrics and, if asked for,
// profiles.
type Operators struct {
	Health   Health
	Gatherer prometheus.Gatherer
	Log      *slog.Logger
	// Profiles: also serve /debug/pprof, whose heap profiles and traces contain what
	// the process has in memory.
	Profiles bool
	// Password returns what all but /livez and /readyz require, as the password of HTTP
	// basic authentication with any user name. Without Password nothing is required; an
	// empty one, such as that of an empty file, lets no client in.
	Password func() string
}

// Admin returns the handler of the operators' listener.
func Admin(o Operators) http.Handler {
	engine := newEngine(o.Log)
	o.Health.mount(engine)
	guarded := engine.Group("", o.authenticate)
	guarded.GET("/metrics", gin.WrapH(promhttp.HandlerFor(o.Gatherer, promhttp.HandlerOpts{})))
	if o.Profiles {
		guarded.GET("/debug/pprof/*profile", profile)
	}
	return engine
}

// authenticate compares hashes, in constant time, so that the time tells nothing about
// the password, nor about its length.
func (o Operators) authenticate(c *gin.Context) {
	if o.Password == nil {
		return
	}
	password := o.Password()
	_, given, _ := c.Request.BasicAuth()
	want, got := sha256.Sum256([]byte(password)), sha256.Sum256([]byte(given))
	if subtle.ConstantTimeCompare(got[:], want[:]) == 1 && password != "" {
		return
	}
	c.Header("WWW-Authenticate", `Basic realm="callbridge"`)
	refuse(c, http.StatusUnauthorized, "password", "this needs the password of ADMIN_PASSWORD_FILE or ADMIN_PASSWORD")
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

// newEngine returns an engine that never redirects: a CRM does not send a body again to
// another path, and a signature may contain the path.
func newEngine(log *slog.Logger) *gin.Engine {
	gin.SetMode(gin.ReleaseMode)
	engine := gin.New()
	engine.HandleMethodNotAllowed = true
	engine.RedirectTrailingSlash, engine.RedirectFixedPath = false, false
	engine.ForwardedByClientIP = false // see proxies
	engine.Use(recovery(log))
	engine.NoRoute(notFound)
	engine.NoMethod(methodNotAllowed)
	return engine
}

func notFound(c *gin.Context) {
	refuse(c, http.StatusNotFound, "not_found", "webhooks go to /webhooks/NAME-OF-THE-SOURCE")
}

func methodNotAllowed(c *gin.Context) {
	refuse(c, http.StatusMethodNotAllowed, "method_not_allowed", "webhooks are sent with POST")
}

// recovery answers a panic with 500, so that the CRM sends the webhook again.
// The log line has neither headers nor body, which may hold secrets.
func recovery(log *slog.Logger) gin.HandlerFunc {
	return func(c *gin.Context) {
		defer func() {
			if p := recover(); p != nil {
				log.Error("http.panic", "path", c.FullPath(), "panic", fmt.Sprintf("%T", p), "stack", string(debug.Stack()))
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
