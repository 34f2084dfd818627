// Package callabsim is a Callab to run against: the four call endpoints of
// https://docs.callab.ai/api-reference over an in-memory list of calls, with
// faults on demand. It places no call; it remembers what it was asked to
// place, so that one can count how often somebody would have been dialled.
//
//	POST   /v1/calls             create a call
//	POST   /v1/calls/make-call   create a test call
//	GET    /v1/calls/{id}        one call
//	GET    /v1/calls/query       list, search, filter, sort, page
//
// Answers have Callab's envelope, {"status","message","data"}; errors come
// with HTTP 200 and status "error", but with 400 from make-call. What Callab
// does not document is chosen here: a bad bearer token is 401, POST /calls
// needs ai_agent_id, call_from and call_to, filter operators are "eq", "ne"
// and "contains".
//
// Beside them, without a token, for people with curl:
//
//	GET    /sim/calls            every placed call, with the body that asked for it
//	DELETE /sim/calls            forget all calls
//	GET    /sim/faults           the faults that are waiting
//	POST   /sim/faults           add one: {"kind":"cut-after","times":2,"call_to":"+12025550142"}
//	DELETE /sim/faults           back to the faults it started with
//
// With Options.MagicNumbers some destinations always misbehave:
//
//	+12025550189   nobody answers: the call fails
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
package callabsim

import (
	"cmp"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// Options of a Sim. The zero value works.
type Options struct {
	// Tokens that are let in; any bearer token if empty.
	Tokens []string
	// Log gets one line a request, telephone numbers cut to two digits. Nil
	// for none.
	Log *slog.Logger
	// Clock is what calls are dated with; time.Now if nil.
	Clock func() time.Time
	// Latency is added to every answer.
	Latency time.Duration
	// ListLag is how long a new call is missing from GET /calls/query.
	ListLag time.Duration
	// MaxPerPage silently caps per_page; 100 if zero.
	MaxPerPage int
	// RingTime and CallLength let calls live: "in-progress" at once, started
	// after RingTime, "completed" with a transcript CallLength later. With a
	// CallLength of zero a call stays "in-progress".
	RingTime, CallLength time.Duration
	// MagicNumbers turns the numbers of the package comment on.
	MagicNumbers bool
	// Faults are there from the start, before the magic numbers.
	Faults []Fault
	// Seed makes the faults that have a probability repeatable.
	Seed uint64
	// HeaderTimeout is how long Server keeps a connection on which no
	// request comes; 10 s if zero.
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
	// initial are the faults that ClearFaults goes back to.
	initial []Fault
	faults  []Fault
	random  *rand.Rand
}

// New makes a Sim without calls. A fault in the options that makes no sense
// panics.
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
		placed: []Placed{}, faults: []Fault{},
		random: rand.New(rand.NewPCG(options.Seed, options.Seed)),
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
	s.mux.HandleFunc("DELETE /sim/calls", s.forgetCalls)
	s.mux.HandleFunc("GET /sim/faults", s.listFaults)
	s.mux.HandleFunc("POST /sim/faults", s.addFault)
	s.mux.HandleFunc("DELETE /sim/faults", s.resetFaults)
	return s
}

func (s *Sim) createCall(a *answer) { s.placeCall(a, &newCall{}, http.StatusOK) }

func (s *Sim) makeCall(a *answer) { s.placeCall(a, &testCall{}, http.StatusBadRequest) }

// ServeHTTP answers as Callab would.
func (s *Sim) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.mux.ServeHTTP(w, r) }

// Server returns a server for the simulator on addr, not yet started. It
// closes a connection that stays silent for Options.HeaderTimeout: that is
// what a client has to outwait before it may take an unsent request for dead.
// Stop it with Close, since a hanging answer would hold Shutdown up.
func (s *Sim) Server(addr string) *http.Server {
	return &http.Server{
		Addr: addr, Handler: s,
		ReadHeaderTimeout: s.options.HeaderTimeout,
		ReadTimeout:       2 * s.options.HeaderTimeout,
		IdleTimeout:       s.options.HeaderTimeout,
	}
}
