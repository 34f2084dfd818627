package handlers_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
)

// TestManyRoutesDoNotMultiplyALargeBody: each route stores the event once more.
func TestManyRoutesDoNotMultiplyALargeBody(t *testing.T) {
	t.Parallel()
	var routes strings.Builder
	for i := range 90 {
		fmt.Fprintf(&routes, `  - {name: r%d, source: website, mode: dry_run, also: true, call: {ai_agent_id: 6f1f8f0e-5f57-4c0e-9d0a-1f6f4b0a7c11, call_from: "+12025550100", call_to: phone}}`+"\n", i)
	}
	f := setupWith(t, `
sources:
  website:
    verify: {kind: hmac, hash: sha256, header: X-Signature, prefix: "sha256=", encoding: hex, keys: ["${SECRET}"]}
    key: body:id
    fields: {phone: {path: phone, type: phone}}
routes:
`+routes.String())
	body := func(size int) string {
		return `{"id":"lead-` + fmt.Sprint(size) + `","phone":"+12025550142","text":"` + strings.Repeat("x", size) + `"}`
	}
	if a := f.website(body(1_000_000)); a.status != http.StatusRequestEntityTooLarge || f.stored("CALLBRIDGE_RESULTS") != 0 {
		t.Errorf("a body of 1 MB for 90 routes: HTTP %d, %d results stored", a.status, f.stored("CALLBRIDGE_RESULTS"))
	}
	if a := f.website(body(10_000)); a.status != http.StatusAccepted || f.stored("CALLBRIDGE_RESULTS") != 90 {
		t.Errorf("a body of 10 kB for 90 routes: HTTP %d, %d results stored", a.status, f.stored("CALLBRIDGE_RESULTS"))
	}
}
