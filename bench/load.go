package main

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// load sends webhooks over so many connections, each of which waits for its
// answer. Without a rate that is a closed loop: as fast as the system answers.
// With a rate it is an open one: each webhook has its moment, and one that
// leaves late because all connections wait is late by that much.
type load struct {
	address     string
	path        string
	connections int
	// contacts in each webhook; 1 for a single event.
	contacts int
	// first is the number of the first webhook.
	first int
	// count ends the load after so many webhooks, duration after that time;
	// zero for no limit.
	count    int
	duration time.Duration
	// rate is webhooks per second; zero for a closed loop.
	rate float64
	// patient: a webhook that was not answered is sent again until it is, as
	// CRMs do. Otherwise it counts as an error.
	patient bool
}

// report is what a load has seen.
type report struct {
	took time.Duration
	// accepted are the numbers of the webhooks that were answered with 2xx.
	accepted []int
	errors   int
	// latencies are from the moment a webhook was to be sent to its answer.
	latencies []time.Duration
	// sent is when webhook first+i was to be sent.
	began time.Time
	rate  float64
	first int
}

// meant is when a webhook of an open loop was to be sent.
func (r report) meant(number int) time.Time {
	return r.began.Add(time.Duration(float64(number-r.first) / r.rate * float64(time.Second)))
}

func (r report) perSecond(contacts int) float64 {
	return float64(len(r.accepted)*contacts) / r.took.Seconds()
}

// quantile of latencies, which it sorts.
func quantile(of []time.Duration, q float64) time.Duration {
	if len(of) == 0 {
		return 0
	}
	slices.Sort(of)
	return of[min(int(q*float64(len(of))), len(of)-1)]
}

// run sends until count, duration or ctx ends it.
func (l load) run(ctx context.Context) report {
	if l.contacts == 0 {
		l.contacts = 1
	}
	if l.duration > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, l.duration)
		defer cancel()
	}
	var next atomic.Int64
	parts := make([]report, l.connections)
	began := time.Now()
	var senders sync.WaitGroup
	for i := range parts {
		senders.Go(func() { parts[i] = l.send(ctx, began, &next) })
	}
	senders.Wait()
	total := report{took: time.Since(began), began: began, rate: l.rate, first: l.first}
	for _, p := range parts {
		total.accepted = append(total.accepted, p.accepted...)
		total.latencies = append(total.latencies, p.latencies...)
		total.errors += p.errors
	}
	return total
}

// send is one connection at work.
func (l load) send(ctx context.Context, began time.Time, next *atomic.Int64) (r report) {
	hook := newWebhook(l.path, l.contacts)
	conn := &connection{address: l.address}
	defer conn.close()
	for {
		i := int(next.Add(1)) - 1
		if l.count > 0 && i >= l.count {
			return r
		}
		meant := time.Now()
		if l.rate > 0 {
			meant = began.Add(time.Duration(float64(i) / l.rate * float64(time.Second)))
			if !sleepUntil(ctx, meant) {
				return r
			}
		}
		if ctx.Err() != nil {
			return r
		}
		number := l.first + i*l.contacts
		if !l.deliver(ctx, conn, hook.number(number)) {
			r.errors++
			continue
		}
		r.accepted = append(r.accepted, number)
		r.latencies = append(r.latencies, time.Since(meant))
	}
}

// resendAfter is the pause of a patient sender.
const resendAfter = 100 * time.Millisecond

func (l load) deliver(ctx context.Context, conn *connection, wire []byte) bool {
	for {
		status, err := conn.post(wire)
		if err == nil && status/100 == 2 {
			return true
		}
		if !l.patient || !sleepUntil(context.WithoutCancel(ctx), time.Now().Add(resendAfter)) {
			return false
		}
		if ctx.Err() != nil && l.duration > 0 && time.Now().After(deadline(ctx).Add(patience)) {
			return false
		}
	}
}

// patience is how long a webhook is sent again after the load has ended.
const patience = time.Minute

func deadline(ctx context.Context) time.Time {
	d, _ := ctx.Deadline()
	return d
}

func sleepUntil(ctx context.Context, moment time.Time) bool {
	wait := time.Until(moment)
	if wait <= 0 {
		return ctx.Err() == nil
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}

// connection is kept from webhook to webhook, and made anew when it failed.
type connection struct {
	address string
	conn    net.Conn
	reader  *bufio.Reader
}

// answerTimeout is how long a CRM waits (HubSpot: 5 s).
const answerTimeout = 5 * time.Second

func (c *connection) post(wire []byte) (status int, err error) {
	if c.conn == nil {
		if c.conn, err = net.DialTimeout("tcp", c.address, answerTimeout); err != nil {
			c.conn = nil
			return 0, err
		}
		c.reader = bufio.NewReader(c.conn)
	}
	_ = c.conn.SetDeadline(time.Now().Add(answerTimeout))
	status, again, err := c.exchange(wire)
	if err != nil || !again {
		c.close()
	}
	return status, err
}

func (c *connection) exchange(wire []byte) (status int, again bool, err error) {
	if _, err := c.conn.Write(wire); err != nil {
		return 0, false, err
	}
	resp, err := http.ReadResponse(c.reader, nil)
	if err != nil {
		return 0, false, err
	}
	_, err = io.Copy(io.Discard, resp.Body)
	return resp.StatusCode, !resp.Close, errors.Join(err, resp.Body.Close())
}

func (c *connection) close() {
	if c.conn != nil {
		_ = c.conn.Close()
		c.conn = nil
	}
}
