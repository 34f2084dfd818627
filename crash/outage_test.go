//go:build unix

package crash_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"
)

// outage is how long things are away.
func outage() time.Duration {
	if *long {
		return time.Minute
	}
	return 3 * time.Second
}

// ready asks a bridge whether it is, and returns what it says.
func (w *world) ready(url string) (bool, string) {
	client := http.Client{Timeout: 2 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	response, err := client.Get(url + "/readyz")
	if err != nil {
		return false, err.Error()
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return false, err.Error()
	}
	return response.StatusCode == http.StatusOK, string(body)
}

// turns waits until a bridge is ready, or is not.
func (w *world) turns(url string, ready bool) (answer string) {
	w.t.Helper()
	await(w.t, time.Minute, fmt.Sprintf("readiness turns to %t", ready), func() bool {
		is, text := w.ready(url)
		answer = text
		return is == ready
	})
	return answer
}

// under does something while webhooks arrive.
func (w *world) under(act func()) {
	ctx, stop := context.WithCancel(w.t.Context())
	fed := make(chan struct{})
	go func() { defer close(fed); w.crm.feed(ctx, 40*time.Millisecond) }()
	act()
	stop()
	<-fed
	w.crm.open.Wait()
}

// finish waits for rest and checks that everything is accounted for.
func (w *world) finish(name string) account {
	w.t.Helper()
	if !w.rest(restLimit) {
		w.t.Errorf("not at rest within %s", restLimit)
	}
	a := w.account(name)
	a.check(w.t)
	return a
}

func TestNATSGoneUnderLoad(t *testing.T) {
	t.Parallel()
	w := newWorld(t, setup{bridges: 2, nats: 1})
	url := w.urls()[0]
	w.turns(url, true)
	w.under(func() {
		await(t, time.Minute, "calls are placed", func() bool { return len(w.callab.Placed()) > 5 })
		back := w.nats.supervisors[0].away()
		defer back()
		if answer := w.turns(url, false); !strings.Contains(answer, "nats") {
			t.Errorf("not ready because of %s; want nats", answer)
		}
		refused := w.crm.unavailable.Load()
		<-time.After(outage())
		if w.crm.unavailable.Load() == refused {
			t.Error("webhooks were taken without NATS")
		}
		back()
		w.turns(url, true)
	})
	w.finish("NATS gone")
}

func TestNATSWipedAndBack(t *testing.T) {
	t.Parallel()
	w := newWorld(t, setup{nats: 1})
	p := w.launch()
	url := p.addresses().Webhooks
	w.crm.happen(1)
	w.crm.open.Wait()
	await(t, time.Minute, "the call is placed", func() bool { return len(w.callab.Placed()) == 1 })
	back := w.nats.supervisors[0].away()
	defer back()
	w.nats.wipe(t)
	w.turns(url, false)
	back()
	w.turns(url, true)
	// It is ready with the last stream, a moment before it says so.
	await(t, time.Minute, "the log says that the streams were made again", func() bool { return p.said("nats.streams_remade") })
	// What NATS knew is gone; what comes now is taken as ever.
	w.crm.forget()
	w.crm.happen(1)
	w.crm.open.Wait()
	await(t, time.Minute, "the next call is placed", func() bool { return len(w.callab.Placed()) == 2 })
}

// TestStoreLimit fills the embedded NATS up to NATS_MAX_STORE.
func TestStoreLimit(t *testing.T) {
	t.Parallel()
	w := newWorld(t, setup{environ: map[string]string{"NATS_MAX_STORE": "100000"}})
	p := w.launch()
	w.under(func() {
		await(t, time.Minute, "webhooks are refused", func() bool {
			w.crm.happen(1)
			return p.said(`"webhook.received"`, `"status":503`, "JetStream is full", "NATS_MAX_STORE")
		})
		p.signal(stopSignal)
		<-p.exited
		delete(w.setup.environ, "NATS_MAX_STORE")
		w.launch()
	})
	w.finish("store limit")
}
