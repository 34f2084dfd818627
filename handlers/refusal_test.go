package handlers_test

import (
	"net/http"
	"strconv"
	"strings"
	"testing"
)

func TestOnlyThoseWhoFailAreAskedToWait(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	forged := http.Header{"Content-Type": {"application/json"}, "X-Signature": {"sha256=00"}}
	const many = 100
	limited := 0
	for range many {
		switch got := w.do(http.MethodPost, "/webhooks/website", lead, forged); got.status {
		case http.StatusUnauthorized:
		case http.StatusTooManyRequests:
			limited++
			if seconds, err := strconv.Atoi(got.header.Get("Retry-After")); err != nil || seconds < 1 || got.Error != "too_many_failures" {
				t.Fatalf("answered %s, Retry-After %q", got.Error, got.header.Get("Retry-After"))
			}
		default:
			t.Fatalf("answered %d", got.status)
		}
	}
	if limited == 0 || limited > many-30 {
		t.Errorf("%d of %d failures were asked to wait", limited, many)
	}
	// The true sender stands behind the same address.
	if got := w.website(lead); got.status != http.StatusAccepted {
		t.Errorf("the true sender is answered %d", got.status)
	}
	if got := w.do(http.MethodPost, "/webhooks/batch", `{}`, http.Header{"Content-Type": {"application/json"}}); got.status != http.StatusUnauthorized {
		t.Errorf("a first failure for another source is answered %d", got.status)
	}
	// Info and above; a flood does not fill the log.
	if n := strings.Count(w.logs.String(), `"reason":"signature"`); n != many-limited+1 {
		t.Errorf("%d lines for %d failures that were not asked to wait", n, many-limited+1)
	}
}

func TestAddressIsTakenFromTrustedProxiesOnly(t *testing.T) {
	t.Parallel()
	for proxies, want := range map[string]string{"": "127.0.0.1", "127.0.0.1": "198.51.100.7", "127.0.0.0/8": "198.51.100.7", "192.0.2.0/24": "127.0.0.1"} {
		w := newWorldOf(t, config, strings.Fields(proxies)...)
		header := signed(lead)
		// The first is what the sender claims, the last what the proxy saw.
		header.Set("X-Forwarded-For", "203.0.113.9, 198.51.100.7")
		w.do(http.MethodPost, "/webhooks/website", lead, header)
		if !strings.Contains(w.logs.next(t), `"remote":"`+want+`"`) {
			t.Errorf("with proxies %q not from %s:\n%s", proxies, want, w.logs)
		}
	}
}
