package main

import (
	"fmt"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/sethvargo/go-envconfig"

	"callbridge/bus/bustest"
	"callbridge/demo"
	"callbridge/event"
	"callbridge/internal/testkit"
)

func TestFiftyConcurrentDeliveriesLeadToOneCallAndOneResult(t *testing.T) {
	t.Parallel()
	b := startBridge(t, nil)
	body := exampleBody(t, "website-lead.json")
	var all sync.WaitGroup
	for range 50 {
		all.Go(func() {
			if status := b.website(body); status != http.StatusAccepted {
				t.Errorf("answered %d", status)
			}
		})
	}
	all.Wait()
	if got := b.result(); got.Outcome != event.Accepted || got.Event.Key != "lead-1001" {
		t.Errorf("ended %s (%s) for %s", got.Outcome, got.Reason, got.Event.Key)
	}
	if err := b.stop(); err != nil {
		t.Errorf("stop: %v", err)
	}
	if n, more := len(b.sim.Placed()), len(b.results); n != 1 || more != 0 {
		t.Errorf("%d calls and %d more results, want 1 and 0", n, more)
	}
}

func TestStoppingProcessIsNotReady(t *testing.T) {
	t.Parallel()
	asked, answer := make(chan struct{}), make(chan struct{})
	first := sync.OnceFunc(func() { close(asked) })
	api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		first()
		<-answer
		w.WriteHeader(http.StatusBadRequest)
	}))
	defer api.Close()
	b := startBridge(t, map[string]string{"CALLAB_URL": api.URL, "CALLAB_TIMEOUT": "30s", "DIAL_CLAIM_AGE": "90s"})
	testkit.Eventually(t, "ready at first", b.ready)
	b.website(exampleBody(t, "website-lead.json"))
	<-asked
	ended := make(chan error, 1)
	go func() { ended <- b.stop() }()
	testkit.Eventually(t, "not ready", func() bool { return strings.Contains(b.admin("/readyz"), `"process":"is stopping"`) })
	if b.ready() {
		t.Error("ready while it stops")
	}
	close(answer)
	if err := <-ended; err != nil {
		t.Errorf("stop: %v", err)
	}
}

func TestNATSRestart(t *testing.T) {
	t.Parallel()
	dir, port := t.TempDir(), bustest.Port(t)
	natsServer := runNATS(t, dir, port)
	b := startBridge(t, map[string]string{"NATS_URL": natsServer.ClientURL()})
	testkit.Eventually(t, "ready at first", b.ready)

	natsServer.Shutdown()
	natsServer.WaitForShutdown()
	body := exampleBody(t, "website-lead.json")
	if status := b.website(body); status != http.StatusServiceUnavailable {
		t.Errorf("without NATS a webhook is answered %d, want 503", status)
	}
	if b.ready() {
		t.Error("ready without NATS")
	}

	runNATS(t, dir, port)
	testkit.Eventually(t, "ready again", b.ready)
	if status := b.website(body); status != http.StatusAccepted {
		t.Errorf("with NATS back a webhook is answered %d, want 202", status)
	}
	if got := b.result(); got.Outcome != event.Accepted {
		t.Errorf("ended %s (%s: %s)", got.Outcome, got.Reason, got.Detail)
	}
	if n := len(b.sim.Placed()); n != 1 {
		t.Errorf("%d calls, want 1", n)
	}
}

func runNATS(t *testing.T, dir string, port int) *server.Server {
	t.Helper()
	return bustest.Server(t, &server.Options{Port: port, StoreDir: dir, JetStream: true})
}

func TestEventsSurviveAProcessRestart(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	// The port of CALLAB_URL is closed: the call cannot be sent.
	first := startBridge(t, map[string]string{"NATS_STORE_DIR": dir, "CALLAB_URL": "http://127.0.0.1:1/v1"})
	body := exampleBody(t, "website-lead.json")
	if status := first.website(body); status != http.StatusAccepted {
		t.Fatalf("answered %d", status)
	}
	if err := first.stop(); err != nil {
		t.Fatal(err)
	}
	second := startBridge(t, map[string]string{"NATS_STORE_DIR": dir})
	// The call may have been placed before a subscriber was connected, so the result is read
	// from the stream.
	testkit.Eventually(t, "the stored result says accepted", func() bool {
		_, out, _ := callbridge(t, "", "results", "--nats", second.process.bus.UserURL("reader"), "--outcome", "accepted")
		return strings.Contains(out, "lead-1001")
	})
	second.website(body)
	if err := second.stop(); err != nil {
		t.Fatal(err)
	}
	if n := len(second.sim.Placed()); n != 1 {
		t.Errorf("%d calls, want 1", n)
	}
}

func TestMetricsAreOnTheAdminListenerOnly(t *testing.T) {
	t.Parallel()
	b := startBridge(t, nil)
	for url, want := range map[string]int{
		b.process.admin.URL() + "/metrics":  http.StatusOK,
		b.process.public.URL() + "/metrics": http.StatusNotFound,
		b.process.public.URL() + "/livez":   http.StatusOK,
		b.process.public.URL() + "/readyz":  http.StatusOK,
	} {
		if got := testkit.Get(t, url).Status; got != want {
			t.Errorf("GET %s answers %d, want %d", url, got, want)
		}
	}
}

func TestAdminListenerBeyondLoopbackHasAPasswordOrAWarning(t *testing.T) {
	t.Parallel()
	file := testkit.File(t, "password", "the admin password\n")
	for name, c := range map[string]struct {
		change map[string]string
		warns  string
	}{
		"loopback":               {nil, ""},
		"open":                   {map[string]string{"ADMIN_ADDR": ":0"}, "/metrics"},
		"open with profiles":     {map[string]string{"ADMIN_ADDR": ":0", "ADMIN_PPROF": "true"}, "/debug/pprof"},
		"with a password":        {map[string]string{"ADMIN_ADDR": ":0", "ADMIN_PASSWORD": "the admin password"}, ""},
		"with a file's password": {map[string]string{"ADMIN_ADDR": ":0", "ADMIN_PASSWORD_FILE": file}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := startBridge(t, c.change)
			if warned := strings.Contains(b.logs.String(), "admin.open"); warned != (c.warns != "") || !strings.Contains(b.logs.String(), c.warns) {
				t.Errorf("warned %t, want %q in %s", warned, c.warns, b.logs)
			}
			if c.change["ADMIN_PASSWORD"]+c.change["ADMIN_PASSWORD_FILE"] == "" {
				return
			}
			_, port, _ := strings.Cut(strings.ReplaceAll(b.process.admin.URL(), "[::]", "any"), "any:")
			for header, want := range map[string]int{"": 401, "Basic OnRoZSBhZG1pbiBwYXNzd29yZA==": 200} {
				got := testkit.Do(t, http.MethodGet, "http://127.0.0.1:"+port+"/metrics", "", http.Header{"Authorization": {header}})
				if got.Status != want {
					t.Errorf("with %q: answered %d, want %d", header, got.Status, want)
				}
			}
		})
	}
}

func TestUnusualCallabURLIsSaidAtTheStart(t *testing.T) {
	t.Parallel()
	for url, want := range map[string]string{
		"https://api.callab.example":    "CALLAB_URL does not end in /v1",
		"http://api.callab.example/v1":  "CALLAB_URL is plain http to another machine",
		"https://api.callab.example/v1": "",
	} {
		b := startBridge(t, map[string]string{"CALLAB_URL": url})
		if said := strings.Contains(b.logs.String(), "callab.url"); said != (want != "") || !strings.Contains(b.logs.String(), want) {
			t.Errorf("%s: said %t, want %q", url, said, want)
		}
	}
}

func TestLogContainsNoSecretAndNoNumber(t *testing.T) {
	t.Parallel()
	b := startBridge(t, nil)
	b.website(exampleBody(t, "website-lead.json"))
	b.website(exampleBody(t, "website-lost-answer.json"))
	b.website(exampleBody(t, "website-no-phone.json"))
	for range 3 {
		b.result()
	}
	if err := b.stop(); err != nil {
		t.Fatal(err)
	}
	for _, hidden := range []string{"5550142", "555-0142", "555 0194", "5550194", demoToken, demo.Secrets["WEBSITE_SECRET"]} {
		if strings.Contains(b.logs.String(), hidden) {
			t.Errorf("the log shows %q:\n%s", hidden, b.logs)
		}
	}
}

func TestStartErrorIsOneSentence(t *testing.T) {
	t.Parallel()
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = taken.Close() })
	running := startBridge(t, nil)
	for name, c := range map[string]struct {
		change map[string]string
		want   string
	}{
		"no token":         {map[string]string{"CALLAB_TOKEN": ""}, "CALLAB_TOKEN is not set"},
		"token with word":  {map[string]string{"CALLAB_TOKEN": "Bearer x"}, "CALLAB_TOKEN: the token begins with"},
		"no token file":    {map[string]string{"CALLAB_TOKEN": "", "CALLAB_TOKEN_FILE": "nowhere"}, "read CALLAB_TOKEN_FILE"},
		"no password":      {map[string]string{"ADMIN_PASSWORD_FILE": "nowhere"}, "read ADMIN_PASSWORD_FILE"},
		"bad URL":          {map[string]string{"CALLAB_URL": "ftp://example.com"}, "CALLAB_URL"},
		"no certificate":   {map[string]string{"HTTP_TLS_CERT": "nowhere", "HTTP_TLS_KEY": "nowhere"}, "HTTP_TLS_CERT and HTTP_TLS_KEY"},
		"HTTP port taken":  {map[string]string{"HTTP_ADDR": taken.Addr().String()}, "HTTP_ADDR"},
		"admin port taken": {map[string]string{"ADMIN_ADDR": taken.Addr().String()}, "ADMIN_ADDR"},
		"NATS port taken":  {map[string]string{"NATS_LISTEN": taken.Addr().String()}, "NATS_LISTEN"},
		"store in use":     {map[string]string{"NATS_STORE_DIR": running.dir}, "in use by another callbridge"},
		"no person key":    {map[string]string{"PERSON_KEY_FILE": "nowhere"}, "PERSON_KEY_FILE: read person key"},
		"NATS unreachable": {map[string]string{"NATS_URL": "nats://127.0.0.1:1"}, "NATS_URL cannot be reached"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			env := environment(t, "http://127.0.0.1:1")
			maps.Copy(env, c.change)
			s, err := loadSettings(t.Context(), envconfig.MapLookuper(env))
			if err != nil {
				t.Fatal(err)
			}
			config, err := exampleConfig(demo.AnyTime)
			if err != nil {
				t.Fatal(err)
			}
			p, err := start(t.Context(), s, fixed(config), slog.New(slog.DiscardHandler))
			if err == nil {
				p.close()
				t.Fatal("started")
			}
			if !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "\n") {
				t.Errorf("error %q; want one line with %q", err, c.want)
			}
		})
	}
}

const lookupConfig = `
sources:
  crm:
    verify: {kind: token, header: X-Token, values: ["${file:%[1]s}"]}
    key: body:id
    lookup: {url: "%[2]s/contacts/{{contact}}", auth: {kind: bearer, token: "${file:%[1]s}"}}
    fields:
      contact: {path: contact}
      phone: {path: "lookup:phone", type: phone}
routes:
  - name: all
    source: crm
    mode: live
    purpose: service
    policy: {countries: [US]}
    call: {ai_agent_id: 6f1f8f0e-5f57-4c0e-9d0a-1f6f4b0a7c11, call_from: "+12025550100", call_to: phone}
`

func TestWebhookWithOnlyAnIDLeadsToACall(t *testing.T) {
	t.Parallel()
	const token = "token-of-the-crm"
	crm := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer "+token || r.URL.Path != "/contacts/5" {
			w.WriteHeader(http.StatusNotFound)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_, _ = fmt.Fprint(w, `{"phone":"+12025550142"}`)
	}))
	t.Cleanup(crm.Close)
	file := testkit.File(t, "callbridge.yaml", fmt.Sprintf(lookupConfig, testkit.File(t, "token", token), crm.URL))
	b := startBridge(t, map[string]string{"CONFIG_FILE": file})
	for _, body := range []string{`{"id":"e1","contact":5}`, `{"id":"e1","contact":5}`, `{"id":"e2","contact":404}`} {
		if status := b.post("/webhooks/crm", body, http.Header{"X-Token": {token}}).Status; status != http.StatusAccepted {
			t.Errorf("answered %d", status)
		}
	}
	got := map[string]event.Result{}
	for range 2 {
		r := b.result()
		got[r.Event.Key] = r
	}
	if found, missing := got["e1"], got["e2"]; found.Outcome != event.Accepted || missing.Reason != event.ReasonLookupNotFound {
		t.Errorf("ended %s (%s) and %s (%s)", found.Outcome, found.Detail, missing.Reason, missing.Detail)
	}
	if !b.ready() {
		t.Error("not ready")
	}
	if scrape := b.scrape(); !strings.Contains(scrape, `callbridge_lookups_total{result="not_found",source="crm"} 1`) {
		t.Errorf("the lookup is not counted:\n%s", scrape)
	}
	if err := b.stop(); err != nil {
		t.Fatal(err)
	}
	if n := len(b.sim.Placed()); n != 1 || len(b.results) != 0 {
		t.Errorf("%d calls and %d more results, want 1 and 0", n, len(b.results))
	}
	if strings.Contains(b.logs.String(), token) || strings.Contains(b.logs.String(), "5550142") {
		t.Error("the log shows a token or a number")
	}
}
