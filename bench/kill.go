package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync/atomic"
	"time"

	"callbridge/callab/callabsim"
)

// simulate starts the simulator, which has a list of calls to be searched and
// takes its time, and counts what passes.
func simulate(latency time.Duration) (*api, error) {
	socket, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("start the simulator: %w", err)
	}
	a := &api{socket: socket, began: time.Now(), calls: make([]atomic.Int32, maxWebhooks), first: make([]atomic.Int64, maxWebhooks)}
	sim := callabsim.New(callabsim.Options{Latency: latency, HeaderTimeout: time.Minute})
	server := &http.Server{ReadHeaderTimeout: time.Minute, Handler: http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		if req.Method == http.MethodPost {
			now := time.Since(a.began)
			body, err := io.ReadAll(req.Body)
			if err != nil {
				return // cut off: nobody is called
			}
			a.count(body, now)
			req.Body = io.NopCloser(bytes.NewReader(body))
		}
		sim.ServeHTTP(w, req)
	})}
	go func() { _ = server.Serve(socket) }()
	return a, nil
}

// killed is what kill -9 in the middle of work leaves.
type killed struct {
	sent int
	// silence is from the kill to the next call.
	silence time.Duration
	tally
}

// kill ends the process that takes webhooks without a chance, while webhooks
// arrive at the rate (0: as fast as they are taken) and the API takes its time,
// and starts it again at once. A webhook that got no answer is sent again, as
// CRMs do.
func (b *bench) kill(s system, rate float64, latency time.Duration) (got killed, err error) {
	a, err := simulate(latency)
	if err != nil {
		return got, err
	}
	defer a.close()
	err = b.live(s, job{sync: syncInterval, api: a.url()}, func(r *running) error {
		sending := make(chan report)
		go func() {
			sending <- load{
				address: r.address, path: r.path, connections: connections, duration: 2 * b.time, rate: rate, patient: true,
			}.run(context.Background())
		}()
		time.Sleep(b.time)
		r.children[0].kill()
		died := time.Since(a.began)
		err := r.again()
		seen := <-sending
		if err != nil {
			return err
		}
		if err := drained(r, a, len(seen.accepted)); err != nil {
			return err
		}
		t, err := r.tally(a, seen.accepted)
		got = killed{sent: len(seen.accepted), silence: a.silence(died), tally: t}
		return err
	})
	return got, err
}

// silence is how long after a moment the next webhook was called.
func (a *api) silence(since time.Duration) time.Duration {
	next := time.Duration(1<<63 - 1)
	for n := range a.first {
		if at := time.Duration(a.first[n].Load()); at > since+inFlight && at < next {
			next = at
		}
	}
	return next - since
}

// inFlight is how long calls that a dead process had sent may still arrive.
const inFlight = 20 * time.Millisecond
