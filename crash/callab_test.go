//go:build unix

package crash_test

import (
	"cmp"
	"context"
	"encoding/json"
	"net"
	"net/http"
	"strconv"
	"testing"
	"time"

	"github.com/google/uuid"

	"callbridge/bus/bustest"
	"callbridge/callab/callabsim"
	"callbridge/event"
)

// callab is the simulator on a socket that can be closed and reopened.
type callab struct {
	*callabsim.Sim
	t       *testing.T
	address string
	server  *http.Server
}

func startCallab(t *testing.T, h host, options callabsim.Options) *callab {
	t.Helper()
	if options.Tokens == nil {
		options.Tokens = []string{callabToken}
	}
	options.Seed = *seed
	options.HeaderTimeout = cmp.Or(options.HeaderTimeout, callabIdle)
	options.ListLag = cmp.Or(options.ListLag, listLag)
	options.MaxPerPage = cmp.Or(options.MaxPerPage, 25)
	c := &callab{Sim: callabsim.New(options), t: t, address: net.JoinHostPort(h.address, strconv.Itoa(bustest.Port(t)))}
	c.start()
	t.Cleanup(c.stop)
	return c
}

func (c *callab) url() string { return "http://" + c.address + "/v1" }

// stop closes the socket and all connections.
func (c *callab) stop() { _ = c.server.Close() }

// start listens on the same address again. It retries, since a child process that
// is just being started holds a copy of the closed socket for a moment.
func (c *callab) start() {
	var socket net.Listener
	await(c.t, 5*time.Second, "Callab listens", func() bool {
		var err error
		socket, err = net.Listen("tcp", c.address)
		return err == nil
	})
	c.server = c.Server("")
	go func() { _ = c.server.Serve(socket) }()
}

// addFaults makes about every fourth call fail in one of many ways.
func (c *callab) addFaults() {
	for _, f := range []callabsim.Fault{
		{Kind: callabsim.Refuse, Probability: .03},
		{Kind: callabsim.RefuseOK, Probability: .03},
		{Kind: callabsim.Throttle, Probability: .003},
		{Kind: callabsim.ErrorBefore, Probability: .02},
		{Kind: callabsim.ErrorAfter, Probability: .03},
		{Kind: callabsim.CutBefore, Probability: .02},
		{Kind: callabsim.CutAfter, Probability: .03},
		{Kind: callabsim.CutMiddle, Probability: .02},
		{Kind: callabsim.HangBefore, Probability: .01},
		{Kind: callabsim.HangAfter, Probability: .02},
		{Kind: callabsim.Garbage, Probability: .01},
		{Kind: callabsim.NoID, Probability: .01},
		{Kind: callabsim.Slow, Probability: .05, Delay: 300 * time.Millisecond},
		{Kind: callabsim.Slow, Probability: .02, Delay: callabTimeout + 200*time.Millisecond},
		{On: callabsim.OnQuery, Kind: callabsim.ErrorBefore, Probability: .01},
		{On: callabsim.OnQuery, Kind: callabsim.CutMiddle, Probability: .005},
		{On: callabsim.OnQuery, Kind: callabsim.Garbage, Probability: .005},
	} {
		f.Times = callabsim.Always
		c.Fail(f)
	}
}

// addOtherCalls simulates other users of the same account until ctx ends: calls to
// other numbers, and to one of ours. From time to time the list fails for a while.
func (c *callab) addOtherCalls(ctx context.Context, d *dice) {
	for range 60 {
		c.AddCalls(callabsim.Call{CallTo: "+442079460000", Notes: "not ours"},
			callabsim.Call{CallTo: lead(d.n(leads)), CreatedAt: time.Now().Add(-time.Hour)})
	}
	tick := time.NewTicker(500 * time.Millisecond)
	defer tick.Stop()
	for n := 0; ; n++ {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		c.AddCalls(callabsim.Call{CallTo: "+442079460001"}, callabsim.Call{CallTo: lead(0)})
		if n%12 == 5 {
			c.Fail(callabsim.Fault{On: callabsim.OnQuery, Kind: callabsim.ErrorBefore, Times: 20})
		}
	}
}

// dialled counts the calls that were placed for each request.
func (c *callab) dialled() map[uuid.UUID]int {
	counts := map[uuid.UUID]int{}
	for _, p := range c.Placed() {
		var body struct {
			Metadata map[string]any `json:"metadata"`
		}
		_ = json.Unmarshal(p.Body, &body)
		text, _ := body.Metadata[event.RequestKey].(string)
		// A call without a request id is counted for the zero id, which was
		// never requested.
		id, _ := uuid.Parse(text)
		counts[id]++
	}
	return counts
}
