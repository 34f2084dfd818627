package main

import (
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// ours is the import table of docs/decisions/0001-layout.md: what each package
// may import of this module. Arrows run one way, from the front door and the
// dispatcher down to the vocabulary; handlers, lookup and dispatch meet on the
// bus only.
var ours = map[string][]string{
	"untrusted":        {},
	"event":            {"untrusted"},
	"span":             {"untrusted"},
	"callab":           {"untrusted"},
	"credential":       {},
	"signature":        {"untrusted", "signature/scan"},
	"signature/scan":   {},
	"callab/callabsim": {"untrusted"},
	"mapping/payload":  {"untrusted"},
	"mapping/phone":    {"event", "untrusted"},
	"mapping/zone":     {"zonedata"},
	"mapping/sources":  {},
	"mapping/config":   {"untrusted", "signature", "mapping/sources"},
	"mapping/field":    {"untrusted", "event", "mapping/config", "mapping/payload", "mapping/phone", "mapping/zone"},
	"mapping/rule":     {"untrusted", "event", "mapping/config", "mapping/zone", "zonedata"},
	"mapping/call":     {"untrusted", "event", "mapping/config", "mapping/field", "mapping/payload", "mapping/phone"},
	"mapping/lookups":  {"untrusted", "event", "mapping/call", "mapping/config", "mapping/field", "mapping/payload", "mapping/rule"},
	"mapping": {
		"untrusted",
		"event", "signature", "mapping/call", "mapping/config", "mapping/field", "mapping/lookups",
		"mapping/payload", "mapping/permit", "mapping/phone", "mapping/rule", "policy",
	},
	"mapping/permit": {
		"untrusted", "event", "mapping/config", "mapping/field", "mapping/phone", "mapping/rule", "mapping/zone",
		"policy", "policy/hours", "policy/place",
	},
	"mapping/golden":          {"untrusted", "event", "mapping", "mapping/config", "policy"},
	"bus":                     {"bus/audit", "internal/wait", "untrusted", "event", "bus/archive", "bus/calls", "bus/connect", "bus/difference", "bus/earlier", "bus/embedded", "bus/limit", "bus/loss", "bus/role", "bus/stream", "bus/control", "bus/dnc", "bus/people", "bus/personkey", "bus/result"},
	"bus/audit":               {"bus/stream"},
	"bus/calls":               {"event"},
	"bus/control":             {"bus/stream"},
	"bus/dnc":                 {"internal/wait", "bus/audit", "bus/personkey", "bus/stream", "event"},
	"bus/people":              {"internal/wait", "bus/personkey", "bus/stream"},
	"bus/personkey":           {"internal/wait", "bus/flush", "bus/stream"},
	"cmd/callbridge/output":   {"bus"},
	"cmd/callbridge/act":      {"cmd/callbridge/output", "internal/wait", "untrusted", "bus", "bus/control", "bus/dnc", "bus/loss", "bus/people", "cmd/callbridge/numberfile", "event", "mapping", "mapping/config", "mapping/phone", "policy", "policy/place"},
	"bus/archive":             {"bus/audit", "bus/result", "bus/stream"},
	"history":                 {"bus/archive", "dispatch/record", "event"},
	"history/replay":          {"bus/archive", "dispatch/record", "event", "history", "mapping", "policy"},
	"cmd/callbridge/ask":      {"cmd/callbridge/output", "untrusted", "bus", "bus/audit", "bus/archive", "bus/role", "event", "history", "history/replay", "mapping", "mapping/phone", "zonedata"},
	"bus/embedded":            {"bus/access", "bus/difference", "bus/flush", "bus/role", "bus/storelock", "bus/streamfile"},
	"bus/connect":             {"bus/role", "credential"},
	"bus/difference":          {},
	"bus/loss":                {"internal/wait", "bus/flush", "bus/stream"},
	"bus/limit":               {"internal/wait", "bus/stream"},
	"bus/stream":              {"internal/wait", "bus/difference"},
	"bus/earlier":             {"event"},
	"bus/result":              {"event"},
	"bus/flush":               {},
	"bus/access":              {"bus/role"},
	"bus/role":                {"bus/flush"},
	"bus/storelock":           {},
	"bus/streamfile":          {"bus/flush"},
	"bus/bustest":             {"bus", "bus/stream"},
	"internal/testkit":        {"untrusted"},
	"internal/wait":           nil,
	"handlers":                {"untrusted", "event", "signature", "mapping", "mapping/payload", "bus", "span", "policy"},
	"follow":                  {"follow/outcome"},
	"follow/watch":            {"internal/wait", "untrusted", "event", "callab", "bus", "bus/dnc", "bus/limit", "dispatch/fit", "dispatch/record", "follow", "follow/outcome"},
	"follow/outcome":          {"untrusted", "mapping/config", "mapping/rule"},
	"lookup":                  {"untrusted", "event", "mapping", "mapping/lookups", "bus", "span"},
	"dispatch":                {"internal/wait", "untrusted", "event", "callab", "bus", "bus/limit", "bus/loss", "dispatch/breaker", "dispatch/fit", "dispatch/gate", "dispatch/metric", "dispatch/record", "dispatch/search", "dispatch/tally", "dispatch/waiting", "bus/control", "span", "policy"},
	"dispatch/gate":           {"untrusted", "event", "bus", "bus/control", "bus/dnc", "bus/limit", "bus/people", "policy"},
	"dispatch/breaker":        {},
	"dispatch/fit":            {"untrusted", "callab", "event", "dispatch/record"},
	"dispatch/metric":         {"dispatch/breaker", "dispatch/record", "event", "policy"},
	"dispatch/record":         {"untrusted", "event"},
	"dispatch/tally":          {"event", "dispatch/record"},
	"dispatch/waiting":        {},
	"dispatch/search":         {"untrusted", "event", "callab"},
	"crash":                   {},
	"crash/clock":             {},
	"crash/network":           {},
	"crash/power":             {},
	"deploy":                  {},
	"deploy/sbom":             {},
	"deploy/oci":              {},
	"docs":                    {},
	"demo":                    {"untrusted", "event", "signature", "dispatch/record"},
	"bench":                   {"bus/role", "callab/callabsim"},
	"cmd/callbridge/listener": nil,
	"cmd/callbridge/show":     {"cmd/callbridge/output", "untrusted", "mapping", "mapping/permit", "mapping/rule", "policy", "policy/hours", "policy/place", "zonedata"},
	"cmd/callbridge":          {"cmd/callbridge/output", "cmd/callbridge/listener", "demo", "untrusted", "event", "callab", "credential", "callab/callabsim", "signature", "mapping", "mapping/config", "mapping/golden", "mapping/payload", "mapping/rule", "mapping/sources", "bus", "bus/loss", "bus/role", "bus/stream", "handlers", "lookup", "dispatch", "dispatch/waiting", "follow", "follow/watch", "policy", "span", "zonedata", "cmd/callbridge/act", "cmd/callbridge/ask", "cmd/callbridge/numberfile", "cmd/callbridge/show"},
	"zonedata":                {},
	"zonedata/pack":           {},
	"policy":                  {"policy/holiday", "policy/hours"},
	"policy/hours":            {},
	"policy/holiday":          {},
	"policy/place":            {"policy", "zonedata"},

	"cmd/callbridge/numberfile": {"event", "mapping/phone"},
}

// testOnly are packages that only tests import.
var testOnly = []string{"bus/bustest", "internal/testkit"}

// modules are those that only some packages may know, and why.
var modules = []struct {
	module, reason string
	allowed        []string
}{
	{"github.com/nats-io/", "JetStream's rules are hard enough to keep in one place; the demo subscribes as any client would", []string{"bus", "bus/access", "bus/archive", "bus/calls", "bus/connect", "bus/difference", "bus/earlier", "bus/embedded", "bus/limit", "bus/loss", "bus/stream", "bus/bustest", "internal/testkit", "demo", "bench", "bus/control", "bus/dnc", "bus/people", "bus/personkey", "bus/result", "bus/audit"}},
	{"github.com/gin-gonic/", "HTTP ends at the front door", []string{"handlers", "bench"}},
	{"cel.dev/", "rules are one room's business", []string{"mapping/rule", "history"}},
	{"go.yaml.in/", "callbridge.yaml is read in one room, golden cases in another; signature decodes its own structs", []string{"mapping/config", "mapping/golden", "signature", "policy/hours", "policy/holiday"}},
	{"github.com/spf13/cobra", "commands belong to the process", []string{"cmd/callbridge", "cmd/callbridge/output", "cmd/callbridge/act", "cmd/callbridge/ask", "cmd/callbridge/show"}},
	{"github.com/sethvargo/", "the environment is read in one place", []string{"cmd/callbridge"}},
}

type listed struct {
	ImportPath string
	Imports    []string
}

func TestImportsFollowTheTable(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for _, p := range packages(t) {
		name := strings.TrimPrefix(p.ImportPath, "callbridge/")
		seen[name] = true
		allowed, known := ours[name]
		if !known {
			t.Errorf("package %s is not in the table: add it there, with what it may import", name)
		}
		for _, path := range p.Imports {
			own, is := strings.CutPrefix(path, "callbridge/")
			if is && !slices.Contains(allowed, own) {
				t.Errorf("%s imports %s, which the table does not allow", name, own)
			}
			if is && slices.Contains(testOnly, own) {
				t.Errorf("%s imports %s in a file that is no test", name, own)
			}
			for _, g := range modules {
				if strings.HasPrefix(path, g.module) && !slices.Contains(g.allowed, name) {
					t.Errorf("%s imports %s: %s", name, path, g.reason)
				}
			}
		}
	}
	for name := range ours {
		if !seen[name] {
			t.Errorf("the table names package %s, which is not there", name)
		}
	}
}

// packages asks the go tool, so that test files and vendored code do not count.
func packages(t *testing.T) []listed {
	t.Helper()
	out, err := exec.Command("go", "list", "-json=ImportPath,Imports", "callbridge/...").Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	var all []listed
	for dec := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p listed
		switch err := dec.Decode(&p); {
		case errors.Is(err, io.EOF):
			return all
		case err != nil:
			t.Fatal(err)
		}
		all = append(all, p)
	}
}
