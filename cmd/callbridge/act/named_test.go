package act_test

import (
	"io/fs"
	"strings"
	"testing"

	"callbridge/cmd/callbridge/act"
	"callbridge/internal/testkit"
	"callbridge/mapping"
)

// configuration is that of the example, without a default.
func configuration(file string) (*mapping.Config, error) {
	if file == "" {
		return nil, fs.ErrNotExist
	}
	return mapping.Load(file, mapping.Options{WithoutSecrets: true})
}

// TestNamesThatTheConfigurationDoesNotHave are warned of, and used.
func TestNamesThatTheConfigurationDoesNotHave(t *testing.T) {
	t.Parallel()
	_, settings := bridge(t)
	example := testkit.Path("cmd/callbridge/example/callbridge.yaml")
	stop := func(args ...string) string {
		return run(t, act.NewStop(settings, configuration), "", append(args, "--why", "x")...)
	}
	for _, c := range []struct{ got, want string }{
		{stop("-c", example, "--source", "webiste"), "warning: the configuration has no source webiste: did you mean \"website\"?\nstopped: source webiste"},
		{stop("-c", example, "--source", "website", "--route", "newlead"), "warning: the configuration has no route newlead: did you mean \"new-lead\"?\n"},
		{stop("-c", example, "--source", "hubspot", "--route", "new-lead"), "warning: the configuration sends no event of source hubspot to route new-lead, so that this covers no call\n"},
		{stop("-c", example+"x", "--source", "website"), "error: "},
		{run(t, act.NewDNC(settings, configuration), "", "add", "+12025550142", "--why", "x", "-c", example, "--source", "zzz"), "warning: the configuration has no source zzz\nerror: no callbridge process answers"},
	} {
		if !strings.Contains(c.got, c.want) {
			t.Errorf("printed %q, want %q", c.got, c.want)
		}
	}
	for _, got := range []string{stop("-c", example, "--source", "website", "--route", "new-lead"), stop("--source", "webiste"), stop("-c", example)} {
		if strings.Contains(got, "warning") || strings.Contains(got, "error") {
			t.Errorf("printed %q", got)
		}
	}
}

// TestAConfigurationThatCannotBeReadIsAWarning where nobody has named it.
func TestAConfigurationThatCannotBeReadIsAWarning(t *testing.T) {
	t.Parallel()
	_, settings := bridge(t)
	broken := func(string) (*mapping.Config, error) {
		return mapping.Load(testkit.File(t, "callbridge.yaml", "sources: 7\n"), mapping.Options{WithoutSecrets: true})
	}
	got := run(t, act.NewStop(settings, broken), "", "--why", "x", "--source", "website")
	if !strings.HasPrefix(got, "warning: --source and --route were not compared with the configuration: ") || !strings.Contains(got, "stopped: source website") {
		t.Errorf("printed %q", got)
	}
}
