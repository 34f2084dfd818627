//go:build unix

package crash_test

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"

	"callbridge/bus/bustest"
)

// scrapeTimeout is how long Prometheus waits for a scrape, unless told
// otherwise.
const scrapeTimeout = 10 * time.Second

// TestScrapeAnswersWhileNATSIsFrozen: a NATS that is there and says nothing is
// the worst that a scrape can meet. It has to tell of it, not to fail itself.
func TestScrapeAnswersWhileNATSIsFrozen(t *testing.T) {
	t.Parallel()
	admin := fmt.Sprintf("127.0.0.1:%d", bustest.Port(t))
	w := newWorld(t, setup{nats: 1, environ: map[string]string{"ADMIN_ADDR": admin}})
	w.launch()
	await(t, 30*time.Second, "the scrape says ready", func() bool { return strings.Contains(scrape(t, admin), "\ncallbridge_ready 1\n") })
	w.nats.supervisors[0].freeze(time.Minute)
	if text := scrape(t, admin); !strings.Contains(text, "\ncallbridge_ready 0\n") {
		t.Errorf("without an answer of NATS, the scrape says:\n%s", text)
	}
	w.nats.supervisors[0].process().signal(syscall.SIGCONT)
	await(t, 30*time.Second, "the scrape says ready again", func() bool { return strings.Contains(scrape(t, admin), "\ncallbridge_ready 1\n") })
}

func scrape(t *testing.T, address string) string {
	t.Helper()
	client := http.Client{Timeout: scrapeTimeout, Transport: &http.Transport{DisableKeepAlives: true}}
	response, err := client.Get("http://" + address + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
