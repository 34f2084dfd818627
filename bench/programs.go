package main

import (
	"bufio"
	"context"
	"embed"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

const callabToken = "bench-token"

// configSource and configRoute are the configuration of callbridge; Bento's is in
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
    purpose: service
    policy: {countries: [US]}
    when: type == "contact.updated" && consent && lead_score >= %d && stage in ["lead", "opportunity"]
    call:
      ai_agent_id: 6f1f8f0e-5f57-4c0e-9d0a-1f6f4b0a7c11
      call_from: "+12025550100"
      call_to: phone
      agent_dynamic_variables: {first_name: "{{first_name|there}}", company: "{{company}}", score: "{{lead_score}}"}
      metadata: {lead: "{{key}}"}
`
)

// build compiles callbridge with the flags of the Dockerfile.
func build(ctx context.Context, dir string) (string, error) {
	program := filepath.Join(dir, "callbridge.exe")
	cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-ldflags", "-s -w", "-tags", "nomsgpack", "-o", program, "callbridge/cmd/callbridge")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build callbridge: %w: %s", err, out)
	}
	return program, nil
}

// callbridge is the system callbridge without a limit on the call rate.
func callbridge(program string) system {
	return system{name: "callbridge", start: func(ctx context.Context, j job, r *running) error {
		r.listPath, r.requests, r.results = "/webhooks/bench-list", "CALLBRIDGE_REQUESTS", "CALLBRIDGE_RESULTS"
		var nats string
		if err := freeAddresses(&r.address, &r.admin, &nats); err != nil {
			return err
		}
		r.nats, r.store = "nats://"+nats, filepath.Join(j.dir, "store")
		config := filepath.Join(j.dir, "callbridge.yaml")
		if err := os.WriteFile(config, []byte(callbridgeConfig(max(1, j.routes))), 0o600); err != nil {
			return fmt.Errorf("write configuration: %w", err)
		}
		environ := []string{
			"CONFIG_FILE=" + config, "BENCH_SECRET=" + secret, "HTTP_ADDR=" + r.address, "ADMIN_ADDR=" + r.admin, "ADMIN_PPROF=true",
			"NATS_LISTEN=" + nats, "NATS_STORE_DIR=" + r.store, "NATS_SYNC=" + j.sync,
			"CALLAB_URL=" + j.api, "CALLAB_TOKEN=" + callabToken,
		}
		if !j.storeOnly {
			environ = append(environ, "DIAL_RATE=0", "DIAL_CONCURRENCY=64")
		}
		r.restart = func(ctx context.Context) (err error) {
			if r.intake, err = launch(j.dir, "callbridge", program, environ, "serve"); err != nil {
				return err
			}
			return r.intake.waitReady(ctx, "http://"+r.admin+"/readyz")
		}
		return r.restart(ctx)
	}}
}

// callbridgeConfig returns a configuration in which only the first route matches.
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

// heap returns the size of callbridge's heap after a collection, in bytes.
func (r *running) heap() (int64, error) {
	resp, err := http.Get("http://" + r.admin + "/debug/pprof/heap?gc=1")
	if err != nil {
		return 0, fmt.Errorf("collect garbage: %w", err)
	}
	_ = resp.Body.Close()
	if resp, err = http.Get("http://" + r.admin + "/metrics"); err != nil {
		return 0, fmt.Errorf("read metrics: %w", err)
	}
	defer resp.Body.Close()
	for lines := bufio.NewScanner(resp.Body); lines.Scan(); {
		if text, is := strings.CutPrefix(lines.Text(), "go_memstats_heap_alloc_bytes "); is {
			bytes, err := strconv.ParseFloat(text, 64)
			return int64(bytes), err
		}
	}
	return 0, fmt.Errorf("the metrics have no go_memstats_heap_alloc_bytes")
}

// bentoFiles configure Bento (https://warpstreamlabs.github.io/bento/) for the same
// job.
//
//go:embed bento/*.yaml
var bentoFiles embed.FS

// bento is a Bento program with a NATS server as a second process.
func bento(program string, threads int) system {
	return system{name: fmt.Sprintf("Bento, %d threads", threads), start: func(ctx context.Context, j job, r *running) error {
		r.requests, r.results = "BENCH_REQUESTS", "BENCH_RESULTS"
		files, err := writeBento(j)
		if err != nil {
			return err
		}
		var server string
		if err := freeAddresses(&r.address, &server); err != nil {
			return err
		}
		r.nats = "nats://" + server
		if r.natsServer, err = launchSelf(ctx, j.dir, "nats", server, filepath.Join(j.dir, "store"), j.sync); err != nil {
			return err
		}
		if err := makeStreams(ctx, r); err != nil {
			return err
		}
		r.restart = func(ctx context.Context) (err error) {
			arguments := append([]string{"--log.level", "warn", "streams", "--no-api"}, files...)
			if r.intake, err = launch(j.dir, "bento", program, bentoEnviron(r, j, threads), arguments...); err != nil {
				return err
			}
			return r.intake.waitReady(ctx, "tcp://"+r.address)
		}
		return r.restart(ctx)
	}}
}

// bentoEnviron returns the environment variables that the files in bento/ use.
func bentoEnviron(r *running, j job, threads int) []string {
	return []string{
		"WEBHOOKS=" + r.address, "NATS=" + r.nats, "THREADS=" + strconv.Itoa(threads), "BENCH_SECRET=" + secret,
		"CALLAB_URL=" + j.api, "CALLAB_TOKEN=" + callabToken,
	}
}

// writeBento writes Bento's configuration into the directory of the job.
func writeBento(j job) (files []string, err error) {
	names := []string{"intake.yaml", "dial.yaml"}
	if j.storeOnly {
		names = names[:1]
	}
	for _, name := range names {
		content, err := bentoFiles.ReadFile("bento/" + name)
		if err != nil {
			return nil, err
		}
		file := filepath.Join(j.dir, name)
		if err := os.WriteFile(file, content, 0o600); err != nil {
			return nil, fmt.Errorf("write configuration: %w", err)
		}
		files = append(files, file)
	}
	return files, nil
}

// seenFor is the duplicate window of Bento's streams: longer than any load.
const seenFor = 30 * time.Minute

func makeStreams(ctx context.Context, r *running) error {
	s, err := r.streams()
	if err != nil {
		return err
	}
	defer s.close()
	for name, subject := range map[string]string{r.requests: "bench.request.*", r.results: "bench.result.>"} {
		if _, err := s.js.CreateStream(ctx, jetstream.StreamConfig{Name: name, Subjects: []string{subject}, Duplicates: seenFor}); err != nil {
			return fmt.Errorf("make stream %s: %w", name, err)
		}
	}
	return nil
}
