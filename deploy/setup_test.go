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
	"path"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"

	"callbridge/internal/testkit"
)

// process is a running callbridge, the binary of the image.
type process struct {
	t       *testing.T
	command *exec.Cmd
	mu      sync.Mutex
	output  bytes.Buffer
	read    sync.WaitGroup
	stop    func() error
}

// stopTimeout is the limit for stopping a process: twice what it needs with these
// timings.
const stopTimeout = 20 * time.Second

// start runs a command of callbridge until the test ends or stop is called. stop
// sends SIGTERM and waits.
func start(t *testing.T, env []string, arguments ...string) *process {
	t.Helper()
	p := &process{t: t, command: exec.Command(binary, arguments...)}
	p.command.Env = env
	pipe, err := p.command.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	p.command.Stderr = p.command.Stdout
	if err := p.command.Start(); err != nil {
		t.Fatal(err)
	}
	p.read.Go(func() {
		for lines := bufio.NewScanner(pipe); lines.Scan(); {
			p.mu.Lock()
			p.output.WriteString(lines.Text() + "\n")
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
	return p.output.String()
}

// logged waits until the output matches a pattern, and returns its first group.
func (p *process) logged(pattern string) string {
	p.t.Helper()
	var found []string
	testkit.Eventually(p.t, "callbridge "+strings.Join(p.command.Args[1:], " ")+" prints "+pattern, func() bool {
		found = regexp.MustCompile(pattern).FindStringSubmatch(p.log())
		return found != nil
	})
	return found[1]
}

// simulator starts a simulated Callab, and returns its CALLAB_URL.
func simulator(t *testing.T) string {
	t.Helper()
	return start(t, nil, "simulate", "--addr", "127.0.0.1:0", "--token", "demo-token").logged(`simulator on (\S+)`)
}

// bridge is a process that serves webhooks.
type bridge struct {
	*process
	url string
}

// serve starts a bridge, and waits until it accepts webhooks.
func serve(t *testing.T, nats, callab string, more ...string) bridge {
	t.Helper()
	p := start(t, serving(t, nats, callab, more...), "serve")
	return bridge{p, p.logged(`"webhooks":"([^"]+)"`)}
}

// serving returns the environment of a bridge as in compose.cluster.yaml, with short
// timings. Of equal names the last is used.
func serving(t *testing.T, nats, callab string, more ...string) []string {
	t.Helper()
	env := append(environment(t, "demo/bridge.env"),
		"HTTP_ADDR=127.0.0.1:0", "ADMIN_ADDR=", "CONFIG_FILE=callbridge.yaml",
		"NATS_URL="+nats, "NATS_REPLICAS=3", "CALLAB_URL="+callab,
		"CALLAB_TIMEOUT=1s", "CALLAB_IDLE=500ms", "DIAL_WRITE_WINDOW=500ms", "DIAL_CLAIM_AGE=4s", "DIAL_SETTLE=800ms", "DIAL_ACK_WAIT=3s",
	)
	return append(env, more...)
}

// website posts a signed webhook of the example, and returns the status of its
// event.
func (b bridge) website(file string) string {
	b.t.Helper()
	return b.post(read(b.t, "../cmd/callbridge/example/"+file))
}

// post is website with a body.
func (b bridge) post(body string) string {
	b.t.Helper()
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
		return "unavailable" // for example while a stream elects its leader; a CRM retries
	}
	var answer struct{ Events []struct{ Status string } }
	if err := json.NewDecoder(response.Body).Decode(&answer); err != nil || len(answer.Events) == 0 {
		b.t.Fatalf("%s is answered %d %+v: %v\n%s", body, response.StatusCode, answer, err, b.log())
	}
	return answer.Events[0].Status
}

// read returns a file, named from this folder.
func read(t *testing.T, file string) string {
	t.Helper()
	return testkit.Read(t, path.Join("deploy", file))
}

// connect opens a connection of a user to the cluster.
func connect(t *testing.T, servers []*server.Server, name, password string, options ...nats.Option) *nats.Conn {
	t.Helper()
	return testkit.Connect(t, urls(servers), append(options, nats.UserInfo(name, password))...)
}
