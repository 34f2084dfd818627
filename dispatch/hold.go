package dispatch

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"time"

	"callbridge/callab"
)

// hold stops the whole process from claiming: for a while, because Callab is
// away or throttles us, or until it takes our credentials. Without it an
// outage would burn the attempts of every request in the queue.
type hold struct {
	mu      sync.Mutex
	until   time.Time
	refused bool
	// changed is closed and made anew when the hold ends early or begins.
	changed chan struct{}
}

func newHold() *hold { return &hold{changed: make(chan struct{})} }

// wait returns when claiming is allowed, or with ctx's error.
func (h *hold) wait(ctx context.Context) error {
	for {
		rest, changed := h.rest()
		if rest == 0 {
			return ctx.Err()
		}
		timer := time.NewTimer(rest)
		select {
		case <-ctx.Done():
		case <-changed:
		case <-timer.C:
		}
		timer.Stop()
		if err := ctx.Err(); err != nil {
			return err
		}
	}
}

// held reports whether claiming has to wait.
func (h *hold) held() bool {
	rest, _ := h.rest()
	return rest > 0
}

// rest is how long to wait at the most; 0 if claiming is allowed.
func (h *hold) rest() (time.Duration, <-chan struct{}) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.refused {
		return time.Hour, h.changed
	}
	return max(0, time.Until(h.until)), h.changed
}

// pause holds for at least d from now.
func (h *hold) pause(d time.Duration) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if until := time.Now().Add(d); until.After(h.until) {
		h.until = until
	}
}

// refuse holds until Callab takes our credentials again, or ends that. It
// reports whether that is news.
func (h *hold) refuse(refused bool) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.refused == refused {
		return false
	}
	h.refused = refused
	close(h.changed)
	h.changed = make(chan struct{})
	return true
}

func (h *hold) credentials() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.refused
}

// credentialsEvery is how often refused credentials are tried again; the token
// file is read each time.
const credentialsEvery = 2 * time.Second

// watchCredentials ends the hold once Callab takes our token. It asks with a
// harmless read of the call list, so that no call pays for finding out.
func (d *Dispatcher) watchCredentials(ctx context.Context) {
	tick := time.NewTicker(credentialsEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if !d.hold.credentials() {
			continue
		}
		if _, err := d.api.QueryCalls(ctx, callab.Query{PerPage: 1}); knowsUs(err) {
			d.hold.refuse(false)
			d.log.Info("dispatch.credentials_accepted")
		}
	}
}

// knowsUs reports whether Callab got as far as answering us: no answer at all
// says nothing about the token.
func knowsUs(err error) bool {
	var api *callab.Error
	if errors.As(err, &api) {
		return api.HTTPStatus != http.StatusUnauthorized && api.HTTPStatus != http.StatusForbidden
	}
	return err == nil
}
