package main

import (
	"encoding/json"
	"net"
	"strings"
	"testing"
)

func TestVersionPrintsJSON(t *testing.T) {
	t.Parallel()
	code, out, _ := callbridge(t, "", "version", "-o", "json")
	var b build
	if err := json.Unmarshal([]byte(out), &b); err != nil || code != 0 || b.Go == "" || b.Version == "" {
		t.Errorf("exit code %d, %v: %s", code, err, out)
	}
}

func TestCommandErrorsAreOneSentence(t *testing.T) {
	t.Parallel()
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = taken.Close() })
	for name, c := range map[string]struct {
		args []string
		want string
	}{
		"no file":         {[]string{"check", "nowhere.yaml"}, "nowhere.yaml"},
		"unknown source":  {[]string{"map", "-c", "example/callbridge.yaml", "-s", "webshop", "example/website-lead.json"}, "it has hubspot, website"},
		"no source":       {[]string{"map", "example/website-lead.json"}, "source"},
		"bad output":      {[]string{"version", "-o", "xml"}, "it is text or json"},
		"unknown command": {[]string{"server"}, "unknown command"},
		"port in use":     {[]string{"simulate", "--addr", taken.Addr().String()}, "address already in use"},
		"without show":    {[]string{"sources", "hubspot"}, "callbridge sources show hubspot"},
		"show misspelt":   {[]string{"sources", "shwo", "hubspot"}, "callbridge sources show hubspot"},
		"no such source":  {[]string{"sources", "hubpsot"}, "callbridge sources show NAME"},
		"no such body":    {[]string{"map", "-c", "example/callbridge.yaml", "-s", "website", "nowhere.json"}, "nowhere.json"},
	} {
		code, _, errs := callbridge(t, "", c.args...)
		if code != 1 || !strings.Contains(errs, c.want) || !strings.HasPrefix(errs, "callbridge: ") {
			t.Errorf("%s: exit code %d: %q, want %q in it", name, code, errs, c.want)
		}
	}
}
