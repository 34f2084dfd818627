package deploy_test

import (
	"os/exec"
	"strings"
	"testing"

	"callbridge/internal/testkit"
)

// TestChangeOfRetentionAsDocumented follows "Change RETENTION" of docs/nats.md, there and
// back. A webhook that comes again is a duplicate throughout.
func TestChangeOfRetentionAsDocumented(t *testing.T) {
	passwords(t)
	url, callab := populated(t), simulator(t)
	page := testkit.Read(t, "docs/nats.md")
	apply := func(retention string, more ...string) string {
		t.Helper()
		line := strings.Join(append([]string{"callbridge streams apply"}, more...), " ")
		if !strings.Contains(page, line+"\n") {
			t.Errorf("docs/nats.md does not have %q", line)
		}
		c := exec.CommandContext(t.Context(), binary, append([]string{"streams", "apply"}, more...)...)
		c.Env = []string{"NATS_URL=" + url, "NATS_USER=administrator", "NATS_PASSWORD=demo-administrator-password", "RETENTION=" + retention}
		out, err := c.CombinedOutput()
		if err != nil {
			t.Fatalf("%s: %v\n%s", line, err, out)
		}
		return string(out)
	}
	want := "requested"
	for _, retention := range []string{"168h", "336h", "168h"} {
		if want == "duplicate" {
			refused := start(t, serving(t, url, callab, "NATS_REPLICAS=1", "RETENTION="+retention), "serve")
			if said := refused.logged(`"msg":"process.failed","error":"(.*)"`); !strings.Contains(said, "max_age") {
				t.Errorf("before the change, RETENTION=%s: %s", retention, said)
			}
			if out := apply(retention, "--dry-run"); !strings.Contains(out, "max_age") {
				t.Errorf("--dry-run prints\n%s", out)
			}
			apply(retention)
		}
		b := serve(t, url, callab, "NATS_REPLICAS=1", "RETENTION="+retention)
		if got := b.website("website-lead.json"); got != want {
			t.Errorf("with RETENTION=%s the webhook is %s, want %s", retention, got, want)
		}
		if err := b.stop(); err != nil {
			t.Errorf("stop: %v\n%s", err, b.log())
		}
		want = "duplicate"
	}
}
