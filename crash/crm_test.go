//go:build unix

package crash_test

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
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
)

// leads is how many people the CRM knows: few, so that each is on several
// pages of Callab's list.
const leads = 10

func lead(n int) string { return fmt.Sprintf("+120255501%02d", n) }

// crm sends signed webhooks and repeats each until it is answered with 2xx.
type crm struct {
	t    *testing.T
	urls func() []string
	dice *dice
	http *http.Client
	open sync.WaitGroup

	sent, unavailable atomic.Int64

	mu       sync.Mutex
	accepted map[uuid.UUID]string // request id: key
	next     int
}

func newCRM(t *testing.T, urls func() []string, d *dice) *crm {
	c := &crm{
		t: t, urls: urls, dice: d, accepted: map[uuid.UUID]string{},
		// Every delivery on its own connection: the bridge may be a new one.
		http: &http.Client{Timeout: 3 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}},
	}
	t.Cleanup(c.open.Wait)
	return c
}

// feed makes an event every now and then until ctx ends, and sends each one to
// three times at once.
func (c *crm) feed(ctx context.Context, every time.Duration) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			c.happen(1 + c.dice.n(3))
		}
	}
}

// happen is one event in the CRM, told several times.
func (c *crm) happen(times int) (key string) {
	c.mu.Lock()
	c.next++
	key = fmt.Sprintf("lead-%d", c.next)
	c.mu.Unlock()
	for range times {
		c.open.Go(func() { c.deliver(key) })
	}
	return key
}

// patience is how long a CRM tries; longer than anything here is away.
const patience = 3 * time.Minute

// deliver sends one webhook until somebody takes it or the test is over, and
// returns the status that its event was answered with.
func (c *crm) deliver(key string) string {
	for start := time.Now(); time.Since(start) < patience; {
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
	c.t.Errorf("webhook %s was not taken within %s", key, patience)
	return ""
}

// post sends a webhook once. Not ok means: again.
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
	body := fmt.Appendf(nil, `{"id":%q,"type":"lead.created","phone":%q}`, key, lead(number%leads))
	request, err := http.NewRequest(http.MethodPost, url+"/webhooks/crm", bytes.NewReader(body))
	if err != nil {
		return 0, nil, err
	}
	mac := hmac.New(sha256.New, []byte(crmSecret))
	mac.Write(body)
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("X-Signature", "sha256="+hex.EncodeToString(mac.Sum(nil)))
	response, err := c.http.Do(request)
	if err != nil {
		return 0, nil, err
	}
	defer response.Body.Close()
	answer, err = io.ReadAll(response.Body)
	return response.StatusCode, answer, err
}

// repeatAll sends everything once more, as a person at a CRM does days later. All
// of it must be known: an event's identity is made from no clock, so it makes
// no difference which day it is while RETENTION lasts.
func (c *crm) repeatAll() {
	slots := make(chan struct{}, 16)
	for id, key := range c.all() {
		slots <- struct{}{}
		c.open.Go(func() {
			defer func() { <-slots }()
			if status := c.deliver(key); status != "duplicate" {
				c.t.Errorf("webhook %s (%s) sent again was answered %q, want duplicate", key, id, status)
			}
		})
	}
	c.open.Wait()
}

// forget drops what was answered for: NATS has lost it.
func (c *crm) forget() {
	c.mu.Lock()
	defer c.mu.Unlock()
	clear(c.accepted)
}

// all are the requests that callbridge has answered for.
func (c *crm) all() map[uuid.UUID]string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return maps.Clone(c.accepted)
}
