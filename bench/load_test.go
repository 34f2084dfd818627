package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

func TestWebhookIsValidAndSigned(t *testing.T) {
	t.Parallel()
	if size := len(contact); size < 1080 || size > 1320 {
		t.Errorf("a contact has %d bytes, want about 1200", size)
	}
	for contacts, want := range map[int][]int{1: {4_000_000}, 3: {4_000_000, 4_000_001, 4_000_002}} {
		hook := newWebhook("/webhooks/bench", contacts)
		hook.number(7) // a later number replaces it completely
		body := hook.body
		hook.number(want[0])
		if !json.Valid(body) || !strings.Contains(string(hook.wire), fmt.Sprintf("Content-Length: %d\r\n", len(body))) {
			t.Errorf("%d contacts: %s", contacts, hook.wire)
		}
		if !signed("sha256="+string(hook.signature), body) || signed("sha256="+string(hook.signature), append(bytes.Clone(body), ' ')) {
			t.Errorf("%d contacts: the signature is wrong", contacts)
		}
		if n, ok := numberIn(body); !ok || n != want[0] {
			t.Errorf("%d contacts: number %d, want %d", contacts, n, want[0])
		}
		found := numbersIn(body)
		for _, n := range want {
			if !found[n] || len(found) != len(want) {
				t.Errorf("%d contacts: numbers %v, want %v", contacts, found, want)
			}
		}
	}
	if n, ok := numberIn([]byte(`{"id":"bench-12"}`)); ok {
		t.Errorf("read %d where there is no number", n)
	}
}

// receive starts a server that answers with the statuses of answer, and returns the
// numbers of the webhooks that it receives.
func receive(t *testing.T, answer func(n int64) int) (address string, numbers chan int) {
	t.Helper()
	var count atomic.Int64
	numbers = make(chan int, 10_000)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if n, ok := numberIn(body); err == nil && ok && signed(r.Header.Get("X-Signature"), body) {
			numbers <- n
		}
		w.WriteHeader(answer(count.Add(1)))
	}))
	t.Cleanup(server.Close)
	return strings.TrimPrefix(server.URL, "http://"), numbers
}

func TestLoadSendsEachNumberOnce(t *testing.T) {
	t.Parallel()
	address, numbers := receive(t, func(int64) int { return http.StatusAccepted })
	seen := load{address: address, path: "/", connections: 4, contacts: 2, first: 100, count: 50}.run(t.Context())
	slices.Sort(seen.accepted)
	if len(seen.accepted) != 50 || seen.accepted[0] != 100 || seen.accepted[49] != 198 || seen.next < 200 || seen.errors != 0 || len(seen.latencies) != 50 {
		t.Errorf("got %+v", seen)
	}
	sent := map[int]bool{}
	for range 50 {
		sent[<-numbers] = true
	}
	if len(sent) != 50 || len(numbers) != 0 {
		t.Errorf("%d numbers were sent, and %d more", len(sent), len(numbers))
	}
}

func TestOpenLoopMeasuresFromTheScheduledTimeAndOmitsNothing(t *testing.T) {
	t.Parallel()
	const stall = 400 * time.Millisecond
	stalled := time.After(stall)
	address, _ := receive(t, func(n int64) int {
		if n == 1 {
			<-stalled
		}
		return http.StatusOK
	})
	// The only connection waits for longer than the duration of the load.
	seen := load{address: address, path: "/", connections: 1, contacts: 1, duration: stall / 4, rate: 100}.run(t.Context())
	if len(seen.accepted) != 10 || seen.errors != 0 {
		t.Fatalf("%d were accepted, want 10; %d errors", len(seen.accepted), seen.errors)
	}
	for i, n := range seen.accepted {
		if intended := time.Duration(n) * 10 * time.Millisecond; seen.scheduled(n) != seen.began.Add(intended) || seen.latencies[i] < stall/2 {
			t.Errorf("webhook %d was scheduled for %s and took %s", n, seen.scheduled(n).Sub(seen.began), seen.latencies[i])
		}
	}
}

func TestLoadSendsAgainOnlyWithRetryFor(t *testing.T) {
	t.Parallel()
	refuse := func(n int64) int {
		if n == 1 {
			return http.StatusServiceUnavailable
		}
		return http.StatusAccepted
	}
	for retryFor, want := range map[time.Duration]report{0: {accepted: []int{1, 2}, errors: 1}, time.Minute: {accepted: []int{0, 1, 2}}} {
		address, _ := receive(t, refuse)
		seen := load{address: address, path: "/", connections: 1, contacts: 1, count: 3, duration: time.Hour, retryFor: retryFor}.run(t.Context())
		if !slices.Equal(seen.accepted, want.accepted) || seen.errors != want.errors {
			t.Errorf("retryFor %s: accepted %v with %d errors, want %v with %d", retryFor, seen.accepted, seen.errors, want.accepted, want.errors)
		}
	}
}

func TestMissingAndDoubledCallsAreCounted(t *testing.T) {
	t.Parallel()
	for name, start := range map[string]func() (*api, error){
		"at once": startAPI, "simulator": func() (*api, error) { return startSimulator(0) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a, err := start()
			if err != nil {
				t.Fatal(err)
			}
			defer a.close()
			conn := &connection{dial: func() (net.Conn, error) { return net.Dial("tcp", a.socket.Addr().String()) }}
			defer conn.close()
			for _, n := range []int{1, 2, 2, 5_000_000} {
				body := strings.Replace(callBody, `"lead":"-"`, fmt.Sprintf(`"lead":"bench-%010d"`, n), 1)
				if status, err := conn.post(fmt.Appendf(nil, "%sContent-Length: %d\r\n\r\n%s", callHead, len(body), body)); err != nil || status != http.StatusOK {
					t.Fatalf("status %d, error %v", status, err)
				}
			}
			results := map[int]bool{1: false, 2: false, 4: true, 6: false}
			for n, want := range map[int]tally{
				1: {}, 2: {doubled: 1}, 3: {lost: 1}, 4: {undecided: 1}, 6: {lost: 1}, 5_000_000: {noResult: 1},
			} {
				if got := countOutcomes([]int{n}, a, results); got != want {
					t.Errorf("webhook %d: %+v, want %+v", n, got, want)
				}
			}
			if first := a.calls(2).first; a.silence(a.began) < inFlight && first > inFlight || a.silence(time.Now().Add(time.Hour)) != 0 {
				t.Errorf("first call after %s, silence %s", first, a.silence(a.began))
			}
		})
	}
}

func TestQuantileAndMedianRound(t *testing.T) {
	t.Parallel()
	values := []time.Duration{5, 1, 4, 2, 3}
	for q, want := range map[float64]time.Duration{0: 1, .5: 3, .99: 5, 1: 5} {
		if got := quantile(values, q); got != want {
			t.Errorf("quantile %v is %d, want %d", q, got, want)
		}
	}
	if got := quantile([]time.Duration(nil), .5); got != 0 {
		t.Errorf("quantile of nothing is %d", got)
	}
	if got := medianRound([]string{"ccc", "a", "bb"}, func(s string) float64 { return float64(len(s)) }); got != "bb" {
		t.Errorf("the median round is %q", got)
	}
}
