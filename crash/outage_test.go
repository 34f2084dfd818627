//go:build unix

package crash_test

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"callbridge/bus/bustest"
	"callbridge/bus/role"
	"callbridge/callab/callabsim"
	"callbridge/internal/testkit"
)

// outage is the duration of an outage.
func outage() time.Duration {
	if *long {
		return time.Minute
	}
	return 3 * time.Second
}

func TestNATSOutageUnderLoadLosesNothing(t *testing.T) {
	t.Parallel()
	f := newFixture(t, scenario{bridges: 2, nats: 1})
	url := f.urls()[0]
	f.waitReady(url, true)
	f.underLoad(func() {
		await(t, time.Minute, "calls are placed", func() bool { return len(f.callab.Placed()) > 5 })
		restore := f.nats.supervisors[0].takeDown()
		defer restore()
		f.waitReady(url, false)
		refused := f.crm.unavailable.Load()
		<-time.After(outage())
		if f.crm.unavailable.Load() == refused {
			t.Error("webhooks were accepted without NATS")
		}
		restore()
		f.waitReady(url, true)
	})
	f.finish("NATS gone")
}

func TestStreamsAreMadeAgainAfterNATSLostItsData(t *testing.T) {
	t.Parallel()
	f := newFixture(t, scenario{nats: 1})
	p := f.launch()
	url := p.addresses().Webhooks
	f.crm.newEvent(1)
	f.crm.pending.Wait()
	await(t, time.Minute, "the call is placed", func() bool { return len(f.callab.Placed()) == 1 })
	restore := f.nats.supervisors[0].takeDown()
	defer restore()
	f.nats.wipe(t)
	f.waitReady(url, false)
	restore()
	f.waitReady(url, true)
	// It is ready with the last stream, shortly before it logs it.
	await(t, time.Minute, "the log says that the streams were lost", func() bool { return p.logged("nats.streams_lost") })
	// The data of NATS is lost; new webhooks must be accepted as before.
	f.crm.clearAccepted()
	f.crm.newEvent(1)
	f.crm.pending.Wait()
	await(t, time.Minute, "the next call is placed", func() bool { return len(f.callab.Placed()) == 2 })
}

// The embedded NATS is filled up to NATS_MAX_STORE.
func TestWebhooksAreRefusedWhileTheStoreIsFull(t *testing.T) {
	t.Parallel()
	f := newFixture(t, scenario{environ: map[string]string{"NATS_MAX_STORE": "100000"}})
	p := f.launch()
	f.underLoad(func() {
		await(t, time.Minute, "webhooks are refused", func() bool {
			f.crm.newEvent(1)
			return p.logged(`"webhook.received"`, `"status":503`, "the store has no room for more webhooks", "NATS_MAX_STORE")
		})
		p.signal(stopSignal)
		<-p.exited
		delete(f.scenario.environ, "NATS_MAX_STORE")
		f.launch()
	})
	f.finish("store limit")
}

func TestCallabOutageUnderLoadLosesNothing(t *testing.T) {
	t.Parallel()
	f := newFixture(t, scenario{bridges: 1})
	f.underLoad(func() {
		await(t, time.Minute, "calls are placed", func() bool { return len(f.callab.Placed()) > 5 })
		f.callab.stop()
		<-time.After(outage())
		f.callab.start()
		placed := len(f.callab.Placed())
		await(t, 2*time.Minute, "calls are placed again", func() bool { return len(f.callab.Placed()) > placed })
	})
	// A machine that is busy with other tests refuses a few webhooks for want of time,
	// which the CRM sends again. Had the intake waited for Callab, most would be refused.
	if a := f.finish("Callab gone"); f.crm.unavailable.Load() > a.webhooks/10 {
		t.Errorf("%d of %d webhooks were refused because Callab was away", f.crm.unavailable.Load(), a.webhooks)
	}
}

// A wrong token is our own mistake and must not lose a request.
func TestRefusedTokenKeepsRequestsWaiting(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "token")
	write := func(token string) {
		if err := os.WriteFile(file, []byte(token+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("revoked")
	f := newFixture(t, scenario{
		environ: map[string]string{"CALLAB_TOKEN": "", "CALLAB_TOKEN_FILE": file},
		sim:     callabsim.Options{Tokens: []string{callabToken}},
	})
	p := f.launch()
	url := p.addresses().Webhooks
	for range 30 {
		f.crm.newEvent(1)
	}
	f.crm.pending.Wait()
	await(t, time.Minute, "the log says that the token is refused", func() bool { return p.logged("dispatch.credentials_refused", "CALLAB_TOKEN") })
	f.waitReady(url, true)
	waiting := f.waiting()
	<-time.After(outage())
	if now := f.waiting(); now != waiting || now == 0 {
		t.Errorf("%d requests wait, and %d did before: some were lost", now, waiting)
	}
	write(callabToken)
	f.finish("token refused")
}

// waiting returns the number of requests that are not acknowledged.
func (f *fixture) waiting() uint64 {
	f.t.Helper()
	consumer, err := testkit.JetStream(f.t, f.natsURL(), nats.CustomInboxPrefix(role.Inbox(role.Operator))).Consumer(f.t.Context(), "CALLBRIDGE_REQUESTS", "dispatch")
	if err != nil {
		f.t.Fatal(err)
	}
	info := consumer.CachedInfo()
	return info.NumPending + uint64(info.NumAckPending)
}

// scrapeTimeout is the default scrape timeout of Prometheus.
const scrapeTimeout = 10 * time.Second

// A frozen NATS answers nothing but keeps its connections open. The scrape must
// report it and must not time out.
func TestScrapeAnswersWhileNATSIsFrozen(t *testing.T) {
	t.Parallel()
	admin := fmt.Sprintf("127.0.0.1:%d", bustest.Port(t))
	f := newFixture(t, scenario{nats: 1, environ: map[string]string{"ADMIN_ADDR": admin}})
	f.launch()
	await(t, 30*time.Second, "the scrape says ready", func() bool { return strings.Contains(scrape(t, admin), "\ncallbridge_ready 1\n") })
	f.nats.supervisors[0].freeze(time.Minute)
	if text := scrape(t, admin); !strings.Contains(text, "\ncallbridge_ready 0\n") {
		t.Errorf("without an answer of NATS, the scrape says:\n%s", text)
	}
	f.nats.supervisors[0].process().signal(syscall.SIGCONT)
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
