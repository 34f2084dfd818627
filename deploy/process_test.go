package deploy_test

import (
	"bufio"
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"os/exec"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// process is a running callbridge: the binary of the image.
type process struct {
	t       *testing.T
	command *exec.Cmd
	mu      sync.Mutex
	said    bytes.Buffer
	read    sync.WaitGroup
	stop    func() error
}

// stopTimeout is how long a process may take to stop: twice what it needs at
// these timings.
const stopTimeout = 20 * time.Second

// start runs a command of callbridge until the test ends or stop is called,
// which sends SIGTERM and waits.
func start(t *testing.T, env []string, arguments ...string) *process {
	t.Helper()
	p := &process{t: t, command: exec.Command(binary, arguments...)}
	p.command.Env = env
	output, err := p.command.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	p.command.Stderr = p.command.Stdout
	if err := p.command.Start(); err != nil {
		t.Fatal(err)
	}
	p.read.Go(func() {
		for lines := bufio.NewScanner(output); lines.Scan(); {
			p.mu.Lock()
			p.said.WriteString(lines.Text() + "\n")
			p.mu.Unlock()
		}
	})
	p.stop = sync.OnceValue(func() error {
		_ = p.command.Process.Signal(syscall.SIGTERM)
		defer time.AfterFunc(stopTimeout, func() { _ = p.command.Process.Kill() }).Stop()
		p.read.Wait()
		return p.command.Wait()
	})
	t.Cleanup(func() { _ = p.stop() })
	return p
}

func (p *process) log() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.said.String()
}

// tells waits for what the process says about itself.
func (p *process) tells(pattern string) string {
	p.t.Helper()
	var found []string
	until(p.t, "callbridge "+strings.Join(p.command.Args[1:], " ")+" says "+pattern, func() bool {
		found = regexp.MustCompile(pattern).FindStringSubmatch(p.log())
		return found != nil
	})
	return found[1]
}

// simulator starts a Callab, and returns what CALLAB_URL has to be.
func simulator(t *testing.T) string {
	t.Helper()
	return start(t, nil, "simulate", "--addr", "127.0.0.1:0", "--token", "demo-token").tells(`simulator on (\S+)`)
}

// bridge is one that serves.
type bridge struct {
	*process
	url string
}

// serve starts a bridge, and waits until it takes webhooks.
func serve(t *testing.T, nats, callab string, more ...string) bridge {
	t.Helper()
	p := start(t, serving(t, nats, callab, more...), "serve")
	return bridge{p, p.tells(`"webhooks":"([^"]+)"`)}
}

// serving is the environment of a bridge as compose.cluster.yaml sets it, with
// quick timings; what is given last counts.
func serving(t *testing.T, nats, callab string, more ...string) []string {
	t.Helper()
	env := append(environment(t, "demo/bridge.env"),
		"HTTP_ADDR=127.0.0.1:0", "ADMIN_ADDR=", "CONFIG_FILE=callbridge.yaml",
		"NATS_URL="+nats, "NATS_REPLICAS=3", "CALLAB_URL="+callab,
		"CALLAB_TIMEOUT=1s", "CALLAB_IDLE=500ms", "DIAL_WRITE_WINDOW=500ms", "DIAL_CLAIM_AGE=4s", "DIAL_SETTLE=800ms", "DIAL_ACK_WAIT=3s",
	)
	return append(env, more...)
}

// website posts a webhook of the example, signed, and returns what became of
// its event.
func (b bridge) website(file string) string {
	b.t.Helper()
	body := read(b.t, "../cmd/callbridge/example/"+file)
	sum := hmac.New(sha256.New, []byte("demo-website-secret"))
	sum.Write([]byte(body))
	request, err := http.NewRequestWithContext(b.t.Context(), http.MethodPost, b.url+"/webhooks/website", strings.NewReader(body))
	if err != nil {
		b.t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("X-Signature", "sha256="+hex.EncodeToString(sum.Sum(nil)))
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		b.t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	if response.StatusCode == http.StatusServiceUnavailable {
		return "unavailable" // as while a stream elects its leader; a CRM tries again
	}
	var answer struct{ Events []struct{ Status string } }
	if err := json.NewDecoder(response.Body).Decode(&answer); err != nil || len(answer.Events) == 0 {
		b.t.Fatalf("%s is answered %d %+v: %v\n%s", file, response.StatusCode, answer, err, b.log())
	}
	return answer.Events[0].Status
}
