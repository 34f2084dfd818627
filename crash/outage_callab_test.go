//go:build unix

package crash_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"callbridge/callab/callabsim"
)

func TestCallabGoneUnderLoad(t *testing.T) {
	t.Parallel()
	w := newWorld(t, setup{bridges: 1})
	w.under(func() {
		await(t, time.Minute, "calls are placed", func() bool { return len(w.callab.Placed()) > 5 })
		w.callab.away()
		<-time.After(outage())
		w.callab.back()
		placed := len(w.callab.Placed())
		await(t, 2*time.Minute, "calls are placed again", func() bool { return len(w.callab.Placed()) > placed })
	})
	if a := w.finish("Callab gone"); w.crm.unavailable.Load() > 0 {
		t.Errorf("%d of %d webhooks were refused because Callab was away", w.crm.unavailable.Load(), a.webhooks)
	}
}

// TestRefusedTokenHoldsEverything: our own fault must not cost anybody a call.
func TestRefusedTokenHoldsEverything(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "token")
	write := func(token string) {
		if err := os.WriteFile(file, []byte(token+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("revoked")
	w := newWorld(t, setup{
		environ: map[string]string{"CALLAB_TOKEN": "", "CALLAB_TOKEN_FILE": file},
		sim:     callabsim.Options{Tokens: []string{callabToken}},
	})
	p := w.launch()
	url := p.addresses().Webhooks
	for range 30 {
		w.crm.happen(1)
	}
	w.crm.open.Wait()
	if answer := w.turns(url, false); !strings.Contains(answer, "CALLAB_TOKEN") {
		t.Errorf("not ready because of %s; want CALLAB_TOKEN named", answer)
	}
	waiting := w.waiting()
	<-time.After(outage())
	if now := w.waiting(); now != waiting || now == 0 {
		t.Errorf("%d requests wait, and %d did before: some were consumed", now, waiting)
	}
	if !p.said("dispatch.credentials_refused") {
		t.Errorf("the log does not say that the token is refused:\n%s", p.lastWords(20))
	}
	write(callabToken)
	w.turns(url, true)
	w.finish("token refused")
}

// waiting counts the requests that were never delivered.
func (w *world) waiting() uint64 {
	w.t.Helper()
	conn, err := nats.Connect(w.natsURL())
	if err != nil {
		w.t.Fatal(err)
	}
	defer conn.Close()
	js, err := jetstream.New(conn)
	if err != nil {
		w.t.Fatal(err)
	}
	consumer, err := js.Consumer(w.t.Context(), "CALLBRIDGE_REQUESTS", "dispatch")
	if err != nil {
		w.t.Fatal(err)
	}
	return consumer.CachedInfo().NumPending
}
