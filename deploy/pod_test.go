package deploy_test

import (
	"slices"
	"strings"
	"testing"

	"sigs.k8s.io/kustomize/kyaml/yaml"
)

// pod is the part of a workload that these tests read.
type pod struct {
	AutomountServiceAccountToken  *bool `yaml:"automountServiceAccountToken"`
	TerminationGracePeriodSeconds int   `yaml:"terminationGracePeriodSeconds"`
	SecurityContext               struct {
		RunAsNonRoot   bool              `yaml:"runAsNonRoot"`
		RunAsUser      int               `yaml:"runAsUser"`
		SeccompProfile map[string]string `yaml:"seccompProfile"`
	} `yaml:"securityContext"`
	TopologySpreadConstraints []struct {
		TopologyKey string `yaml:"topologyKey"`
	} `yaml:"topologySpreadConstraints"`
	Containers []container
}

type container struct {
	Env []struct {
		Name, Value string
		ValueFrom   struct {
			SecretKeyRef *struct{ Name, Key string } `yaml:"secretKeyRef"`
		} `yaml:"valueFrom"`
	}
	StartupProbe    probe `yaml:"startupProbe"`
	LivenessProbe   probe `yaml:"livenessProbe"`
	ReadinessProbe  probe `yaml:"readinessProbe"`
	Resources       struct{ Requests, Limits map[string]string }
	SecurityContext struct {
		ReadOnlyRootFilesystem   bool  `yaml:"readOnlyRootFilesystem"`
		AllowPrivilegeEscalation *bool `yaml:"allowPrivilegeEscalation"`
		Capabilities             struct{ Drop []string }
	} `yaml:"securityContext"`
	VolumeMounts []mount `yaml:"volumeMounts"`
}

type mount struct {
	Path string `yaml:"mountPath"`
}

type probe struct {
	HTTPGet struct{ Path, Port string } `yaml:"httpGet"`
}

// eachPod calls check for the pod of both overlays.
func eachPod(t *testing.T, check func(*testing.T, pod, container)) {
	t.Helper()
	for overlay, kind := range map[string]string{"embedded": "StatefulSet", "cluster": "Deployment"} {
		spec, err := one(t, rendered(t, overlay), kind).Pipe(yaml.Lookup("spec", "template", "spec"))
		if err != nil {
			t.Fatal(err)
		}
		var p pod
		if err := yaml.Unmarshal([]byte(spec.MustString()), &p); err != nil {
			t.Fatal(err)
		}
		if len(p.Containers) != 1 {
			t.Fatalf("%s has %d containers", overlay, len(p.Containers))
		}
		t.Run(overlay, func(t *testing.T) { check(t, p, p.Containers[0]) })
	}
}

func TestPodsHaveNoMoreRightsThanTheyNeed(t *testing.T) {
	t.Parallel()
	eachPod(t, func(t *testing.T, p pod, c container) {
		if !p.SecurityContext.RunAsNonRoot || p.SecurityContext.RunAsUser != 65532 || p.SecurityContext.SeccompProfile["type"] != "RuntimeDefault" {
			t.Errorf("security context %+v", p.SecurityContext)
		}
		if !c.SecurityContext.ReadOnlyRootFilesystem || !slices.Equal(c.SecurityContext.Capabilities.Drop, []string{"ALL"}) {
			t.Errorf("security context %+v", c.SecurityContext)
		}
		if escalation := c.SecurityContext.AllowPrivilegeEscalation; escalation == nil || *escalation {
			t.Error("it may gain privileges")
		}
		if mount := p.AutomountServiceAccountToken; mount == nil || *mount {
			t.Error("it has a token of Kubernetes, and no use for it")
		}
		if c.Resources.Requests["memory"] == "" || c.Resources.Requests["cpu"] == "" || c.Resources.Limits["memory"] == "" {
			t.Errorf("resources %+v", c.Resources)
		}
	})
}

func TestPodsAreAskedHowTheyAre(t *testing.T) {
	t.Parallel()
	eachPod(t, func(t *testing.T, p pod, c container) {
		for want, got := range map[string][]probe{"/livez": {c.StartupProbe, c.LivenessProbe}, "/readyz": {c.ReadinessProbe}} {
			for _, g := range got {
				if g.HTTPGet.Path != want || g.HTTPGet.Port != "http" {
					t.Errorf("asked for %+v, want %s", g.HTTPGet, want)
				}
			}
		}
		if p.TerminationGracePeriodSeconds < 45 {
			t.Errorf("killed after %d s: a running call may not be written down", p.TerminationGracePeriodSeconds)
		}
	})
}

func TestPodsAreSetUpByVariablesThatExist(t *testing.T) {
	t.Parallel()
	known := settings(t)
	eachPod(t, func(t *testing.T, p pod, c container) {
		for _, e := range c.Env {
			if !slices.Contains(known, e.Name) {
				t.Errorf("%s is no variable of callbridge", e.Name)
			}
			secret := strings.Contains(e.Name, "PASSWORD") || strings.HasSuffix(e.Name, "TOKEN")
			if secret && (e.Value != "" || e.ValueFrom.SecretKeyRef == nil) {
				t.Errorf("%s has its value here, not in a secret", e.Name)
			}
			// A file is where something is mounted.
			mounted := slices.ContainsFunc(c.VolumeMounts, func(m mount) bool { return strings.HasPrefix(e.Value, m.Path) })
			if strings.HasPrefix(e.Value, "/") && !mounted {
				t.Errorf("%s = %s, and nothing is mounted there", e.Name, e.Value)
			}
		}
	})
}
