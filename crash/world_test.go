//go:build unix

package crash_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"callbridge/callab/callabsim"
)

// Timings that keep every rule of dispatch.Config.Validate and let a test
// wait. callabIdle is also how long the simulator keeps a silent connection.
const (
	writeWindow   = 500 * time.Millisecond
	callabTimeout = time.Second
	callabIdle    = 500 * time.Millisecond
	claimAge      = 4 * time.Second
	settle        = 1500 * time.Millisecond
	ackWait       = 3 * time.Second
	listLag       = 200 * time.Millisecond
)

const (
	crmSecret   = "crm-secret"
	callabToken = "callab-token"
)

// plan is what a binary with crash points is asked to do to itself; its JSON
// is that of CRASHTEST_PLAN.
type plan struct {
	Seed      uint64             `json:"seed"`
	Kill      map[string]float64 `json:"kill"`
	Freeze    map[string]float64 `json:"freeze"`
	FenceOff  bool               `json:"fence_off"`
	LedgerOff bool               `json:"ledger_off"`
}

// setup is a world to be made. The zero setup has no bridge yet, which will
// have the embedded NATS.
type setup struct {
	bridges int
	// nats is the number of external servers; 0 for the embedded one.
	nats int
	plan plan
	// oneHealthy: the plan is for the first bridge only.
	oneHealthy bool
	// frozenFor is how long every freeze lasts; 0 for a mixture.
	frozenFor time.Duration
	// environ replaces settings of the bridges.
	environ map[string]string
	sim     callabsim.Options
}

// world is bridges, NATS and Callab as they run somewhere, and a CRM.
type world struct {
	t       *testing.T
	setup   setup
	dir     string
	dice    *dice
	nats    *nodes
	callab  *callab
	crm     *crm
	results *results
	// calm: processes that start from now on do nothing to themselves.
	calm atomic.Bool

	// mu guards bridges while webhooks arrive: launch adds to them.
	mu      sync.Mutex
	bridges []*supervisor
}

// config is a callbridge.yaml that dials.
const config = `
sources:
  crm:
    preset: generic
    verify: [{kind: hmac, hash: sha256, header: X-Signature, prefix: "sha256=", encoding: hex, keys: ["${CRM_SECRET}"]}]
    key: [body:id]
    fields:
      phone: {path: phone, type: phone}
routes:
  - name: lead
    source: crm
    mode: live
    when: type == "lead.created"
    call:
      ai_agent_id: 6f1f8f0e-5f57-4c0e-9d0a-1f6f4b0a7c11
      call_from: "+12025550100"
      call_to: phone
      agent_dynamic_variables: {lead: "{{key}}"}
`

func newWorld(t *testing.T, s setup) *world {
	t.Helper()
	w := &world{t: t, setup: s, dir: t.TempDir(), dice: newDice(s.plan.Seed)}
	if err := os.WriteFile(filepath.Join(w.dir, "callbridge.yaml"), []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	w.callab = startCallab(t, s.sim)
	if s.nats > 0 {
		w.nats = startNATS(t, s.nats)
	}
	w.crm = newCRM(t, w.urls, w.dice)
	w.results = newResults(t)
	program := hooked(t)
	for i := range s.bridges {
		b := &supervisor{
			name: fmt.Sprintf("bridge %d", i), unreliable: s.nats > 0, freezeFor: w.freezeFor,
			launch: func(onLine func(*process, string)) (*process, error) {
				return launch(program, w.environ(i == 0 || !s.oneHealthy), []string{"serve"}, onLine)
			},
		}
		b.supervise(t)
		w.bridges = append(w.bridges, b)
	}
	t.Cleanup(w.explain)
	await(t, 30*time.Second, "the bridges start", func() bool { return len(w.urls()) == s.bridges })
	return w
}

// launch starts a bridge that nobody restarts, and waits until it is up.
func (w *world) launch() *process {
	w.t.Helper()
	p := w.attempt()
	w.mu.Lock()
	w.bridges = append(w.bridges, &supervisor{name: "bridge", current: p})
	w.mu.Unlock()
	await(w.t, 30*time.Second, "the bridge starts", func() bool { return p.addresses().Webhooks != "" })
	return p
}

// attempt starts a bridge that may refuse to.
func (w *world) attempt() *process {
	w.t.Helper()
	p, err := launch(hooked(w.t), w.environ(false), []string{"serve"}, nil)
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { p.kill() })
	return p
}

// explain shows the end of every log if the test has failed.
func (w *world) explain() {
	if !w.t.Failed() {
		return
	}
	for _, b := range w.bridges {
		w.t.Logf("%s ended with:\n%s", b.name, b.process().lastWords(30))
	}
}

// whenSynced is the default in the long form. The short one must not hang on the disk
// of whatever machine it runs on.
func whenSynced() string {
	if *long {
		return "always"
	}
	return "interval"
}

// environ is all that a bridge gets from its surroundings; the plan only if it
// is to have one.
func (w *world) environ(planned bool) []string {
	settings := map[string]string{
		"PATH": os.Getenv("PATH"), "CONFIG_FILE": filepath.Join(w.dir, "callbridge.yaml"), "CRM_SECRET": crmSecret,
		"HTTP_ADDR": "127.0.0.1:0", "ADMIN_ADDR": "",
		"NATS_URL": w.nats.url(), "NATS_REPLICAS": fmt.Sprint(max(1, w.setup.nats)),
		"NATS_LISTEN": "127.0.0.1:0", "NATS_STORE_DIR": filepath.Join(w.dir, "store"), "NATS_SYNC": whenSynced(),
		"CALLAB_URL": w.callab.url(), "CALLAB_TOKEN": callabToken,
		"CALLAB_TIMEOUT": callabTimeout.String(), "CALLAB_IDLE": callabIdle.String(),
		"DIAL_RATE": "0", "DIAL_ATTEMPTS": "100",
		"DIAL_WRITE_WINDOW": writeWindow.String(), "DIAL_CLAIM_AGE": claimAge.String(),
		"DIAL_SETTLE": settle.String(), "DIAL_ACK_WAIT": ackWait.String(),
	}
	maps.Copy(settings, w.setup.environ)
	p := w.setup.plan
	if w.calm.Load() || !planned {
		p.Kill, p.Freeze = nil, nil
	}
	// A plan of maps and numbers is always JSON.
	text, _ := json.Marshal(p)
	environ := []string{"CRASHTEST_PLAN=" + string(text)}
	for name, value := range settings {
		environ = append(environ, name+"="+value)
	}
	return environ
}

// urls are where webhooks are taken just now.
func (w *world) urls() []string {
	var urls []string
	for _, a := range w.addresses() {
		urls = append(urls, a.Webhooks)
	}
	return urls
}

// natsURL is where to read results.
func (w *world) natsURL() string {
	if w.nats != nil {
		return w.nats.url()
	}
	if up := w.addresses(); len(up) > 0 {
		return up[0].NATS
	}
	return ""
}

// addresses are those of the bridges that are up.
func (w *world) addresses() []addresses {
	w.mu.Lock()
	defer w.mu.Unlock()
	var up []addresses
	for _, b := range w.bridges {
		if a := b.process().addresses(); a.Webhooks != "" {
			up = append(up, a)
		}
	}
	return up
}
