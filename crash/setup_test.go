//go:build unix

package crash_test

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"callbridge/bus/role"
	"callbridge/callab/callabsim"
	"callbridge/internal/testkit"
)

// Timings that are valid for dispatch.Config.Validate and short enough for a test.
// callabIdle is also how long the simulator keeps a silent connection.
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

// plan is the value of CRASHTEST_PLAN: what a binary with crash points does to
// itself.
type plan struct {
	Seed      uint64             `json:"seed"`
	Kill      map[string]float64 `json:"kill"`
	Freeze    map[string]float64 `json:"freeze"`
	FenceOff  bool               `json:"fence_off"`
	LedgerOff bool               `json:"ledger_off"`
	// ReservationOff: no call to a person is reserved.
	ReservationOff bool `json:"reservation_off"`
}

// scenario configures a fixture. The zero scenario has no bridge, and the embedded
// NATS.
type scenario struct {
	bridges int
	// nats is the number of external servers; 0 for the embedded one.
	nats int
	plan plan
	// oneHealthy: the plan applies to the first bridge only.
	oneHealthy bool
	// frozenFor is the duration of every freeze; 0 for random durations.
	frozenFor time.Duration
	// policy is the policy of all routes; empty for the countries alone.
	policy string
	// people is the number of people in the CRM; 0 for leads.
	people int
	// environ overrides settings of the bridges.
	environ map[string]string
	sim     callabsim.Options
	// clocks are how far the clocks of the bridges are ahead; missing ones are right.
	clocks []time.Duration
	// hosts returns the machine of each number: Callab and the CRM have the first one,
	// then come the NATS servers, then the bridges. nil: all have the loopback address.
	hosts func(number int) host
}

// The hosts of Callab and the CRM, and of the first NATS server.
const (
	callabHost    = 0
	firstNATSHost = 1
)

// host returns the machine of a number.
func (f *fixture) host(number int) host {
	if f.scenario.hosts == nil {
		return loopback
	}
	return f.scenario.hosts(number)
}

func (f *fixture) bridgeHost(bridge int) int { return firstNATSHost + f.scenario.nats + bridge }

// fixture has bridges, NATS, Callab and a CRM.
type fixture struct {
	t        *testing.T
	scenario scenario
	dir      string
	dice     *dice
	nats     *nodes
	callab   *callab
	crm      *crm
	results  *results
	// faultsOff: processes that start from now on have no plan.
	faultsOff atomic.Bool

	// mu guards bridges, which launch appends to while webhooks arrive.
	mu      sync.Mutex
	bridges []*supervisor
}

// config is the callbridge.yaml of all bridges.
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
    purpose: service
    policy: POLICY
    when: type == "lead.created"
    call:
      ai_agent_id: 6f1f8f0e-5f57-4c0e-9d0a-1f6f4b0a7c11
      call_from: "+12025550100"
      call_to: phone
      agent_dynamic_variables: {lead: "{{key}}"}
`

func newFixture(t *testing.T, s scenario) *fixture {
	t.Helper()
	f := &fixture{t: t, scenario: s, dir: t.TempDir(), dice: newDice(s.plan.Seed)}
	routes := strings.ReplaceAll(config, "POLICY", cmp.Or(s.policy, "{countries: [US]}"))
	for name, content := range map[string]string{"callbridge.yaml": routes, "person-key": strings.Repeat("k", 32)} {
		if err := os.WriteFile(filepath.Join(f.dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	f.callab = startCallab(t, f.host(callabHost), s.sim)
	if s.nats > 0 {
		f.nats = startNATS(t, s.nats, func(node int) host { return f.host(firstNATSHost + node) })
	}
	for i, ahead := range s.clocks {
		f.setClock(i, ahead)
	}
	f.crm = newCRM(t, f.urls, f.dice)
	f.crm.people = cmp.Or(s.people, leads)
	f.results = newResults(t)
	program := hooked(t)
	for i := range s.bridges {
		b := &supervisor{
			name: fmt.Sprintf("bridge %d", i), unreliable: s.nats > 0, freezeFor: f.freezeFor,
			launch: func(onLine func(*process, string)) (*process, error) {
				return launch(f.host(f.bridgeHost(i)), program, f.environ(i, i == 0 || !s.oneHealthy), []string{"serve"}, onLine)
			},
		}
		b.supervise(t)
		f.bridges = append(f.bridges, b)
	}
	t.Cleanup(f.showLogs)
	await(t, 30*time.Second, "the bridges start", func() bool { return len(f.urls()) == s.bridges })
	return f
}

// launch starts a bridge without a supervisor, and waits until it is ready.
func (f *fixture) launch() *process {
	f.t.Helper()
	p := f.start()
	f.mu.Lock()
	f.bridges = append(f.bridges, &supervisor{name: "bridge", current: p})
	f.mu.Unlock()
	await(f.t, 30*time.Second, "the bridge starts", func() bool { return p.addresses().Webhooks != "" })
	return p
}

// start starts a bridge without waiting; it may exit with an error.
func (f *fixture) start() *process {
	f.t.Helper()
	p, err := launch(loopback, hooked(f.t), f.environ(0, false), []string{"serve"}, nil)
	if err != nil {
		f.t.Fatal(err)
	}
	f.t.Cleanup(func() { p.kill() })
	return p
}

// showLogs prints the end of every log if the test has failed.
func (f *fixture) showLogs() {
	if !f.t.Failed() {
		return
	}
	for _, b := range f.bridges {
		f.t.Logf("%s ended with:\n%s", b.name, b.process().logTail(30))
	}
}

// natsSync is the default in the long form. The short form must not depend on the
// disk of the machine.
func natsSync() string {
	if *long {
		return "always"
	}
	return "interval"
}

// environ returns the whole environment of a bridge, with the plan if planned.
func (f *fixture) environ(bridge int, planned bool) []string {
	settings := map[string]string{
		"PATH": os.Getenv("PATH"), "CONFIG_FILE": filepath.Join(f.dir, "callbridge.yaml"), "CRM_SECRET": crmSecret,
		"HTTP_ADDR": f.host(f.bridgeHost(bridge)).address + ":0", "ADMIN_ADDR": "",
		"PERSON_KEY_FILE": filepath.Join(f.dir, "person-key"),
		"NATS_URL":        f.nats.url(), "NATS_REPLICAS": fmt.Sprint(max(1, f.scenario.nats)),
		"NATS_LISTEN": "127.0.0.1:0", "NATS_STORE_DIR": f.storeDir(), "NATS_SYNC": natsSync(),
		"CALLAB_URL": f.callab.url(), "CALLAB_TOKEN": callabToken,
		"CALLAB_TIMEOUT": callabTimeout.String(), "CALLAB_IDLE": callabIdle.String(),
		"DIAL_RATE": "0", "DIAL_ATTEMPTS": "100", "FOLLOW": "off",
		"DIAL_WRITE_WINDOW": writeWindow.String(), "DIAL_CLAIM_AGE": claimAge.String(),
		"DIAL_SETTLE": settle.String(), "DIAL_ACK_WAIT": ackWait.String(),
	}
	maps.Copy(settings, f.scenario.environ)
	if bridge < len(f.scenario.clocks) {
		settings["CRASHTEST_CLOCK"] = f.clockFile(bridge)
	}
	p := f.scenario.plan
	if f.faultsOff.Load() || !planned {
		p.Kill, p.Freeze = nil, nil
	}
	// A plan can always be encoded.
	text, _ := json.Marshal(p)
	environ := []string{"CRASHTEST_PLAN=" + string(text)}
	for name, value := range settings {
		environ = append(environ, name+"="+value)
	}
	return environ
}

// urls returns the webhook addresses of the bridges that are ready.
func (f *fixture) urls() []string {
	var urls []string
	for _, a := range f.addresses() {
		urls = append(urls, a.Webhooks)
	}
	return urls
}

// setClock sets how far the clock of a bridge is ahead, in seconds, now or at its start.
func (f *fixture) setClock(bridge int, ahead time.Duration) {
	f.t.Helper()
	// Renamed, so that the bridge never reads half of it.
	file := f.clockFile(bridge)
	if err := os.WriteFile(file+".new", fmt.Appendf(nil, "%d", int(ahead.Seconds())), 0o600); err != nil {
		f.t.Fatal(err)
	}
	if err := os.Rename(file+".new", file); err != nil {
		f.t.Fatal(err)
	}
}

func (f *fixture) clockFile(bridge int) string {
	return filepath.Join(f.dir, fmt.Sprintf("clock-%d", bridge))
}

// storeDir returns the directory of the embedded NATS.
func (f *fixture) storeDir() string {
	return cmp.Or(f.scenario.environ["NATS_STORE_DIR"], filepath.Join(f.dir, "store"))
}

// natsURL returns the address of NATS, for an operator if it has users.
func (f *fixture) natsURL() string {
	if f.nats != nil {
		return f.nats.url()
	}
	if up := f.addresses(); len(up) > 0 {
		users, err := role.Read(f.storeDir())
		if err != nil {
			f.t.Fatal(err)
		}
		return users.URL(role.Operator, up[0].NATS)
	}
	return ""
}

// addresses returns the addresses of the bridges that are ready.
func (f *fixture) addresses() []addresses {
	f.mu.Lock()
	defer f.mu.Unlock()
	var up []addresses
	for _, b := range f.bridges {
		if a := b.process().addresses(); a.Webhooks != "" {
			up = append(up, a)
		}
	}
	return up
}

// await waits for a condition, and ends the test if it does not hold within limit.
func await(t *testing.T, limit time.Duration, what string, happened func() bool) {
	t.Helper()
	if !testkit.Within(limit, happened) {
		t.Fatalf("%s: not within %s", what, limit)
	}
}

// ready returns the status and the text of /readyz.
func (f *fixture) ready(url string) (bool, string) {
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

// waitReady waits until a bridge is ready, or not ready, and returns its answer.
func (f *fixture) waitReady(url string, ready bool) (answer string) {
	f.t.Helper()
	await(f.t, time.Minute, fmt.Sprintf("readiness turns to %t", ready), func() bool {
		is, text := f.ready(url)
		answer = text
		return is == ready
	})
	return answer
}

// underLoad calls act while webhooks arrive.
func (f *fixture) underLoad(act func()) {
	ctx, stop := context.WithCancel(f.t.Context())
	sent := make(chan struct{})
	go func() { defer close(sent); f.crm.sendEvents(ctx, 40*time.Millisecond) }()
	act()
	stop()
	<-sent
	f.crm.pending.Wait()
}

// finish waits until all events are complete and checks the account.
func (f *fixture) finish(name string) account {
	f.t.Helper()
	if !f.waitComplete(completeLimit) {
		f.t.Errorf("not complete within %s", completeLimit)
	}
	a := f.account(name)
	a.check(f.t)
	return a
}
