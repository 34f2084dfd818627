package deploy_test

import (
	"maps"
	"net/url"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/compose-spec/compose-go/v2/loader"
	"github.com/compose-spec/compose-go/v2/types"
	"github.com/nats-io/nats-server/v2/server"
	"go.yaml.in/yaml/v4"
)

var composeFiles = []string{"compose.yaml", "compose.cluster.yaml"}

// eachService calls check for every service of both files.
func eachService(t *testing.T, check func(*testing.T, *types.Project, types.ServiceConfig)) {
	t.Helper()
	for _, file := range composeFiles {
		project := compose(t, file)
		for name, service := range project.Services {
			t.Run(file+"/"+name, func(t *testing.T) {
				t.Parallel()
				check(t, project, service)
			})
		}
	}
}

// compose loads a file as docker compose does.
func compose(t *testing.T, file string) *types.Project {
	t.Helper()
	dir, err := filepath.Abs(".")
	if err != nil {
		t.Fatal(err)
	}
	project, err := loader.LoadWithContext(t.Context(), types.ConfigDetails{
		WorkingDir: dir, ConfigFiles: []types.ConfigFile{{Filename: filepath.Join(dir, file)}},
	})
	if err != nil {
		t.Fatal(err)
	}
	return project
}

func TestComposeHardensEveryService(t *testing.T) {
	t.Parallel()
	eachService(t, func(t *testing.T, _ *types.Project, s types.ServiceConfig) {
		if !s.ReadOnly || !slices.Equal(s.CapDrop, []string{"ALL"}) || !slices.Contains(s.SecurityOpt, "no-new-privileges:true") {
			t.Errorf("read_only %t, cap_drop %q, security_opt %q", s.ReadOnly, s.CapDrop, s.SecurityOpt)
		}
		if s.HealthCheck == nil || len(s.HealthCheck.Test) == 0 && s.Name != "simulator" {
			t.Error("it has no health check")
		}
		if s.MemLimit == 0 || s.Logging == nil || s.Logging.Options["max-size"] == "" || s.Logging.Options["max-file"] == "" {
			t.Errorf("memory limit %d, log %+v: it may fill the machine", s.MemLimit, s.Logging)
		}
		for _, p := range s.Ports {
			if p.HostIP != "127.0.0.1" {
				t.Errorf("port %s is open to %q: the demo passwords are public", p.Published, p.HostIP)
			}
		}
	})
}

// listening returns the ports on which a service listens.
func listening(s types.ServiceConfig) []string {
	switch {
	case strings.HasPrefix(s.Image, "nats:"):
		return []string{"4222", "8222"}
	case s.Name == "simulator":
		return []string{strings.TrimPrefix(s.Command[slices.Index(s.Command, "--addr")+1], ":")}
	default:
		return []string{"8080", strings.TrimPrefix(value(s, "ADMIN_ADDR"), ":")}
	}
}

func value(s types.ServiceConfig, name string) string {
	if v := s.Environment[name]; v != nil {
		return *v
	}
	return ""
}

func TestComposeRefersToExistingServices(t *testing.T) {
	t.Parallel()
	eachService(t, func(t *testing.T, p *types.Project, s types.ServiceConfig) {
		for _, port := range s.Ports {
			if target := port.Target; !slices.Contains(listening(s), itoa(target)) {
				t.Errorf("nothing listens on port %d", target)
			}
		}
		for _, v := range s.Volumes {
			if _, err := os.Stat(v.Source); v.Type == types.VolumeTypeBind && err != nil {
				t.Error(err)
			}
		}
		for _, list := range []string{value(s, "NATS_URL"), value(s, "CALLAB_URL")} {
			for one := range strings.SplitSeq(list, ",") {
				at, err := url.Parse(one)
				if err != nil {
					t.Fatal(err)
				}
				if target, ok := p.Services[at.Hostname()]; one != "" && (!ok || !slices.Contains(listening(target), at.Port())) {
					t.Errorf("nothing listens at %s", one)
				}
			}
		}
	})
}

// placeholder is a variable in callbridge.yaml.
var placeholder = regexp.MustCompile(`\$\{([A-Z_]+)\}`)

func TestComposeSetsVariablesThatExist(t *testing.T) {
	t.Parallel()
	var secrets []string
	for _, m := range placeholder.FindAllStringSubmatch(read(t, "callbridge.yaml"), -1) {
		secrets = append(secrets, m[1])
	}
	known := slices.Concat(settings(t), secrets)
	eachService(t, func(t *testing.T, p *types.Project, s types.ServiceConfig) {
		if s.Image != "callbridge:local" || s.Name == "simulator" {
			return
		}
		for name := range s.Environment {
			if !slices.Contains(known, name) {
				t.Errorf("%s is not a variable of callbridge or callbridge.yaml", name)
			}
		}
		for _, name := range secrets {
			if value(s, name) == "" {
				t.Errorf("callbridge.yaml needs %s", name)
			}
		}
		if got, want := value(s, "NATS_REPLICAS"), servers(p); want > 1 && got != itoa(want) {
			t.Errorf("NATS_REPLICAS %q with %d servers", got, want)
		}
	})
}

func servers(p *types.Project) uint32 {
	var n uint32
	for s := range maps.Values(p.Services) {
		if strings.HasPrefix(s.Image, "nats:") {
			n++
		}
	}
	return n
}

// withoutDigest returns the name and the tag of an image, without its digest.
func withoutDigest(image string) string {
	name, _, _ := strings.Cut(image, "@")
	return name
}

// TestComposeUsesTheTestedNATSVersion: the tests run the server of go.mod.
func TestComposeUsesTheTestedNATSVersion(t *testing.T) {
	t.Parallel()
	want := "nats:" + server.VERSION + "-alpine"
	eachService(t, func(t *testing.T, _ *types.Project, s types.ServiceConfig) {
		if strings.HasPrefix(s.Image, "nats:") && withoutDigest(s.Image) != want {
			t.Errorf("image %s, want %s", s.Image, want)
		}
	})
}

func TestComposeSecretsMatch(t *testing.T) {
	t.Parallel()
	p := compose(t, "compose.yaml")
	bridge, simulator, nats := p.Services["bridge"], p.Services["simulator"], p.Services["nats"]
	if token := value(bridge, "CALLAB_TOKEN"); simulator.Command[len(simulator.Command)-1] != token {
		t.Errorf("the simulator does not accept %s", token)
	}
	if value(bridge, "NATS_PASSWORD") != value(nats, "BRIDGE_PASSWORD") {
		t.Error("NATS does not accept the bridge's password")
	}
	if value(nats, "ROUTES") == "" || !slices.Contains(environment(t, "demo/nats.env"), "ROUTES="+value(nats, "ROUTES")) {
		t.Errorf("compose changes ROUTES to %s", value(nats, "ROUTES"))
	}
	for _, file := range []string{"demo/bridge.env", "demo/nats.env"} {
		for _, line := range environment(t, file) {
			if name, v, _ := strings.Cut(line, "="); name != "NATS_USER" && !strings.Contains(v, "demo-") {
				t.Errorf("%s: %s does not show that it is a demo value", file, name)
			}
		}
	}
}

const example = "../cmd/callbridge/example/callbridge.yaml"

func itoa(n uint32) string { return strconv.FormatUint(uint64(n), 10) }

// document decodes a YAML file.
func document(t *testing.T, file string) map[string]any {
	t.Helper()
	var d map[string]any
	if err := yaml.Unmarshal([]byte(read(t, file)), &d); err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	return d
}

// TestComposeRunsTheExampleLive: compose runs the same example as the demo, with
// mode live and at any hour, because it uses the simulator.
func TestComposeRunsTheExampleLive(t *testing.T) {
	t.Parallel()
	want := document(t, example)
	for _, route := range want["routes"].([]any) {
		route.(map[string]any)["mode"] = "live"
	}
	policy := want["policy"].(map[string]any)
	want["policy"] = map[string]any{"countries": policy["countries"], "hours": "any"}
	if got := document(t, "callbridge.yaml"); !reflect.DeepEqual(got, want) {
		t.Errorf("callbridge.yaml differs from %s in more than its mode and policy", example)
	}
}

// TestKubernetesHasTheExample: in dry_run, because a cluster uses the real Callab.
func TestKubernetesHasTheExample(t *testing.T) {
	t.Parallel()
	if read(t, "kustomize/base/callbridge.yaml") != read(t, example) {
		t.Errorf("kustomize/base/callbridge.yaml is not %s", example)
	}
}
