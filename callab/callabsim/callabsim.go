// Package callabsim simulates Callab for tests, the demo and development: the
// four call endpoints of https://docs.callab.ai/api-reference over an in-memory
// list of calls, with faults on request. It dials no number: "placed" means that
// Callab would have dialled. It records each request to place a call, so that a test
// can count how often a person would have been dialled. It imports no package of this
// module: a field name that is wrong in both callab and the simulator would not be
// found by any test.
//
//	POST   /v1/calls             create a call
//	POST   /v1/calls/make-call   create a test call
//	GET    /v1/calls/{id}        one call
//	GET    /v1/calls/query       list and search: search, page, per_page, sort_column
//	                             (created_at, updated_at), order (asc, desc)
//
// Answers have Callab's envelope, {"status","message","data"}; errors come
// with HTTP 200 and status "error", but with 400 from make-call. What Callab
// does not document is chosen here: a wrong bearer token is 401, POST /calls
// needs ai_agent_id, call_from and call_to.
//
// The simulator is controlled, without a token, by
//
//	GET    /sim/calls            every placed call, with the body of its request
//	DELETE /sim/calls            delete all calls
//	GET    /sim/faults           the faults that are still to come
//	POST   /sim/faults           add one: {"kind":"cut-after","times":2,"call_to":"+12025550142"}
//	DELETE /sim/faults           restore the faults of the start
//	POST   /sim/fates            the fate of calls to a number: {"call_to":"+12025550142","fate":"busy"}
//
// With Options.MagicNumbers, calls to these numbers behave as follows:
//
//	+12025550189   not answered: the call fails
//	+12025550190   refused with 400
//	+12025550191   429 once, then placed
//	+12025550192   placed, then 500
//	+12025550193   placed, then no answer
//	+12025550194   placed, then the connection is cut
//	+12025550195   refused with 200 and status "error"
//	+12025550196   500 once without being placed, then placed
//	+12025550197   placed, answered with garbage
//	+12025550198   placed, answered without an id
//	+12025550199   placed, answered after 3 s
//
// With Options.Life too, calls to +12025550170 to 0184 have the fates of Fates, in their
// order.
package callabsim

import (
	"bytes"
	"cmp"
	"encoding/json"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// Options configures a Sim. The zero value is valid.
type Options struct {
	// Tokens are the accepted bearer tokens; any is accepted if empty.
	Tokens []string
	// Log gets one line for each request, telephone numbers cut to two
	// digits; nil means no log.
	Log *slog.Logger
	// Clock dates the calls; nil means time.Now.
	Clock func() time.Time
	// Latency is added to every answer.
	Latency time.Duration
	// ListLag is how long a new call is missing from GET /calls/query.
	ListLag time.Duration
	// MaxPerPage silently caps per_page; 100 if zero.
	MaxPerPage int
	// Forgets names fields of a create call that Callab neither stores nor
	// returns: metadata, notes, agent_dynamic_variables.
	Forgets []string
	// RingTime and CallLength let calls progress: "in-progress" at first,
	// started after RingTime, "completed" with a transcript CallLength later.
	// With a CallLength of zero a call stays "in-progress".
	RingTime, CallLength time.Duration
	// Life lets calls be queued, ring, be answered and end; see life.go. Nil means
	// RingTime and CallLength.
	Life *Life
	// IgnoresSort lists the calls newest first, whatever sort_column says.
	IgnoresSort bool
	// MagicNumbers enables the numbers of the package comment.
	MagicNumbers bool
	// Faults are present from the start, before those of the magic numbers.
	Faults []Fault
	// Seed makes faults with a probability repeatable.
	Seed uint64
	// HeaderTimeout is how long Server keeps a connection without a request;
	// 10 s if zero.
	HeaderTimeout time.Duration
}

// Sim is the simulator, an http.Handler. It is safe for concurrent use.
type Sim struct {
	options Options
	mux     *http.ServeMux
	posts   atomic.Int64

	mu     sync.Mutex
	calls  []Call // as placed, oldest first
	index  map[string]int
	placed []Placed
	// initial are the faults that ClearFaults restores.
	initial []Fault
	faults  []Fault
	random  *rand.Rand
	// fates are those of POST /sim/fates by number, script what is left of Life.Script.
	fates  map[string]Fate
	script []Fate
}

// New returns a Sim without calls. It panics on an invalid fault in the options.
func New(options Options) *Sim {
	options.MaxPerPage = cmp.Or(options.MaxPerPage, 100)
	options.HeaderTimeout = cmp.Or(options.HeaderTimeout, 10*time.Second)
	if options.Clock == nil {
		options.Clock = time.Now
	}
	if options.Log == nil {
		options.Log = slog.New(slog.DiscardHandler)
	}
	s := &Sim{
		options: options, mux: http.NewServeMux(), index: map[string]int{},
		placed: []Placed{}, faults: []Fault{}, fates: map[string]Fate{},
		random: rand.New(rand.NewPCG(options.Seed, options.Seed)),
	}
	if options.Life != nil {
		s.options.Life = options.Life.withDefaults()
		s.script = slices.Clone(options.Life.Script)
	}
	s.Fail(options.Faults...)
	if options.MagicNumbers {
		s.Fail(magicNumbers()...)
	}
	s.initial = slices.Clone(s.faults)
	s.mux.Handle("POST /v1/calls", s.api(s.createCall))
	s.mux.Handle("POST /v1/calls/make-call", s.api(s.makeCall))
	s.mux.Handle("GET /v1/calls/{id}", s.api(s.getCall))
	s.mux.Handle("GET /v1/calls/query", s.api(s.queryCalls))
	s.mux.HandleFunc("GET /sim/calls", s.listPlaced)
	s.mux.HandleFunc("DELETE /sim/calls", s.deleteCalls)
	s.mux.HandleFunc("GET /sim/faults", s.listFaults)
	s.mux.HandleFunc("POST /sim/faults", s.addFault)
	s.mux.HandleFunc("DELETE /sim/faults", s.resetFaults)
	s.mux.HandleFunc("POST /sim/fates", s.setFate)
	return s
}

// ServeHTTP answers as Callab would.
func (s *Sim) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.mux.ServeHTTP(w, r) }

// Server returns a server for the simulator on addr, not yet started. It closes
// a connection that is silent for Options.HeaderTimeout, as the client assumes
// of Callab: a request that was not written by then never arrives. Stop it with
// Close, since Shutdown would wait for answers that hang.
func (s *Sim) Server(addr string) *http.Server {
	return &http.Server{
		Addr: addr, Handler: s,
		ReadHeaderTimeout: s.options.HeaderTimeout,
		ReadTimeout:       2 * s.options.HeaderTimeout,
		IdleTimeout:       s.options.HeaderTimeout,
	}
}

// maxBodyBytes bounds a request's body.
const maxBodyBytes = 1 << 20

// exchange is one request and its answer.
type exchange struct {
	w http.ResponseWriter
	r *http.Request
	// body is the whole request body. Only after reading it does the server
	// notice that the client has disconnected.
	body   []byte
	status int
}

// api wraps an endpoint below /v1: body, bearer token, latency, log. Each
// endpoint selects its fault itself, since that may depend on the body.
func (s *Sim) api(endpoint func(x *exchange)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		x := &exchange{w: w, r: r}
		// Deferred, since cutting the connection is a panic.
		defer func() {
			s.options.Log.Info("callab.request", "method", r.Method, "path", r.URL.Path, "http_status", x.status)
		}()
		var err error
		if x.body, err = io.ReadAll(http.MaxBytesReader(w, r.Body, maxBodyBytes)); err != nil {
			x.refuse(http.StatusBadRequest, "body cannot be read")
			return
		}
		if r.Method == http.MethodPost {
			s.posts.Add(1)
		}
		x.wait(s.options.Latency)
		if !s.allowed(r) {
			x.refuse(http.StatusUnauthorized, "invalid or missing token")
			return
		}
		endpoint(x)
	})
}

func (s *Sim) allowed(r *http.Request) bool {
	token, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	if !ok || token == "" {
		return false
	}
	return len(s.options.Tokens) == 0 || slices.Contains(s.options.Tokens, token)
}

// envelope is the outer object of every answer, errors included.
type envelope struct {
	Status  string `json:"status"`
	Message string `json:"message"`
	Data    any    `json:"data"`
}

func (x *exchange) ok(data any) {
	x.send(http.StatusOK, envelope{Status: "ok", Message: "ok", Data: data})
}

// refuse answers an error; its data is an empty string, as documented.
func (x *exchange) refuse(status int, message string) {
	x.send(status, envelope{Status: "error", Message: message, Data: ""})
}

func (x *exchange) send(status int, body any) {
	x.status = status
	x.w.Header().Set("Content-Type", "application/json")
	x.w.WriteHeader(status)
	_ = json.NewEncoder(x.w).Encode(body)
}

func (x *exchange) garbage() {
	x.status = http.StatusOK
	x.w.Header().Set("Content-Type", "text/html")
	_, _ = io.WriteString(x.w, "<html><body>It works!</body></html>")
}

// half sends the first half of a successful answer and cuts the connection.
func (x *exchange) half(data any) {
	var whole bytes.Buffer
	_ = json.NewEncoder(&whole).Encode(envelope{Status: "ok", Message: "ok", Data: data})
	x.w.WriteHeader(http.StatusOK)
	_, _ = x.w.Write(whole.Bytes()[:whole.Len()/2])
	_ = http.NewResponseController(x.w).Flush()
	x.cut()
}

// cut closes the connection without an answer.
func (x *exchange) cut() { panic(http.ErrAbortHandler) }

// hang waits until the client disconnects, or for limit if that is not zero.
func (x *exchange) hang(limit time.Duration) {
	if limit > 0 {
		x.wait(limit)
		return
	}
	<-x.r.Context().Done()
}

func (x *exchange) wait(d time.Duration) {
	if d <= 0 {
		return
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-x.r.Context().Done():
	case <-timer.C:
	}
}
