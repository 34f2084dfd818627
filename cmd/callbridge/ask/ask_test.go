package ask_test

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"

	"callbridge/bus"
	"callbridge/bus/bustest"
	"callbridge/cmd/callbridge/ask"
	"callbridge/event"
	"callbridge/mapping"
)

const config = `sources:
  crm:
    verify: {kind: token, header: X-Api-Key, values: ["${SECRET}"]}
    key: body:id
    fields: {phone: {path: phone, type: phone}, email: {path: email}}
routes:
  - {name: new-lead, source: crm, when: email != "", mode: dry_run, call: {call_to: phone}}
`

// asked is a bus with results, and the commands on it.
type asked struct {
	t       *testing.T
	bus     *bus.Bus
	options ask.Options
}

func newAsked(t *testing.T) *asked {
	t.Helper()
	served := bustest.Config(t)
	b := bustest.Open(t, served)
	file := filepath.Join(t.TempDir(), "callbridge.yaml")
	if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	return &asked{t, b, ask.Options{
		Settings: func(context.Context) (bus.Config, error) {
			client := bustest.Remote("")
			client.Embedded = bus.Embedded{Dir: served.Embedded.Dir, Listen: strings.TrimPrefix(b.ClientURL(), "nats://")}
			return client, nil
		},
		Configuration: func(string) (*mapping.Config, error) {
			return mapping.Load(file, mapping.Options{WithoutSecrets: true})
		},
	}}
}

// lead stores the result of an event.
func (a *asked) lead(key string, outcome event.Outcome, reason event.Reason, detail string) event.Result {
	a.t.Helper()
	e := event.Event{
		ID: event.EventID("crm", key), Source: "crm", Key: key, Type: "=cmd()", Received: time.Now(),
		Data: json.RawMessage(`{"id":"` + key + `","email":"` + key + `@example.com","phone":"+12025550142"}`),
	}
	r := event.Result{
		RequestID: event.RequestID(e.ID, "new-lead"), Outcome: outcome, Reason: reason, Detail: detail, Route: "new-lead",
		Request: json.RawMessage(`{"call_to":"+12025550142"}`), Event: e, Time: e.Received,
		Gates: []event.Gate{{Gate: reason, Value: "not given"}},
	}
	if _, err := a.bus.Store(a.t.Context(), "", event.Item{Result: &r}); err != nil {
		a.t.Fatal(err)
	}
	return r
}

// run executes a command and returns what it printed, with its error.
func (a *asked) run(cmd *cobra.Command, args ...string) string {
	a.t.Helper()
	var out bytes.Buffer
	cmd.SetArgs(args)
	cmd.SetOut(&out)
	cmd.SetErr(&out)
	cmd.SilenceErrors, cmd.SilenceUsage = true, true
	if err := cmd.ExecuteContext(a.t.Context()); err != nil {
		return out.String() + "error: " + err.Error()
	}
	return out.String()
}

func (a *asked) why(args ...string) string  { return a.run(ask.NewWhy(a.options), args...) }
func (a *asked) find(args ...string) string { return a.run(ask.NewFind(a.options), args...) }

func TestWhyAnswersInPlainWordsAndMasksNumbers(t *testing.T) {
	t.Parallel()
	a := newAsked(t)
	ada := a.lead("ada", event.Skipped, event.ReasonNoConsent, "the person has not agreed to be called")
	a.lead("bob", event.Accepted, event.ReasonCreated, "")
	out := a.why("ada")
	for _, want := range []string{
		"crm  key ada", "new-lead         Not called: the person has not agreed to be called.\n", "request " + ada.RequestID.String() + "  to +12•••••••42",
		"received                 the webhook came in", "gate      no_consent     forbids not given", "closed    new-lead", "result    new-lead       skipped (no_consent)",
		"the configuration of today (", "skipped  dry_run", `true      email != ""`,
	} {
		if !strings.Contains(out, want) {
			t.Errorf("why lacks %q:\n%s", want, out)
		}
	}
	for _, id := range []string{ada.RequestID.String(), ada.Event.ID.String()} {
		if got := a.why(id); got != out {
			t.Errorf("why %s:\n%s", id, got)
		}
	}
	for _, spelling := range []string{"+12025550142", "+1 (202) 555-0142"} {
		if out := a.why(spelling); !strings.Contains(out, "2 events; for the whole story") || strings.Contains(out, "5550142") {
			t.Errorf("why %s:\n%s", spelling, out)
		}
	}
	if out := a.why("--reveal", "ada"); !strings.Contains(out, "to +12025550142") {
		t.Errorf("--reveal:\n%s", out)
	}
	if out := a.why("nobody"); !strings.Contains(out, "error: nothing is stored about it") {
		t.Errorf("nobody:\n%s", out)
	}
	if out := a.why("-o", "yaml", "ada"); !strings.Contains(out, "text or json") {
		t.Errorf("-o yaml:\n%s", out)
	}
	var answer struct {
		Events []struct {
			Requests []map[string]any
			Steps    []map[string]any
			Today    map[string]any
		}
	}
	masked := a.why("-o", "json", "ada")
	if err := json.Unmarshal([]byte(masked), &answer); err != nil || len(answer.Events) != 1 || len(answer.Events[0].Steps) != 3 || answer.Events[0].Today == nil {
		t.Errorf("-o json: %v, %+v", err, answer)
	}
	if strings.Contains(masked, "5550142") {
		t.Errorf("-o json shows the number:\n%s", masked)
	}
}

func TestFindListsAndCounts(t *testing.T) {
	t.Parallel()
	a := newAsked(t)
	a.lead("ada", event.Skipped, event.ReasonNoConsent, "")
	a.lead("bob", event.Skipped, event.ReasonDryRun, "")
	a.lead("+12025550177", event.Skipped, event.ReasonDryRun, "=1+1")
	for _, c := range []struct {
		args        []string
		want, lacks string
	}{
		{nil, "3 results read", "5550177"},
		{[]string{"--reason", "no_consent"}, "skipped  no_consent     crm ada  new-lead  +12•••••••42", "bob"},
		{[]string{"--count-by", "reason"}, "       2  dry_run\n       1  no_consent\n", "ada"},
		{[]string{"--where", `data.email.startsWith("bob@")`}, "crm bob", "ada"},
		{[]string{"--limit", "1"}, "go on with --before 3", "ada"},
		{[]string{"--limit", "1", "--all", "-o", "json"}, `"read": 3`, "next"},
		{[]string{"-o", "csv"}, "time,outcome,reason", ",=1+1"},
		{[]string{"-o", "csv"}, ",'=cmd(),'+12•••••••42,", "next"},
		{[]string{"-o", "csv", "--count-by", "type"}, "value,count\n'=cmd(),3\n", "next"},
		{[]string{"--until", "1h"}, "0 results read", "ada"},
		{[]string{"--reveal", "--outcome", "skipped", "--source", "crm", "--since", "2020-01-01"}, "crm +12025550177", "error"},
		{[]string{"--since", "soon"}, `error: --since "soon" is no time`, "ada"},
		{[]string{"--count-by", "number"}, "error: --count-by number: it is one of config, field", "ada"},
		{[]string{"--where", "nobody"}, "error: condition: ", "crm ada"},
		{[]string{"--source", ">"}, "error: --source and --outcome are single words", "ada"},
		{[]string{"-o", "xml"}, "error: -o xml: it is text, json or csv", "ada"},
	} {
		if out := a.find(c.args...); !strings.Contains(out, c.want) || strings.Contains(out, c.lacks) {
			t.Errorf("find %s: want %q and not %q:\n%s", c.args, c.want, c.lacks, out)
		}
	}
}

func TestReplayPlanComparesWithAConfiguration(t *testing.T) {
	t.Parallel()
	a := newAsked(t)
	a.lead("ada", event.Skipped, event.ReasonNoConsent, "")
	a.lead("bob", event.Accepted, event.ReasonCreated, "")
	file := filepath.Join(t.TempDir(), "live.yaml")
	text := strings.Replace(config, "mode: dry_run", "mode: live, purpose: service", 1) + "policy: {countries: [US], hours: any}\n"
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	a.options.Configuration = func(name string) (*mapping.Config, error) {
		return mapping.Load(name, mapping.Options{WithoutSecrets: true})
	}
	replay := func(args ...string) string {
		return a.run(ask.NewReplay(a.options), append([]string{"plan", "-c", file}, args...)...)
	}
	out := replay()
	for _, want := range []string{
		"would_call      crm  new-lead       skipped    -> requested  +12•••••••42", "already_called  crm  new-lead       accepted   -> requested",
		"       1  would_call\n       1  already_called\n2 results compared",
	} {
		if !strings.Contains(out, want) {
			t.Errorf("the plan lacks %q:\n%s", want, out)
		}
	}
	plan := filepath.Join(t.TempDir(), "plan.json")
	if out := replay("--exit-code", "--out", plan); !strings.Contains(out, "error: 1 calls would be placed that were not") {
		t.Errorf("--exit-code:\n%s", out)
	}
	info, err := os.Stat(plan)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the plan's file: %v, %v", info, err)
	}
	written, err := os.ReadFile(plan)
	if err != nil || !json.Valid(written) || strings.Contains(string(written), "5550142") || !strings.Contains(string(written), `"verdict": "would_call"`) {
		t.Errorf("the plan's file: %v\n%s", err, written)
	}
	if out := replay("--out", plan); !strings.Contains(out, "error: write plan: ") {
		t.Errorf("a file is replaced:\n%s", out)
	}
	if out := replay("--outcome", "accepted", "--exit-code"); strings.Contains(out, "error") {
		t.Errorf("without a new call:\n%s", out)
	}
}
