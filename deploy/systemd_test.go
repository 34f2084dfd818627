package deploy_test

import (
	"regexp"
	"slices"
	"strings"
	"testing"
)

// unit returns the values of the settings of the systemd unit.
func unit(t *testing.T) map[string][]string {
	t.Helper()
	values := map[string][]string{}
	for line := range strings.Lines(read(t, "systemd/callbridge.service")) {
		if name, v, ok := strings.Cut(strings.TrimSpace(line), "="); ok && !strings.HasPrefix(line, "#") {
			values[name] = append(values[name], v)
		}
	}
	return values
}

// TestSystemdUnitRunsTheBinary: the configuration is checked first, and a stop has the
// time that a running call needs.
func TestSystemdUnitRunsTheBinary(t *testing.T) {
	t.Parallel()
	u, known := unit(t), settings(t)
	for name, want := range map[string]string{
		"ExecStartPre": "/usr/local/bin/callbridge check /etc/callbridge/callbridge.yaml", "ExecStart": "/usr/local/bin/callbridge serve",
		"ExecReload": "/bin/kill -HUP $MAINPID", "TimeoutStopSec": "60", "StateDirectory": "callbridge", "StateDirectoryMode": "0700",
	} {
		if !slices.Equal(u[name], []string{want}) {
			t.Errorf("%s=%q, want %s", name, u[name], want)
		}
	}
	for _, pair := range strings.Fields(strings.Join(u["Environment"], " ")) {
		name, v, _ := strings.Cut(pair, "=")
		if !slices.Contains(known, name) {
			t.Errorf("%s is not a variable of callbridge", name)
		}
		if name == "NATS_STORE_DIR" && v != "/var/lib/"+u["StateDirectory"][0] {
			t.Errorf("the store is in %s, which the unit cannot write", v)
		}
		if strings.Contains(name, "TOKEN") && !strings.HasPrefix(v, "%d/"+strings.Split(u["LoadCredential"][0], ":")[0]) {
			t.Errorf("%s=%s is no credential", name, v)
		}
	}
}

// TestSystemdUnitHasNoMoreRightsThanItNeeds beside the network and its directory.
func TestSystemdUnitHasNoMoreRightsThanItNeeds(t *testing.T) {
	t.Parallel()
	u := unit(t)
	for _, name := range []string{
		"NoNewPrivileges", "ProtectHome", "PrivateTmp", "PrivateDevices", "ProtectClock", "ProtectHostname", "ProtectKernelLogs", "ProtectKernelModules",
		"ProtectKernelTunables", "ProtectControlGroups", "RestrictNamespaces", "RestrictRealtime", "RestrictSUIDSGID", "LockPersonality", "MemoryDenyWriteExecute",
	} {
		if !slices.Equal(u[name], []string{"yes"}) {
			t.Errorf("%s=%q", name, u[name])
		}
	}
	if u["ProtectSystem"][0] != "strict" || u["CapabilityBoundingSet"][0] != "" || u["User"][0] == "root" || len(u["SystemCallFilter"]) == 0 || len(u["MemoryMax"]) == 0 {
		t.Error("it is not confined")
	}
}

// TestPageInstallsTheUnit: every file that the unit names is made by the page.
func TestPageInstallsTheUnit(t *testing.T) {
	t.Parallel()
	for _, file := range regexp.MustCompile(`/(?:etc|usr/local/bin)/callbridge(?:/[a-z.-]+)?`).FindAllString(read(t, "systemd/callbridge.service"), -1) {
		if !strings.Contains(read(t, page), file) {
			t.Errorf("docs/deploy.md does not say what %s is", file)
		}
	}
}
