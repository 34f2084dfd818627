package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// What NATS_SYNC may be.
const (
	syncInterval = "interval"
	syncAlways   = "always"
)

// job is what a system is to do.
type job struct {
	// dir is for its files.
	dir string
	// sync is when writes reach the disk.
	sync string
	// api is where calls go.
	api string
	// keepOnly: webhooks are kept, and next to no calls are placed.
	keepOnly bool
	// threads of a system that has them.
	threads int
	// routes of a system that has them.
	routes int
}

// system is one way to do the job.
type system struct {
	name  string
	start func(job) (*running, error)
}

// running is a system at work.
type running struct {
	// address and path are where it takes webhooks; batches is where it takes
	// lists of them.
	address, path, batches string
	// admin is where it shows its metrics, if it does.
	admin string
	// children are its processes; the first takes the webhooks.
	children []*child
	// again starts the first one once more, after it was killed.
	again func() error
	// nats is where its streams are; empty if it has none.
	nats string
	// requests and results are its streams.
	requests, results string
}

func (r *running) stop() {
	for _, c := range r.children {
		c.stop()
	}
}

func (r *running) cpu() (sum time.Duration) {
	for _, c := range r.children {
		sum += c.cpu()
	}
	return sum
}

func (r *running) memory() (sum int64) {
	for _, c := range r.children {
		sum += c.memory()
	}
	return sum
}

func (r *running) peak() (sum int64) {
	for _, c := range r.children {
		sum += c.peak.Load()
	}
	return sum
}

// stored counts the messages of one of its streams.
func (r *running) stored(ctx context.Context, stream string) (int, error) {
	conn, err := nats.Connect(r.nats)
	if err != nil {
		return 0, fmt.Errorf("connect to the NATS of %s: %w", r.children[0].name, err)
	}
	defer conn.Close()
	js, err := jetstream.New(conn)
	if err != nil {
		return 0, err
	}
	s, err := js.Stream(ctx, stream)
	if err != nil {
		return 0, fmt.Errorf("read stream %s: %w", stream, err)
	}
	return int(s.CachedInfo().State.Msgs), nil
}

const callabToken = "bench-token"

// configSource and configRoute are the mapping of callbridge; Bento's is in
// bento/.
const (
	configSource = `  %s:
    verify: [{kind: hmac, hash: sha256, header: X-Signature, prefix: "sha256=", encoding: hex, keys: ["${BENCH_SECRET}"]}]
    key: body:id
    type: body:type
    time: body:occurred_at
    fields:
      phone: {path: contact.properties.mobilephone, type: phone, country: contact.properties.country}
      first_name: {path: contact.properties.firstname, optional: true}
      lead_score: {path: contact.properties.hs_lead_score, type: number, default: 0}
      consent: {path: contact.properties.consent_voice_ai, type: bool}
      stage: {path: contact.properties.lifecyclestage}
      company: {path: company.name, default: your company}
`
	configRoute = `  - name: route-%d
    source: [bench, bench-list]
    mode: live
    when: type == "contact.updated" && consent && lead_score >= %d && stage in ["lead", "opportunity"]
    call:
      ai_agent_id: 6f1f8f0e-5f57-4c0e-9d0a-1f6f4b0a7c11
      call_from: "+12025550100"
      call_to: phone
      agent_dynamic_variables: {first_name: "{{first_name|there}}", company: "{{company}}", score: "{{lead_score}}"}
      metadata: {lead: "{{key}}"}
`
)

// callbridge is the program in this folder's parent, built once.
func callbridge(program string) system {
	return system{name: "callbridge", start: func(j job) (*running, error) { return startCallbridge(program, j) }}
}

func startCallbridge(program string, j job) (*running, error) {
	r := &running{path: "/webhooks/bench", batches: "/webhooks/bench-list", requests: "CALLBRIDGE_REQUESTS", results: "CALLBRIDGE_RESULTS"}
	var nats string
	if err := freeAddresses(&r.address, &r.admin, &nats); err != nil {
		return nil, err
	}
	r.nats = "nats://" + nats
	config := filepath.Join(j.dir, "callbridge.yaml")
	if err := os.WriteFile(config, []byte(callbridgeConfig(max(1, j.routes))), 0o600); err != nil {
		return nil, err
	}
	environ := []string{
		"CONFIG_FILE=" + config, "BENCH_SECRET=" + secret, "HTTP_ADDR=" + r.address, "ADMIN_ADDR=" + r.admin,
		"NATS_LISTEN=" + nats, "NATS_STORE_DIR=" + filepath.Join(j.dir, "store"), "NATS_SYNC=" + j.sync,
		"CALLAB_URL=" + j.api, "CALLAB_TOKEN=" + callabToken,
	}
	if !j.keepOnly {
		environ = append(environ, "DIAL_RATE=0", "DIAL_CONCURRENCY=64")
	}
	r.children = make([]*child, 1)
	r.again = func() (err error) {
		if r.children[0], err = launch(j.dir, "callbridge", program, environ, "serve"); err != nil {
			return err
		}
		return r.children[0].answers("http://" + r.admin + "/readyz")
	}
	return r, r.again()
}

// callbridgeConfig has so many routes, of which the first wants the webhook.
func callbridgeConfig(routes int) string {
	var text strings.Builder
	text.WriteString("sources:\n")
	fmt.Fprintf(&text, configSource, "bench")
	fmt.Fprintf(&text, configSource+"    split: \"[*]\"\n", "bench-list")
	text.WriteString("routes:\n")
	for i := range routes {
		score := 50
		if i > 0 {
			score = 1000
		}
		fmt.Fprintf(&text, configRoute, i, score)
	}
	return text.String()
}

// reference is one of this program's own modes.
func reference(mode, name string) system {
	return system{name: name, start: func(j job) (*running, error) {
		r := &running{path: "/webhooks/bench"}
		if err := freeAddresses(&r.address); err != nil {
			return nil, err
		}
		own, err := os.Executable()
		if err != nil {
			return nil, err
		}
		c, err := launch(j.dir, mode, own, nil, mode, r.address, filepath.Join(j.dir, "store"), j.sync)
		if err != nil {
			return nil, err
		}
		r.children = []*child{c}
		return r, c.answers("tcp://" + r.address)
	}}
}

// build compiles callbridge as it is shipped.
func build(dir string) (string, error) {
	program := filepath.Join(dir, "callbridge")
	cmd := exec.Command("go", "build", "-trimpath", "-ldflags", "-s -w", "-tags", "nomsgpack", "-o", program, "callbridge/cmd/callbridge")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build callbridge: %w: %s", err, out)
	}
	return program, nil
}
