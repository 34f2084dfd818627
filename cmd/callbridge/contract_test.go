package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	cloudevents "github.com/cloudevents/sdk-go/v2/event"
	"github.com/nats-io/nats.go/jetstream"

	"callbridge/event"
	"callbridge/signature"
)

// answered is an answer as it stands on the wire.
type answered struct {
	code   int
	header http.Header
	body   []byte
}

func (w *world) ask(method, url, body string, headers http.Header) answered {
	w.t.Helper()
	request, err := http.NewRequestWithContext(w.t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		w.t.Fatal(err)
	}
	for name, values := range headers {
		request.Header[name] = values
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		w.t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		w.t.Fatal(err)
	}
	return answered{response.StatusCode, response.Header, text}
}

// signed are the headers of a webhook of the website.
func signed(t *testing.T, body string) http.Header {
	t.Helper()
	headers, err := signature.Sign(senders["website"], signature.Request{Method: http.MethodPost, URI: "/webhooks/website", Body: []byte(body)}, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	headers.Set("Content-Type", "application/json")
	headers.Set("Traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
	return headers
}

// TestAnswersFollowTheContract holds what a running process answers against
// docs/openapi.yaml.
func TestAnswersFollowTheContract(t *testing.T) {
	t.Parallel()
	w, contract := newWorld(t, nil), newContract(t)
	hooks, admin := w.process.public.url(), w.process.admin.url()
	post := func(file string) answered {
		body := exampleBody(t, file)
		return w.ask(http.MethodPost, hooks+"/webhooks/website", body, signed(t, body))
	}
	for _, c := range []struct {
		title, method, path string
		code                int
		got                 answered
	}{
		{"requested", "post", "/webhooks/{source}", 202, post("website-lead.json")},
		{"duplicate", "post", "/webhooks/{source}", 202, post("website-lead.json")},
		{"skipped", "post", "/webhooks/{source}", 202, post("website-no-consent.json")},
		{"rejected", "post", "/webhooks/{source}", 202, post("website-no-phone.json")},
		{"unreadable", "post", "/webhooks/{source}", 400, w.ask(http.MethodPost, hooks+"/webhooks/website", "{", signed(t, "{"))},
		{"unsigned", "post", "/webhooks/{source}", 401, w.ask(http.MethodPost, hooks+"/webhooks/website", "{}", nil)},
		{"no such source", "post", "/webhooks/{source}", 404, w.ask(http.MethodPost, hooks+"/webhooks/nobody", "{}", nil)},
		{"larger than 1 MiB", "post", "/webhooks/{source}", 413, w.ask(http.MethodPost, hooks+"/webhooks/website", strings.Repeat(" ", 1<<20+1), nil)},
		{"packed oddly", "post", "/webhooks/{source}", 415, w.ask(http.MethodPost, hooks+"/webhooks/website", "{}", http.Header{"Content-Encoding": {"br"}})},
		{"no handshake", "get", "/webhooks/{source}", 405, w.ask(http.MethodGet, hooks+"/webhooks/website", "", nil)},
		{"alive", "get", "/livez", 200, w.ask(http.MethodGet, hooks+"/livez", "", nil)},
		{"ready", "get", "/readyz", 200, w.ask(http.MethodGet, admin+"/readyz", "", nil)},
		{"metrics", "get", "/metrics", 200, w.ask(http.MethodGet, admin+"/metrics", "", nil)},
	} {
		if c.got.code != c.code {
			t.Errorf("%s: %d %s, want %d", c.title, c.got.code, c.got.body, c.code)
			continue
		}
		mediaType, _, _ := strings.Cut(c.got.header.Get("Content-Type"), ";")
		content := contract.response(t, c.method, c.path, c.code) + "/content/" + strings.ReplaceAll(mediaType, "/", "~1")
		if contract.at(t, content) == nil {
			t.Errorf("%s: the contract has no %s", c.title, mediaType)
		} else if mediaType == "application/json" {
			contract.holds(t, c.title, content+"/schema", c.got.body)
		}
	}
}

func TestABusyBusIsInTheContract(t *testing.T) {
	t.Parallel()
	w, contract := newWorld(t, nil), newContract(t)
	w.process.bus.Conn().Close()
	body := exampleBody(t, "website-lead.json")
	got := w.ask(http.MethodPost, w.process.public.url()+"/webhooks/website", body, signed(t, body))
	if seconds, err := strconv.Atoi(got.header.Get("Retry-After")); got.code != http.StatusServiceUnavailable || err != nil || seconds < 1 {
		t.Errorf("%d, Retry-After %q", got.code, got.header.Get("Retry-After"))
	}
	const inJSON = "/content/application~1json/schema"
	contract.holds(t, "503", contract.response(t, "post", "/webhooks/{source}", 503)+inJSON, got.body)
	red := w.ask(http.MethodGet, w.process.admin.url()+"/readyz", "", nil)
	contract.holds(t, "not ready", contract.response(t, "get", "/readyz", 503)+inJSON, red.body)
}

// TestMessagesFollowTheContract holds everything that a running process leaves
// in its streams against docs/asyncapi.yaml.
func TestMessagesFollowTheContract(t *testing.T) {
	t.Parallel()
	w, contract := newWorld(t, nil), newContract(t)
	for _, file := range []string{"website-lead.json", "website-lost-answer.json", "website-no-consent.json", "website-no-phone.json"} {
		body := exampleBody(t, file)
		w.ask(http.MethodPost, w.process.public.url()+"/webhooks/website", body, signed(t, body))
		w.result()
	}
	waiting, err := json.Marshal(event.Pending{Event: event.Event{Source: "website", Key: "x"}, Delivery: json.RawMessage("{}")})
	if err != nil {
		t.Fatal(err)
	}
	contract.holds(t, "an event that waits", contract.payload(t, "lookup"), waiting)
	count := map[string]int{}
	for _, stream := range []string{"CALLBRIDGE_REQUESTS", "CALLBRIDGE_LEDGER", "CALLBRIDGE_RESULTS"} {
		for _, msg := range w.stored(stream) {
			channel := contract.channel(t, msg.Subject)
			count[channel]++
			contract.holds(t, msg.Subject, contract.payload(t, channel), msg.Data)
			if channel == "result" {
				isCloudEvent(t, msg.Data)
			}
		}
	}
	if count["request"] != 2 || count["closed"] == 0 || count["result"] != 4 || count["ledger"] < 4 {
		t.Errorf("kept %v", count)
	}
}

// TestOthersMayAskForCalls: what the README calls enough is a request, and what
// cannot be dialled is none.
func TestOthersMayAskForCalls(t *testing.T) {
	t.Parallel()
	contract := newContract(t)
	contract.holds(t, "the least", "schema/request.json", []byte(`{"call": {"call_to": "+12025550142"}}`))
	schema, err := contract.compiler.Compile(address + "schema/request.json")
	if err != nil {
		t.Fatal(err)
	}
	for _, call := range []map[string]any{{}, {"call_to": "2025550142"}, {"call_to": "+12025550142", "is_test": "no"}} {
		if schema.Validate(map[string]any{"call": call}) == nil {
			t.Errorf("the contract takes %v", call)
		}
	}
}

// isCloudEvent asks those who know: the CloudEvents SDK.
func isCloudEvent(t *testing.T, data []byte) {
	t.Helper()
	var e cloudevents.Event
	if err := json.Unmarshal(data, &e); err != nil {
		t.Errorf("%v\n%s", err, data)
		return
	}
	if err := e.Validate(); err != nil {
		t.Errorf("%v\n%s", err, data)
	}
	if trace, ok := e.Extensions()["traceparent"]; !ok {
		t.Errorf("the trace %v is lost", trace)
	}
}

// stored is everything that a stream holds.
func (w *world) stored(name string) []*jetstream.RawStreamMsg {
	w.t.Helper()
	js, err := jetstream.New(w.process.bus.Conn())
	if err != nil {
		w.t.Fatal(err)
	}
	stream, err := js.Stream(w.t.Context(), name)
	if err != nil {
		w.t.Fatal(err)
	}
	var all []*jetstream.RawStreamMsg
	for seq := uint64(1); seq <= stream.CachedInfo().State.LastSeq; seq++ {
		msg, err := stream.GetMsg(w.t.Context(), seq)
		if errors.Is(err, jetstream.ErrMsgNotFound) {
			continue
		}
		if err != nil {
			w.t.Fatal(err)
		}
		all = append(all, msg)
	}
	return all
}

// TestContractsUseOurWords: a word that the code has and the contract has not,
// or the other way round, is a broken promise.
func TestContractsUseOurWords(t *testing.T) {
	t.Parallel()
	c := newContract(t)
	outcomes, reasons := constants(t, "../../event", "Outcome"), constants(t, "../../event", "Reason")
	types := slices.Clone(outcomes)
	for i := range types {
		types[i] = "callbridge.result." + types[i]
	}
	for _, e := range []struct {
		place string
		want  []string
	}{
		{"schema/result.json#/properties/data/properties/outcome", outcomes},
		{"schema/result.json#/properties/data/properties/reason", reasons},
		{"schema/result.json#/properties/type", types},
		{"schema/answer.json#/properties/events/items/properties/reason", reasons},
		{"schema/answer.json#/properties/events/items/properties/status", constants(t, "../../handlers", "status")},
		{"asyncapi.yaml#/channels/result/parameters/outcome", outcomes},
		{"asyncapi.yaml#/components/messages/record/payload/properties/state", constants(t, "../../dispatch", "State")},
		{"openapi.yaml#/components/schemas/Failure/properties/error", refusals(t)},
	} {
		if got := c.enum(t, e.place); !slices.Equal(got, e.want) {
			t.Errorf("%s\nhas      %q\nthe code %q", e.place, got, e.want)
		}
	}
}

// refusals are the words by which handlers says no.
func refusals(t *testing.T) []string {
	t.Helper()
	files, err := os.ReadDir("../../handlers")
	if err != nil {
		t.Fatal(err)
	}
	var text bytes.Buffer
	for _, f := range files {
		content, err := os.ReadFile("../../handlers/" + f.Name())
		if err != nil {
			t.Fatal(err)
		}
		text.Write(content)
	}
	var words []string
	for _, m := range regexp.MustCompile(`(?:refuse\(c|refuseUnverified\(c, &?line), http\.\w+, "(\w+)"`).FindAllStringSubmatch(text.String(), -1) {
		words = append(words, m[1])
	}
	slices.Sort(words)
	return slices.Compact(words)
}
