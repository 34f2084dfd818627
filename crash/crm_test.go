//go:build unix

package crash_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

	"callbridge/event"
	"callbridge/internal/testkit"
)

// leads is the number of people in the CRM: few, so that each is on several pages
// of Callab's list.
const leads = 10

func lead(n int) string { return fmt.Sprintf("+120255501%02d", n) }

// crm sends signed webhooks and repeats each until it is answered with 2xx.
type crm struct {
	t       *testing.T
	urls    func() []string
	dice    *dice
	http    *http.Client
	pending sync.WaitGroup
	people  int

	sent, unavailable atomic.Int64

	mu       sync.Mutex
	accepted map[uuid.UUID]string // request id: key
	next     int
}

func newCRM(t *testing.T, urls func() []string, d *dice) *crm {
	c := &crm{
		t: t, urls: urls, dice: d, accepted: map[uuid.UUID]string{},
		// Every delivery has its own connection, since bridges are replaced.
		http: &http.Client{Timeout: 3 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}},
	}
	t.Cleanup(c.pending.Wait)
	return c
}

// sendEvents creates events at an interval until ctx ends, and sends each of them
// one to three times.
func (c *crm) sendEvents(ctx context.Context, every time.Duration) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			c.newEvent(1 + c.dice.n(3))
		}
	}
}

// newEvent creates an event in the CRM and sends it several times.
func (c *crm) newEvent(times int) (key string) {
	c.mu.Lock()
	c.next++
	key = fmt.Sprintf("lead-%d", c.next)
	c.mu.Unlock()
	for range times {
		c.pending.Go(func() { c.deliver(key) })
	}
	return key
}

// retryLimit is how long the CRM sends a webhook again; longer than any outage here.
const retryLimit = 3 * time.Minute

// deliver sends one webhook until it is accepted or the test ends, and returns the
// status of its event in the answer.
func (c *crm) deliver(key string) string {
	for start := time.Now(); time.Since(start) < retryLimit; {
		if c.t.Context().Err() != nil {
			return ""
		}
		urls := c.urls()
		if len(urls) > 0 {
			if status, ok := c.post(urls[c.dice.n(len(urls))], key); ok {
				return status
			}
		}
		<-time.After(c.dice.between(50*time.Millisecond, 400*time.Millisecond))
	}
	c.t.Errorf("webhook %s was not accepted within %s", key, retryLimit)
	return ""
}

// post sends a webhook once; not ok means that it must be sent again.
func (c *crm) post(url, key string) (status string, ok bool) {
	c.sent.Add(1)
	code, answer, err := c.send(url, key)
	switch {
	case err != nil || code >= 500:
		c.unavailable.Add(1)
		return "", false
	case code != http.StatusAccepted:
		c.t.Errorf("webhook %s was answered %d: %s", key, code, answer)
		return "", true
	}
	var a struct {
		Events []struct {
			Status   string      `json:"status"`
			Requests []uuid.UUID `json:"requests"`
		} `json:"events"`
	}
	id := event.RequestID(event.EventID("crm", key), "lead")
	if err := json.Unmarshal(answer, &a); err != nil || len(a.Events) != 1 || !slices.Equal(a.Events[0].Requests, []uuid.UUID{id}) {
		c.t.Errorf("webhook %s was answered %s, which does not name request %s", key, answer, id)
		return "", true
	}
	c.mu.Lock()
	c.accepted[id] = key
	c.mu.Unlock()
	return a.Events[0].Status, true
}

func (c *crm) send(url, key string) (code int, answer []byte, err error) {
	var number int
	_, _ = fmt.Sscanf(key, "lead-%d", &number)
	body := fmt.Appendf(nil, `{"id":%q,"type":"lead.created","phone":%q}`, key, lead(number%c.people))
	request, err := http.NewRequest(http.MethodPost, url+"/webhooks/crm", bytes.NewReader(body))
	if err != nil {
		return 0, nil, err
	}
	request.Header = testkit.Signed(crmSecret, string(body))
	response, err := c.http.Do(request)
	if err != nil {
		return 0, nil, err
	}
	defer response.Body.Close()
	answer, err = io.ReadAll(response.Body)
	return response.StatusCode, answer, err
}

// repeatAll sends all webhooks once more, as a CRM may do days later. All must be
// answered as duplicates: the id of an event does not depend on the time, so this
// holds as long as RETENTION.
func (c *crm) repeatAll() {
	slots := make(chan struct{}, 16)
	for id, key := range c.all() {
		slots <- struct{}{}
		c.pending.Go(func() {
			defer func() { <-slots }()
			if status := c.deliver(key); status != "duplicate" {
				c.t.Errorf("webhook %s (%s) sent again was answered %q, want duplicate", key, id, status)
			}
		})
	}
	c.pending.Wait()
}

// clearAccepted drops all accepted requests, after NATS has lost them.
func (c *crm) clearAccepted() {
	c.mu.Lock()
	defer c.mu.Unlock()
	clear(c.accepted)
}

// all returns the accepted requests: request id to key.
func (c *crm) all() map[uuid.UUID]string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return maps.Clone(c.accepted)
}
