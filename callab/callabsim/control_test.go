package callabsim_test

import (
	"bytes"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"callbridge/callab/callabsim"
)

func TestFaultsAreAddedAndRestoredOverHTTP(t *testing.T) {
	t.Parallel()
	f := setup(t, callabsim.Options{Faults: []callabsim.Fault{{Kind: callabsim.Slow, Delay: time.Minute, CallTo: "+12025550111"}}})
	const body = `{"kind":"throttle","on":"place","times":2,"call_to":"+12025550142","probability":1,"retry_after":"3s"}`
	const initial = `{"kind":"slow","on":"place","times":1,"call_to":"+12025550111","probability":1,"delay":"1m0s"}`
	if a, err := f.do("POST", "/sim/faults", body); err != nil || string(a.Data) != "["+initial+","+body+"]" {
		t.Errorf("faults are %s %s: %v", a.Data, a.Message, err)
	}
	if got := f.codes(callTo, 1); got[0] != http.StatusTooManyRequests {
		t.Errorf("HTTP %d, want 429", got[0])
	}
	if a, err := f.do("GET", "/sim/faults", ""); err != nil || !strings.Contains(string(a.Data), `"times":1,"call_to":"+12025550142"`) {
		t.Errorf("faults are %s: %v", a.Data, err)
	}
	if a, err := f.do("DELETE", "/sim/faults", ""); err != nil || string(a.Data) != "["+initial+"]" {
		t.Errorf("faults are %s: %v", a.Data, err)
	}
	if got := f.codes(callTo, 1); got[0] != http.StatusOK {
		t.Errorf("HTTP %d after the faults were restored", got[0])
	}
}

func TestInvalidFaultsOverHTTPAreRefused(t *testing.T) {
	t.Parallel()
	f := setup(t, callabsim.Options{})
	for _, body := range []string{``, `[]`, `{}`, `{"kind":"explode"}`, `{"kind":"refuse","callto":"+12025550142"}`,
		`{"kind":"slow","delay":"long"}`, `{"kind":"refuse","times":-2}`} {
		if a, err := f.do("POST", "/sim/faults", body); err != nil || a.code != http.StatusBadRequest || a.Message == "" {
			t.Errorf("%s: HTTP %d %s: %v", body, a.code, a.Message, err)
		}
	}
	if a, err := f.do("GET", "/sim/faults", ""); err != nil || string(a.Data) != "[]" {
		t.Errorf("faults are %s: %v", a.Data, err)
	}
}

func TestPlacedCallsAreListedAndDeletedOverHTTP(t *testing.T) {
	t.Parallel()
	f := setup(t, callabsim.Options{})
	id := f.place(callTo).ID
	want := `[{"time":"2026-03-02T10:00:00Z","call_id":"` + id + `","endpoint":"/v1/calls","body":` + createBody(callTo) + `}]`
	if a, err := f.do("GET", "/sim/calls", ""); err != nil || string(a.Data) != want {
		t.Errorf("placed\n%s\nwant\n%s (%v)", a.Data, want, err)
	}
	if a, err := f.do("DELETE", "/sim/calls", ""); err != nil || string(a.Data) != "[]" || f.query("") != "" || f.sim.Posts() != 0 {
		t.Errorf("calls were not deleted: %s: %v", a.Data, err)
	}
}

func TestLogHasNoTelephoneNumber(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	sim := callabsim.New(callabsim.Options{Log: slog.New(slog.NewTextHandler(&log, nil))})
	serve(t.Context(), sim, "POST", "/v1/calls", createBody(callTo))
	serve(t.Context(), sim, "GET", "/v1/calls/query?search=%2B12025550142", "")
	if text := log.String(); strings.Contains(text, "2025550142") || strings.Count(text, "callab.request") != 2 || !strings.Contains(text, "…42") {
		t.Errorf("log:\n%s", text)
	}
}

func TestServerClosesOnlySilentConnections(t *testing.T) {
	t.Parallel()
	sim := callabsim.New(callabsim.Options{HeaderTimeout: 50 * time.Millisecond})
	sim.Fail(callabsim.Fault{Kind: callabsim.Slow, Delay: 300 * time.Millisecond})
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := sim.Server("")
	go func() { _ = server.Serve(listener) }()
	t.Cleanup(func() { server.Close() })

	silent, err := net.Dial("tcp", listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	if n, err := io.Copy(io.Discard, silent); n != 0 || err != nil {
		t.Errorf("a silent connection got %d bytes: %v", n, err)
	}
	f := &fixture{t: t, sim: sim, url: "http://" + listener.Addr().String()}
	began := time.Now()
	if got := f.codes(callTo, 1); got[0] != http.StatusOK || time.Since(began) < 300*time.Millisecond {
		t.Errorf("a slow answer: HTTP %d after %v, want 200 after 300ms", got[0], time.Since(began))
	}
}
