package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// load sends webhooks over several connections, each of which waits for its
// answer. Without a rate it is a closed loop: as fast as the system answers. With
// a rate it is an open loop: each webhook has a scheduled time. If it is sent late
// because all connections wait, the delay is part of its latency; it is never omitted.
type load struct {
	address     string
	path        string
	connections int
	// contacts is the number of contacts in each webhook; 1 for a single event.
	contacts int
	// first is the number of the first contact.
	first int
	// count limits the number of webhooks, duration the time; zero means no
	// limit.
	count    int
	duration time.Duration
	// rate is webhooks per second; zero for a closed loop.
	rate float64
	// retryFor is how long after the end a webhook that was not accepted is
	// sent again, as CRMs do. With zero it is sent once.
	retryFor time.Duration
}

// report is the result of a load.
type report struct {
	load  load
	began time.Time
	took  time.Duration
	// next is the number of the contact after the last one.
	next int
	// accepted holds the numbers of the webhooks that were answered with 2xx.
	accepted []int
	errors   int
	// latencies are measured from the scheduled time of a webhook to its answer.
	latencies []time.Duration
}

// perSecond is the number of contacts accepted per second.
func (r report) perSecond() float64 {
	return float64(len(r.accepted)*r.load.contacts) / r.took.Seconds()
}

// scheduled returns the scheduled time of a webhook in an open loop.
func (r report) scheduled(number int) time.Time {
	return r.load.schedule(r.began, (number-r.load.first)/r.load.contacts)
}

// schedule returns when the i-th webhook is to be sent.
func (l load) schedule(began time.Time, i int) time.Time {
	if l.rate == 0 {
		return time.Now()
	}
	return began.Add(time.Duration(float64(i) / l.rate * float64(time.Second)))
}

// run sends until count or duration is reached, or ctx ends.
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

// send is the loop of one connection.
func (l load) send(ctx context.Context, began time.Time, next *atomic.Int64) (r report) {
	hook := newWebhook(l.path, l.contacts)
	conn := &connection{dial: func() (net.Conn, error) { return net.DialTimeout("tcp", l.address, answerTimeout) }}
	defer conn.close()
	clock, err := newPreciseTimer()
	if err != nil {
		r.errors++
		return r
	}
	defer clock.close()
	end := began.Add(l.duration)
	for {
		i := int(next.Add(1)) - 1
		scheduled := l.schedule(began, i)
		over := l.count > 0 && i >= l.count || l.duration > 0 && !scheduled.Before(end)
		if over || !clock.waitUntil(ctx, scheduled) {
			return r
		}
		number := l.first + i*l.contacts
		if !l.deliver(ctx, conn, hook.number(number), end) {
			r.errors++
			continue
		}
		r.accepted = append(r.accepted, number)
		r.latencies = append(r.latencies, time.Since(scheduled))
	}
}

// resendAfter is the pause before a webhook is sent again.
const resendAfter = 100 * time.Millisecond

func (l load) deliver(ctx context.Context, conn *connection, wire []byte, end time.Time) bool {
	for {
		status, err := conn.post(wire)
		if err == nil && status/100 == 2 {
			return true
		}
		if l.retryFor == 0 || time.Since(end) > l.retryFor || !sleepUntil(ctx, time.Now().Add(resendAfter)) {
			return false
		}
	}
}

// sleepUntil waits until a time and reports whether ctx is still valid then.
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

// timerSlack is the largest expected delay of sleepUntil.
const timerSlack = 2 * time.Millisecond

// waitUntil is sleepUntil with microsecond precision.
func (a *preciseTimer) waitUntil(ctx context.Context, moment time.Time) bool {
	if !sleepUntil(ctx, moment.Add(-timerSlack)) {
		return false
	}
	if wait := time.Until(moment); wait > 0 {
		a.sleep(wait)
	}
	return true
}

// connection is reused for all requests, and opened again after an error.
type connection struct {
	dial   func() (net.Conn, error)
	conn   net.Conn
	reader *bufio.Reader
}

// answerTimeout is how long a CRM waits for an answer (HubSpot: 5 s).
const answerTimeout = 5 * time.Second

// post sends an encoded request and reads its answer.
func (c *connection) post(wire []byte) (status int, err error) {
	if c.conn == nil {
		conn, err := c.dial()
		if err != nil {
			return 0, err
		}
		c.conn, c.reader = conn, bufio.NewReader(conn)
	}
	_ = c.conn.SetDeadline(time.Now().Add(answerTimeout))
	status, reusable, err := c.exchange(wire)
	if err != nil || !reusable {
		c.close()
	}
	return status, err
}

func (c *connection) exchange(wire []byte) (status int, reusable bool, err error) {
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

// secret is the key of the webhook signatures, which every system verifies.
const secret = "a-secret-for-benchmarks"

// numberMark precedes the number of a webhook in its id, and thus in the call
// that it leads to; the number has numberDigits digits.
const (
	numberMark   = "bench-"
	numberDigits = 10
)

// contact is a typical CRM event of about 1.2 KB. Its id and its telephone
// number are derived from the number of the webhook.
const contact = `{"id":"bench-0000000000","type":"contact.updated","occurred_at":"2026-01-02T03:04:05Z","portal_id":8123456,` +
	`"contact":{"id":"90210","created_at":"2025-11-20T09:14:00Z","updated_at":"2026-01-02T03:04:04Z","properties":{` +
	`"firstname":"Maria","lastname":"Whitfield","email":"maria.whitfield@example.com","mobilephone":"+12025550000",` +
	`"phone":"","country":"US","city":"Washington","timezone":"America/New_York","jobtitle":"Head of Operations",` +
	`"hs_lead_score":"72","consent_voice_ai":"true","lifecyclestage":"opportunity","hs_analytics_source":"ORGANIC_SEARCH",` +
	`"hs_lead_status":"OPEN","num_notes":"4","recent_conversion":"Request a demo: website form","gdpr_basis":"consent"}},` +
	`"company":{"id":"5150","name":"Northwind Heating & Air","domain":"northwind.example","industry":"CONSTRUCTION","employees":48},` +
	`"deal":{"id":"33811","name":"Northwind: 3 heat pumps","stage":"appointmentscheduled","pipeline":"default","amount":14850.5,` +
	`"currency":"USD","closedate":"2026-02-28"},"owner":{"id":"77","name":"Sam Ortiz","email":"sam.ortiz@example.com"},` +
	`"changes":[{"property":"lifecyclestage","from":"lead","to":"opportunity"},{"property":"hs_lead_score","from":"48","to":"72"}],` +
	`"meta":{"attempt":1,"subscription":"contact.propertyChange","app":"benchmark"}}`

const phoneMark = `"mobilephone":"+1202555`

// webhook is a signed HTTP request that is changed in place for each number. It
// must not be used by two connections at the same time.
type webhook struct {
	// wire is the encoded request; the other slices are parts of it.
	wire, body, signature []byte
	numbers, phones       [][]byte
	mac                   hash.Hash
	sum                   [sha256.Size]byte
}

// newWebhook returns a webhook with one contact, or with a list of contacts.
func newWebhook(path string, contacts int) *webhook {
	body := contact
	if contacts > 1 {
		body = "[" + strings.Repeat(contact+",", contacts-1) + contact + "]"
	}
	head := fmt.Sprintf("POST %s HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nUser-Agent: bench\r\n"+
		"X-Signature: sha256=%s\r\nContent-Length: %d\r\n\r\n", path, strings.Repeat("0", 2*sha256.Size), len(body))
	w := &webhook{wire: []byte(head + body), mac: hmac.New(sha256.New, []byte(secret))}
	w.body = w.wire[len(head):]
	at := strings.Index(head, "sha256=") + len("sha256=")
	w.signature = w.wire[at : at+2*sha256.Size]
	w.numbers = bytesAfter(w.body, numberMark, numberDigits)
	w.phones = bytesAfter(w.body, phoneMark, 4)
	return w
}

// bytesAfter returns the length bytes after each occurrence of the mark.
func bytesAfter(body []byte, mark string, length int) (found [][]byte) {
	for {
		_, rest, is := bytes.Cut(body, []byte(mark))
		if !is || len(rest) < length {
			return found
		}
		found, body = append(found, rest[:length]), rest[length:]
	}
}

// number sets the number of the (first) contact, signs the webhook and returns
// the encoded request.
func (w *webhook) number(n int) []byte {
	for i := range w.numbers {
		digits(w.numbers[i], n+i)
		// 555-0100 to 555-0199 are reserved for fiction.
		digits(w.phones[i], 100+(n+i)%100)
	}
	w.mac.Reset()
	w.mac.Write(w.body)
	hex.Encode(w.signature, w.mac.Sum(w.sum[:0]))
	return w.wire
}

func digits(into []byte, n int) {
	for i := len(into) - 1; i >= 0; i-- {
		into[i] = byte('0' + n%10)
		n /= 10
	}
}

// numberIn returns the number of the webhook that led to a message or a call.
func numberIn(body []byte) (int, bool) {
	found := bytesAfter(body, numberMark, numberDigits)
	if len(found) == 0 {
		return 0, false
	}
	n, err := strconv.Atoi(string(found[0]))
	return n, err == nil
}

// numbersIn returns the set of all numbers in a message.
func numbersIn(body []byte) map[int]bool {
	all := map[int]bool{}
	for _, found := range bytesAfter(body, numberMark, numberDigits) {
		if n, err := strconv.Atoi(string(found)); err == nil {
			all[n] = true
		}
	}
	return all
}
