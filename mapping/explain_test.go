package mapping_test

import (
	"encoding/json"
	"strings"
	"testing"
)

const explainConfig = `sources:
  crm:
    verify: {kind: token, header: X-Api-Key, values: ["${SECRET}"]}
    key: body:id
    fields:
      phone: {path: phone, type: phone}
      backup: {path: backup, optional: true}
      score: {path: score, type: number}
      vip: {path: vip, type: bool, optional: true}
routes:
  - name: lead
    source: crm
    mode: live
    stop: true
    when: (score >= 50 || vip) && !present(backup) || phone == "x"
    call: {call_to: phone, metadata: {id: 2025550142, note: "call {{phone}}"}}
  - {name: undecided, source: crm, when: vip, call: {call_to: phone}}
  - {name: off, source: crm, enabled: false, call: {call_to: phone}}
`

func TestExplainShowsFieldsAndPartsOfRules(t *testing.T) {
	t.Parallel()
	config := parse(t, explainConfig)
	in := read(t, config, "crm", "application/json", `{"id": "k", "phone": "+1 202 555 0142", "score": 40, "backup": "+12025550143"}`)
	golden(t, "testdata/explain.json", config.Explain(in[0]))
}

func TestExplainMasksNumbersUnlessRevealed(t *testing.T) {
	t.Parallel()
	config := parse(t, explainConfig)
	in := read(t, config, "crm", "application/json", `{"id": "k", "phone": "+1 202 555 0142", "score": 60}`)
	x := config.Explain(in[0])
	masked, err := json.Marshal(x)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(masked), "+12025550142") || !strings.Contains(string(masked), `"id":2025550142`) {
		t.Errorf("masked: %s", masked)
	}
	revealed, err := json.Marshal(x.Reveal())
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.Count(string(revealed), "+12025550142"); got != 3 {
		t.Errorf("revealed %d times: %s", got, revealed)
	}
	if again, _ := json.Marshal(x); string(again) != string(masked) {
		t.Error("Reveal changed the explanation")
	}
	if got := x.Routes[1].State; got != "not_reached" {
		t.Errorf("after stop: got %s", got)
	}
}
