package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"go/ast"
	"go/parser"
	gotoken "go/token"
	"net/http"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	cloudevents "github.com/cloudevents/sdk-go/v2/event"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/santhosh-tekuri/jsonschema/v6"
	"go.yaml.in/yaml/v4"

	"callbridge/dispatch/record"
	"callbridge/event"
	"callbridge/internal/testkit"
)

// traced are the headers of a webhook of the website that belongs to a trace.
func traced(body string) http.Header {
	headers := signed(body)
	headers.Set("Traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
	return headers
}

// TestAnswersFollowTheContract compares the answers of a running process with
// docs/openapi.yaml.
func TestAnswersFollowTheContract(t *testing.T) {
	t.Parallel()
	b, contract := startBridge(t, nil), newContract(t)
	hooks, admin := b.process.public.URL(), b.process.admin.URL()
	post := func(file string) testkit.Answer {
		body := exampleBody(t, file)
		return b.post("/webhooks/website", body, traced(body))
	}
	for _, c := range []struct {
		title, method, path string
		code                int
		got                 testkit.Answer
	}{
		{"requested", "post", "/webhooks/{source}", 202, post("website-lead.json")},
		{"duplicate", "post", "/webhooks/{source}", 202, post("website-lead.json")},
		{"skipped", "post", "/webhooks/{source}", 202, post("website-no-consent.json")},
		{"rejected", "post", "/webhooks/{source}", 202, post("website-no-phone.json")},
		{"unreadable", "post", "/webhooks/{source}", 400, testkit.Do(t, http.MethodPost, hooks+"/webhooks/website", "{", traced("{"))},
		{"unsigned", "post", "/webhooks/{source}", 401, testkit.Do(t, http.MethodPost, hooks+"/webhooks/website", "{}", nil)},
		{"no such source", "post", "/webhooks/{source}", 404, testkit.Do(t, http.MethodPost, hooks+"/webhooks/other", "{}", nil)},
		{"larger than 1 MiB", "post", "/webhooks/{source}", 413, testkit.Do(t, http.MethodPost, hooks+"/webhooks/website", strings.Repeat(" ", 1<<20+1), nil)},
		{"unknown encoding", "post", "/webhooks/{source}", 415, testkit.Do(t, http.MethodPost, hooks+"/webhooks/website", "{}", http.Header{"Content-Encoding": {"br"}})},
		{"no handshake", "get", "/webhooks/{source}", 405, testkit.Do(t, http.MethodGet, hooks+"/webhooks/website", "", nil)},
		{"alive", "get", "/livez", 200, testkit.Do(t, http.MethodGet, hooks+"/livez", "", nil)},
		{"ready in public", "get", "/readyz", 200, testkit.Do(t, http.MethodGet, hooks+"/readyz", "", nil)},
		{"ready", "get", "/readyz", 200, testkit.Do(t, http.MethodGet, admin+"/readyz", "", nil)},
		{"metrics", "get", "/metrics", 200, testkit.Do(t, http.MethodGet, admin+"/metrics", "", nil)},
	} {
		if c.got.Status != c.code {
			t.Errorf("%s: %d %s, want %d", c.title, c.got.Status, c.got.Body, c.code)
			continue
		}
		mediaType, _, _ := strings.Cut(c.got.Header.Get("Content-Type"), ";")
		content := contract.response(t, c.method, c.path, c.code) + "/content/" + strings.ReplaceAll(mediaType, "/", "~1")
		if contract.at(t, content) == nil {
			t.Errorf("%s: the contract has no %s", c.title, mediaType)
		} else if mediaType == "application/json" {
			contract.holds(t, c.title, content+"/schema", []byte(c.got.Body))
		}
	}
}

func TestAnswersWithoutNATSFollowTheContract(t *testing.T) {
	t.Parallel()
	contract := newContract(t)
	b, stopNATS := startBridgeOnNATS(t)
	stopNATS()
	body := exampleBody(t, "website-lead.json")
	got := b.post("/webhooks/website", body, traced(body))
	if seconds, err := strconv.Atoi(got.Header.Get("Retry-After")); got.Status != http.StatusServiceUnavailable || err != nil || seconds < 1 {
		t.Errorf("%d, Retry-After %q", got.Status, got.Header.Get("Retry-After"))
	}
	const inJSON = "/content/application~1json/schema"
	contract.holds(t, "503", contract.response(t, "post", "/webhooks/{source}", 503)+inJSON, []byte(got.Body))
	red := testkit.Do(t, http.MethodGet, b.process.admin.URL()+"/readyz", "", nil)
	contract.holds(t, "not ready", contract.response(t, "get", "/readyz", 503)+inJSON, []byte(red.Body))
}

// TestMessagesFollowTheContract compares all messages in the streams of a running process
// with docs/asyncapi.yaml.
func TestMessagesFollowTheContract(t *testing.T) {
	t.Parallel()
	b, contract := startBridge(t, nil), newContract(t)
	for _, file := range []string{"website-lead.json", "website-lost-answer.json", "website-no-consent.json", "website-no-phone.json"} {
		body := exampleBody(t, file)
		b.post("/webhooks/website", body, traced(body))
		b.result()
	}
	waiting, err := json.Marshal(event.Pending{Event: event.Event{Source: "website", Key: "x"}, Delivery: json.RawMessage("{}")})
	if err != nil {
		t.Fatal(err)
	}
	contract.holds(t, "an event that waits", contract.payload(t, "lookup"), waiting)
	count := map[string]int{}
	for _, stream := range []string{"CALLBRIDGE_REQUESTS", "CALLBRIDGE_LEDGER", "CALLBRIDGE_RESULTS"} {
		for _, msg := range b.stored(stream) {
			channel := contract.channel(t, msg.Subject)
			count[channel]++
			contract.holds(t, msg.Subject, contract.payload(t, channel), msg.Data)
			if channel == "result" {
				isCloudEvent(t, msg.Data)
			}
		}
	}
	if count["request"] != 2 || count["result"] != 4 || count["ledger"] < 4 {
		t.Errorf("kept %v", count)
	}
}

// TestRequestsOfOtherServicesFollowTheContract: the smallest request of the README is valid,
// and a call without a valid number is not.
func TestRequestsOfOtherServicesFollowTheContract(t *testing.T) {
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

// isCloudEvent validates an event with the CloudEvents SDK.
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

// stored returns the messages of a stream.
func (b *bridge) stored(name string) []*jetstream.RawStreamMsg {
	b.t.Helper()
	js := testkit.JetStream(b.t, b.process.bus.UserURL("operator"), nats.CustomInboxPrefix("_INBOX_operator"))
	stream, err := js.Stream(b.t.Context(), name)
	if err != nil {
		b.t.Fatal(err)
	}
	var all []*jetstream.RawStreamMsg
	for seq := uint64(1); seq <= stream.CachedInfo().State.LastSeq; seq++ {
		msg, err := stream.GetMsg(b.t.Context(), seq)
		if errors.Is(err, jetstream.ErrMsgNotFound) {
			continue
		}
		if err != nil {
			b.t.Fatal(err)
		}
		all = append(all, msg)
	}
	return all
}

// TestContractsHaveTheValuesOfTheCode compares the enumerations of both.
func TestContractsHaveTheValuesOfTheCode(t *testing.T) {
	t.Parallel()
	c := newContract(t)
	outcomes, reasons := constants(t, "event", "Outcome"), constants(t, "event", "Reason")
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
		{"schema/answer.json#/properties/events/items/properties/status", constants(t, "handlers", "status")},
		{"asyncapi.yaml#/channels/result/parameters/outcome", outcomes},
		{"asyncapi.yaml#/components/messages/record/payload/properties/state", slices.DeleteFunc(constants(t, "dispatch/record", "State"),
			func(state string) bool { return state == string(record.Unreadable) })}, // is not stored
		{"openapi.yaml#/components/schemas/Failure/properties/error", refusals(t)},
	} {
		if got := c.enum(t, e.place); !slices.Equal(got, e.want) {
			t.Errorf("%s\nhas      %q\nthe code %q", e.place, got, e.want)
		}
	}
}

// refusals returns the error words of handlers.
func refusals(t *testing.T) []string {
	t.Helper()
	files, err := os.ReadDir(testkit.Path("handlers"))
	if err != nil {
		t.Fatal(err)
	}
	var text bytes.Buffer
	for _, f := range files {
		content, err := os.ReadFile(testkit.Path("handlers/" + f.Name()))
		if err != nil {
			t.Fatal(err)
		}
		text.Write(content)
	}
	var words []string
	for _, m := range regexp.MustCompile(`(?:refuse\(c|refuseBusy\(c|refuseUnverified\(c, &?line), http\.\w+, (?:\w+, )?"(\w+)"`).FindAllStringSubmatch(text.String(), -1) {
		words = append(words, m[1])
	}
	slices.Sort(words)
	return slices.Compact(words)
}

// docs is the folder of the contracts, and address the base of their $id.
const (
	docs    = "../../docs/"
	address = "https://callbridge.dev/docs/"
)

// contract is the published description of the HTTP and NATS interfaces.
type contract struct {
	documents map[string]any
	compiler  *jsonschema.Compiler
}

func newContract(t *testing.T) contract {
	t.Helper()
	c := contract{map[string]any{}, jsonschema.NewCompiler()}
	c.compiler.DefaultDraft(jsonschema.Draft2020)
	c.compiler.AssertFormat()
	schemas, err := filepath.Glob(docs + "schema/*.json")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range append(schemas, docs+"openapi.yaml", docs+"asyncapi.yaml") {
		name := strings.TrimPrefix(filepath.ToSlash(file), docs)
		c.documents[name] = decoded(t, file)
		if err := c.compiler.AddResource(address+name, closed(decoded(t, file))); err != nil {
			t.Fatal(err)
		}
	}
	return c
}

// decoded parses a YAML or JSON file.
func decoded(t *testing.T, file string) any {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var document any
	if err := yaml.Unmarshal(text, &document); err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	if text, err = json.Marshal(document); err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	if document, err = jsonschema.UnmarshalJSON(bytes.NewReader(text)); err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	return document
}

// closed forbids members that the contract does not name. Readers have to accept new members;
// callbridge has to document them.
func closed(node any) any {
	switch n := node.(type) {
	case map[string]any:
		_, object := n["properties"].(map[string]any)
		if _, open := n["additionalProperties"]; object && !open {
			n["additionalProperties"] = false
		}
		for _, below := range n {
			closed(below)
		}
	case []any:
		for _, below := range n {
			closed(below)
		}
	}
	return node
}

// find follows references to the value at a place such as openapi.yaml#/paths, and returns
// the place of the value and the value, or nil.
func (c contract) find(t *testing.T, place string) (string, any) {
	t.Helper()
	file, pointer, _ := strings.Cut(place, "#")
	node, known := c.documents[file]
	if !known {
		t.Fatalf("there is no %s", file)
	}
	for _, name := range strings.Split(pointer, "/")[1:] {
		object, _ := node.(map[string]any)
		node = object[strings.NewReplacer("~1", "/", "~0", "~").Replace(name)]
	}
	if object, ok := node.(map[string]any); ok {
		if ref, ok := object["$ref"].(string); ok {
			return c.find(t, resolve(place, ref))
		}
	}
	return place, node
}

func (c contract) at(t *testing.T, place string) any {
	t.Helper()
	_, node := c.find(t, place)
	return node
}

// resolve returns the place that a $ref names.
func resolve(from, ref string) string {
	file, _, _ := strings.Cut(from, "#")
	other, pointer, _ := strings.Cut(ref, "#")
	if other != "" {
		file = path.Join(path.Dir(file), other)
	}
	return file + "#" + pointer
}

// response returns the place of an answer.
func (c contract) response(t *testing.T, method, path string, code int) string {
	t.Helper()
	place := "openapi.yaml#/paths/" + strings.ReplaceAll(path, "/", "~1") + "/" + method + "/responses/" + strconv.Itoa(code)
	place, node := c.find(t, place)
	if node == nil {
		t.Fatalf("%s %s is never answered %d", method, path, code)
	}
	return place
}

// holds validates a message against the schema at a place.
func (c contract) holds(t *testing.T, title, place string, message []byte) {
	t.Helper()
	schema, err := c.compiler.Compile(address + place)
	if err != nil {
		t.Fatal(err)
	}
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(message))
	if err != nil {
		t.Errorf("%s: %v: %s", title, err, message)
		return
	}
	if err := schema.Validate(value); err != nil {
		t.Errorf("%s: %v\n%s", title, err, message)
	}
}

// channel returns the name of the channel of a subject.
func (c contract) channel(t *testing.T, subject string) string {
	t.Helper()
	channels := c.at(t, "asyncapi.yaml#/channels").(map[string]any)
	for name := range channels {
		address := c.at(t, "asyncapi.yaml#/channels/"+name+"/address").(string)
		pattern := regexp.MustCompile(`\\\{\w+\\\}`).ReplaceAllString(regexp.QuoteMeta(address), `[^.]+`)
		if regexp.MustCompile("^" + pattern + "$").MatchString(subject) {
			return name
		}
	}
	t.Fatalf("the contract has no channel for %s", subject)
	return ""
}

// payload returns the place of the schema of a channel's only message.
func (c contract) payload(t *testing.T, channel string) string {
	t.Helper()
	for name := range c.at(t, "asyncapi.yaml#/channels/"+channel+"/messages").(map[string]any) {
		return "asyncapi.yaml#/components/messages/" + name + "/payload"
	}
	t.Fatalf("channel %s has no message", channel)
	return ""
}

func (c contract) enum(t *testing.T, place string) []string {
	t.Helper()
	words, _ := c.at(t, place+"/enum").([]any)
	var all []string
	for _, w := range words {
		all = append(all, w.(string))
	}
	slices.Sort(all)
	return all
}

// TestReferencesOfTheContractsExist follows every $ref.
func TestReferencesOfTheContractsExist(t *testing.T) {
	t.Parallel()
	c := newContract(t)
	var follow func(file string, node any)
	follow = func(file string, node any) {
		switch n := node.(type) {
		case map[string]any:
			if ref, ok := n["$ref"].(string); ok && c.at(t, resolve(file, ref)) == nil {
				t.Errorf("%s refers to %s", file, ref)
			}
			for _, below := range n {
				follow(file, below)
			}
		case []any:
			for _, below := range n {
				follow(file, below)
			}
		}
	}
	for file, document := range c.documents {
		follow(file, document)
	}
}

// constants returns the values of all constants of a type, from the source. The empty value,
// which means "none" and is not published, is left out.
func constants(t *testing.T, dir, name string) []string {
	t.Helper()
	files, err := filepath.Glob(testkit.Path(dir) + "/*.go")
	if err != nil {
		t.Fatal(err)
	}
	var values []string
	for _, file := range files {
		parsed, err := parser.ParseFile(gotoken.NewFileSet(), file, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(parsed, func(n ast.Node) bool {
			if spec, ok := n.(*ast.ValueSpec); ok {
				values = append(values, valuesOf(spec, name)...)
			}
			return true
		})
	}
	slices.Sort(values)
	return values
}

func valuesOf(spec *ast.ValueSpec, name string) []string {
	typed, ok := spec.Type.(*ast.Ident)
	if !ok || typed.Name != name {
		return nil
	}
	var values []string
	for _, v := range spec.Values {
		if literal, ok := v.(*ast.BasicLit); ok {
			if text, _ := strconv.Unquote(literal.Value); text != "" {
				values = append(values, text)
			}
		}
	}
	return values
}
