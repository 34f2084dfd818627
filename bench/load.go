package main

import (
	"context"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// load sends webhooks over so many connections, each of which waits for its
// answer. Without a rate that is a closed loop: as fast as the system answers.
// With a rate it is an open one: each webhook has its moment, and one that
// leaves late because all connections wait is late by that much; it is never
// left out.
type load struct {
	address     string
	path        string
	connections int
	// contacts in each webhook; 1 for a single event.
	contacts int
	// first is the number of the first contact.
	first int
	// count ends the load after so many webhooks, duration after that time;
	// zero for no limit.
	count    int
	duration time.Duration
	// rate is webhooks per second; zero for a closed loop.
	rate float64
	// patience is how long after the end a webhook that was not accepted is
	// sent again, as CRMs do. With none it is not sent again.
	patience time.Duration
}

// report is what a load has seen.
type report struct {
	load  load
	began time.Time
	took  time.Duration
	// next is the number of the contact after the last one.
	next int
	// accepted are the numbers of the webhooks that were answered with 2xx.
	accepted []int
	errors   int
	// latencies are from the moment a webhook was to be sent to its answer.
	latencies []time.Duration
}

// perSecond is how many contacts were accepted.
func (r report) perSecond() float64 {
	return float64(len(r.accepted)*r.load.contacts) / r.took.Seconds()
}

// meant is when the webhook of that number was to be sent, in an open loop.
func (r report) meant(number int) time.Time {
	return r.load.moment(r.began, (number-r.load.first)/r.load.contacts)
}

// moment is when the i-th webhook is to be sent.
func (l load) moment(began time.Time, i int) time.Time {
	if l.rate == 0 {
		return time.Now()
	}
	return began.Add(time.Duration(float64(i) / l.rate * float64(time.Second)))
}

// run sends until count or duration ends it, or ctx breaks it off.
func (l load) run(ctx context.Context) report {
	var next atomic.Int64
	parts := make([]report, l.connections)
	total := report{load: l, began: time.Now()}
	var senders sync.WaitGroup
	for i := range parts {
		senders.Go(func() { parts[i] = l.send(ctx, total.began, &next) })
	}
	senders.Wait()
	total.took, total.next = time.Since(total.began), l.first+int(next.Load())*l.contacts
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
	conn := &connection{dial: func() (net.Conn, error) { return net.DialTimeout("tcp", l.address, answerTimeout) }}
	defer conn.close()
	clock, err := newAlarm()
	if err != nil {
		r.errors++
		return r
	}
	defer clock.close()
	end := began.Add(l.duration)
	for {
		i := int(next.Add(1)) - 1
		meant := l.moment(began, i)
		over := l.count > 0 && i >= l.count || l.duration > 0 && !meant.Before(end)
		if over || !clock.wakeAt(ctx, meant) {
			return r
		}
		number := l.first + i*l.contacts
		if !l.deliver(ctx, conn, hook.number(number), end) {
			r.errors++
			continue
		}
		r.accepted = append(r.accepted, number)
		r.latencies = append(r.latencies, time.Since(meant))
	}
}

// resendAfter is the pause of a patient sender.
const resendAfter = 100 * time.Millisecond

func (l load) deliver(ctx context.Context, conn *connection, wire []byte, end time.Time) bool {
	for {
		status, err := conn.post(wire)
		if err == nil && status/100 == 2 {
			return true
		}
		if l.patience == 0 || time.Since(end) > l.patience || !sleepUntil(ctx, time.Now().Add(resendAfter)) {
			return false
		}
	}
}

// sleepUntil waits for a moment, and reports whether ctx is still good then.
func sleepUntil(ctx context.Context, moment time.Time) bool {
	if wait := time.Until(moment); wait > 0 {
		timer := time.NewTimer(wait)
		defer timer.Stop()
		select {
		case <-ctx.Done():
		case <-timer.C:
		}
	}
	return ctx.Err() == nil
}

// coarse is how much too late sleepUntil may be.
const coarse = 2 * time.Millisecond

// wakeAt is sleepUntil, and exact.
func (a *alarm) wakeAt(ctx context.Context, moment time.Time) bool {
	if !sleepUntil(ctx, moment.Add(-coarse)) {
		return false
	}
	if wait := time.Until(moment); wait > 0 {
		a.sleep(wait)
	}
	return true
}
