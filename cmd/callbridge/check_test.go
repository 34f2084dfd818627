package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"callbridge/internal/testkit"
)

func TestCheckAcceptsTheExample(t *testing.T) {
	t.Parallel()
	code, out, errs := callbridge(t, "", "check", "--without-secrets", "example/callbridge.yaml")
	if code != 0 || !strings.Contains(out, "2 sources, 3 routes") || !strings.Contains(out, "dry_run") {
		t.Errorf("exit code %d: %s%s", code, out, errs)
	}
}

func TestCheckReportsThePositionOfAMistake(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("example/callbridge.yaml")
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "callbridge.yaml")
	typo := strings.Replace(string(text), "lead_score >= 50", "leadscore >= 50", 1)
	if err := os.WriteFile(file, []byte(typo), 0o600); err != nil {
		t.Fatal(err)
	}
	code, _, errs := callbridge(t, "", "check", "--without-secrets", file)
	if code != 1 || !strings.Contains(errs, `did you mean "lead_score"?`) || !strings.Contains(errs, file+":") {
		t.Errorf("exit code %d: %s", code, errs)
	}
	code, out, _ := callbridge(t, "", "check", "--without-secrets", "-o", "json", file)
	var r report
	if err := json.Unmarshal([]byte(out), &r); err != nil || code != 1 || r.OK || len(r.Problems) != 1 || r.Problems[0].Line == 0 {
		t.Errorf("exit code %d, %v: %s", code, err, out)
	}
}

func TestCheckRefusesASecretOfTheProcess(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"CALLAB_TOKEN", "CALLAB_TOKEN_FILE", "NATS_PASSWORD", "NATS_TOKEN", "NATS_NKEY_SEED_FILE", "OTEL_EXPORTER_OTLP_HEADERS"} {
		file := filepath.Join(t.TempDir(), "callbridge.yaml")
		text := "sources:\n  crm: {preset: generic, verify: {kind: token, header: X-Api-Key, values: [\"${" + name + "}\"]}}\n"
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		code, _, errs := callbridge(t, "", "check", "--without-secrets", file)
		if code != 1 || !strings.Contains(errs, file+":2:") || !strings.Contains(errs, name+" is a setting of callbridge itself") {
			t.Errorf("%s: exit code %d: %s", name, code, errs)
		}
	}
}

// TestCheckRefusesAnExpireAboveTheRetention: such a request would have no end.
func TestCheckRefusesAnExpireAboveTheRetention(t *testing.T) {
	t.Parallel()
	for expire, want := range map[string]string{
		"167h": "", "168h": ":2:53: policy.expire: expire 168h is too long: NATS keeps a request for RETENTION, and 167h of that at most may be spent waiting",
	} {
		file := testkit.File(t, "callbridge.yaml", `sources: {crm: {preset: generic, verify: {kind: token, header: X-Api-Key, values: ["${CRM_SECRET}"]}}}
policy: {countries: [US], hours: local-law, expire: `+expire+"}\nroutes: []\n")
		code, out, errs := callbridge(t, "", "check", "--without-secrets", file)
		if (code == 0) != (want == "") || !strings.Contains(errs, want) || strings.Count(errs, "too long") > 1 {
			t.Errorf("expire %s: exit code %d: %s%s", expire, code, out, errs)
		}
	}
}
