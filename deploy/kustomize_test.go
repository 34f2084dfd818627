package deploy_test

import (
	"fmt"
	"net/netip"
	"reflect"
	"slices"
	"strings"
	"testing"

	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/kyaml/filesys"
	"sigs.k8s.io/kustomize/kyaml/openapi"
	"sigs.k8s.io/kustomize/kyaml/yaml"
)

var overlays = []string{"embedded", "cluster"}

// manifest is one rendered object.
type manifest struct {
	kind, name string
	node       *yaml.RNode
}

// rendered returns the output of `kubectl kustomize deploy/kustomize/<overlay>`.
func rendered(t *testing.T, overlay string) []manifest {
	t.Helper()
	objects, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(filesys.MakeFsOnDisk(), "kustomize/"+overlay)
	if err != nil {
		t.Fatal(err)
	}
	var all []manifest
	for _, o := range objects.Resources() {
		all = append(all, manifest{o.GetKind(), o.GetName(), &o.RNode})
	}
	return all
}

// one returns the only object of a kind.
func one(t *testing.T, all []manifest, kind string) *yaml.RNode {
	t.Helper()
	var found []*yaml.RNode
	for _, m := range all {
		if m.kind == kind {
			found = append(found, m.node)
		}
	}
	if len(found) != 1 {
		t.Fatalf("%d objects are a %s", len(found), kind)
	}
	return found[0]
}

// at returns a value as text, and "" if it is missing.
func at(t *testing.T, node *yaml.RNode, path ...string) string {
	t.Helper()
	found, err := node.Pipe(yaml.Lookup(path...))
	if err != nil {
		t.Fatal(err)
	}
	return strings.Trim(strings.TrimSpace(found.MustString()), "{[]}")
}

func TestOverlaysContainTheExpectedKinds(t *testing.T) {
	t.Parallel()
	want := map[string][]string{
		"embedded": {"ConfigMap", "ConfigMap", "NetworkPolicy", "PodDisruptionBudget", "PrometheusRule", "Service", "Service", "ServiceAccount", "ServiceMonitor", "StatefulSet"},
		"cluster":  {"ConfigMap", "ConfigMap", "Deployment", "NetworkPolicy", "PodDisruptionBudget", "PrometheusRule", "Service", "ServiceAccount", "ServiceMonitor"},
	}
	for _, overlay := range overlays {
		var kinds []string
		for _, m := range rendered(t, overlay) {
			kinds = append(kinds, m.kind)
			if m.kind == "Secret" {
				t.Errorf("%s contains the secret %s: only refer to it", overlay, m.name)
			}
		}
		if slices.Sort(kinds); !slices.Equal(kinds, want[overlay]) {
			t.Errorf("%s contains %q, want %q", overlay, kinds, want[overlay])
		}
	}
}

// TestManifestsMatchTheKubernetesSchema compares every field with the OpenAPI
// description of Kubernetes 1.21 in kustomize, and newer fields with a list.
func TestManifestsMatchTheKubernetesSchema(t *testing.T) {
	t.Parallel()
	for _, overlay := range overlays {
		for _, m := range rendered(t, overlay) {
			for _, problem := range problems(m) {
				t.Errorf("%s: %s", overlay, problem)
			}
		}
	}
}

// TestSchemaCheckReportsMistakes: the check above can fail.
func TestSchemaCheckReportsMistakes(t *testing.T) {
	t.Parallel()
	for mistake, want := range map[string]string{
		"spec: {ports: [{prot: 80}]}":               "there is no prot",
		"spec: {ports: [{port: http}]}":             "want [integer]",
		"spec: {ports: [{name: http}]}":             "port is missing",
		"spec: {publishNotReadyAddresses: \"yes\"}": "want [boolean]",
		"spec: {ports: {port: 80}}":                 "want a list",
	} {
		node := yaml.MustParse("apiVersion: v1\nkind: Service\nmetadata: {name: x}\n" + mistake)
		if got := strings.Join(problems(manifest{"Service", "x", node}), "\n"); !strings.Contains(got, want) {
			t.Errorf("%s: %q, want %q", mistake, got, want)
		}
	}
}

// TestSelectorsSelectOnlyCallbridge: an empty one would select every pod of the
// namespace.
func TestSelectorsSelectOnlyCallbridge(t *testing.T) {
	t.Parallel()
	const us = "app.kubernetes.io/name: callbridge"
	for _, overlay := range overlays {
		for _, m := range rendered(t, overlay) {
			path := map[string][]string{
				"Service": {"spec", "selector"}, "NetworkPolicy": {"spec", "podSelector", "matchLabels"},
			}[m.kind]
			if path == nil {
				path = []string{"spec", "selector", "matchLabels"}
			}
			if slices.Contains([]string{"ConfigMap", "PrometheusRule", "ServiceAccount"}, m.kind) {
				continue
			}
			if got := at(t, m.node, path...); got != us {
				t.Errorf("%s: %s %s selects %q", overlay, m.kind, m.name, got)
			}
			if got := at(t, m.node, "metadata", "labels"); got != us {
				t.Errorf("%s: %s %s has the labels %q", overlay, m.kind, m.name, got)
			}
		}
	}
}

func TestEmbeddedNATSHasOneReplica(t *testing.T) {
	t.Parallel()
	all := rendered(t, "embedded")
	set := one(t, all, "StatefulSet")
	if at(t, set, "spec", "replicas") != "1" {
		t.Error("two embedded servers would not share a ledger")
	}
	claim, err := set.Pipe(yaml.Lookup("spec", "volumeClaimTemplates"), yaml.GetElementByIndex(0))
	if err != nil {
		t.Fatal(err)
	}
	if modes := at(t, claim, "spec", "accessModes"); modes != "ReadWriteOnce" {
		t.Errorf("the volume is %s, want ReadWriteOnce", modes)
	}
	if at(t, set, "spec", "updateStrategy", "type") != "RollingUpdate" || at(t, set, "spec", "podManagementPolicy") == "Parallel" {
		t.Error("an update has to stop the old pod before it creates the new one")
	}
}

func TestClusterUpdateKeepsTwoPodsAvailable(t *testing.T) {
	t.Parallel()
	d := one(t, rendered(t, "cluster"), "Deployment")
	if at(t, d, "spec", "strategy", "rollingUpdate", "maxUnavailable") != "0" || at(t, d, "spec", "replicas") != "2" {
		t.Error("an update may stop a pod before another one is ready")
	}
}

// pod is the part of a workload that these tests check.
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
	InitContainers []container `yaml:"initContainers"`
	Containers     []container
}

type container struct {
	Name, Image string
	Args        []string
	EnvFrom     []map[string]map[string]string `yaml:"envFrom"`
	Env         []struct {
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

// TestPodsCheckTheConfigurationFirst: with the image, the file and the variables of
// serve, before the old pod stops.
func TestPodsCheckTheConfigurationFirst(t *testing.T) {
	t.Parallel()
	eachPod(t, func(t *testing.T, p pod, c container) {
		if len(p.InitContainers) != 1 {
			t.Fatalf("%d init containers", len(p.InitContainers))
		}
		check := p.InitContainers[0]
		if !slices.Equal(check.Args, []string{"check", "/etc/callbridge/callbridge.yaml"}) || check.Image != c.Image || !reflect.DeepEqual(check.EnvFrom, c.EnvFrom) {
			t.Errorf("it runs %q of %s with the variables of %v", check.Args, check.Image, check.EnvFrom)
		}
		if !slices.ContainsFunc(check.VolumeMounts, func(m mount) bool { return m.Path == "/etc/callbridge" }) {
			t.Error("it does not see callbridge.yaml")
		}
	})
}

func TestPodsHaveLeastPrivileges(t *testing.T) {
	t.Parallel()
	eachPod(t, func(t *testing.T, p pod, serve container) {
		for _, c := range append(p.InitContainers, serve) {
			leastPrivileges(t, p, c)
		}
	})
}

func leastPrivileges(t *testing.T, p pod, c container) {
	t.Helper()
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
		t.Error("it has a Kubernetes token, which it does not use")
	}
	if c.Resources.Requests["memory"] == "" || c.Resources.Requests["cpu"] == "" || c.Resources.Limits["memory"] == "" {
		t.Errorf("resources %+v", c.Resources)
	}
}

func TestPodsHaveProbes(t *testing.T) {
	t.Parallel()
	eachPod(t, func(t *testing.T, p pod, c container) {
		for want, got := range map[string][]probe{"/livez": {c.StartupProbe, c.LivenessProbe}, "/readyz": {c.ReadinessProbe}} {
			for _, g := range got {
				if g.HTTPGet.Path != want || g.HTTPGet.Port != "http" {
					t.Errorf("probe %+v, want %s", g.HTTPGet, want)
				}
			}
		}
		if p.TerminationGracePeriodSeconds < 45 {
			t.Errorf("killed after %d s: a running call may not be recorded", p.TerminationGracePeriodSeconds)
		}
	})
}

func TestPodsSetKnownVariables(t *testing.T) {
	t.Parallel()
	known := settings(t)
	eachPod(t, func(t *testing.T, p pod, c container) {
		for _, e := range c.Env {
			if !slices.Contains(known, e.Name) {
				t.Errorf("%s is not a variable of callbridge", e.Name)
			}
			secret := strings.Contains(e.Name, "PASSWORD") || strings.HasSuffix(e.Name, "TOKEN")
			if secret && (e.Value != "" || e.ValueFrom.SecretKeyRef == nil) {
				t.Errorf("%s has its value here, not in a secret", e.Name)
			}
			mounted := slices.ContainsFunc(c.VolumeMounts, func(m mount) bool { return strings.HasPrefix(e.Value, m.Path) })
			if strings.HasPrefix(e.Value, "/") && !mounted {
				t.Errorf("%s = %s, and nothing is mounted there", e.Name, e.Value)
			}
		}
	})
}

// newer lists the used fields that are newer than Kubernetes 1.21, with the version
// that has them by default. docs/deploy.md requires the newest of these.
var newer = map[string]string{
	"spec.template.spec.containers.lifecycle.preStop": "1.30",
}

// problems returns what Kubernetes would refuse of a manifest.
func problems(m manifest) []string {
	switch m.kind {
	case "ServiceMonitor":
		return monitorProblems(m.node)
	case "PrometheusRule":
		return nil // its rules are those that promtool tests
	}
	meta, err := m.node.GetMeta()
	if err != nil {
		return []string{err.Error()}
	}
	schema := openapi.SchemaForResourceType(meta.TypeMeta)
	if schema == nil {
		return []string{fmt.Sprintf("%s %s is not known", meta.APIVersion, meta.Kind)}
	}
	return compare(m.kind+" "+m.name, "", m.node.YNode(), schema)
}

// compare compares a manifest with its schema. place is the path for messages,
// field the path without indices.
func compare(place, field string, node *yaml.Node, schema *openapi.ResourceSchema) []string {
	var found []string
	switch node.Kind {
	case yaml.MappingNode:
		if schema.Elements() != nil {
			return []string{place + ": want a list"}
		}
		found = missing(place, node, schema)
		for i := 0; i+1 < len(node.Content); i += 2 {
			name := node.Content[i].Value
			if _, known := newer[join(field, name)]; known {
				continue
			}
			below := schema.Field(name)
			if below == nil {
				found = append(found, place+": there is no "+name)
				continue
			}
			found = append(found, compare(place+"."+name, join(field, name), node.Content[i+1], below)...)
		}
	case yaml.SequenceNode:
		elements := schema.Elements()
		if elements == nil {
			return []string{place + ": want no list"}
		}
		for i, n := range node.Content {
			found = append(found, compare(fmt.Sprintf("%s[%d]", place, i), field, n, elements)...)
		}
	case yaml.ScalarNode:
		if want := schema.Schema.Type; !fits(node, want, schema.Schema.Format) {
			found = append(found, fmt.Sprintf("%s: %q is %s, want %v", place, node.Value, node.ShortTag(), want))
		}
	}
	return found
}

func missing(place string, node *yaml.Node, schema *openapi.ResourceSchema) []string {
	var found []string
	for _, name := range schema.Schema.Required {
		if !slices.ContainsFunc(node.Content, func(n *yaml.Node) bool { return n.Value == name }) {
			found = append(found, place+": "+name+" is missing")
		}
	}
	return found
}

func fits(node *yaml.Node, want []string, format string) bool {
	if len(want) == 0 {
		return true // any, such as a quantity
	}
	switch want[0] {
	case "string":
		return node.ShortTag() == yaml.NodeTagString || format == "int-or-string" && node.ShortTag() == yaml.NodeTagInt
	case "integer":
		return node.ShortTag() == yaml.NodeTagInt
	case "boolean":
		return node.ShortTag() == yaml.NodeTagBool
	}
	return false
}

func join(field, name string) string { return strings.TrimPrefix(field+"."+name, ".") }

// monitorProblems checks the used part of monitoring.coreos.com/v1.
func monitorProblems(node *yaml.RNode) []string {
	var found []string
	known := map[string][]string{
		"spec":             {"selector", "endpoints"},
		"spec.endpoints.0": {"port", "path", "interval"},
	}
	for path, names := range known {
		below, err := node.Pipe(yaml.Lookup(strings.Split(path, ".")...))
		if err != nil || below == nil {
			found = append(found, "ServiceMonitor: "+path+" is missing")
			continue
		}
		fields, err := below.Fields()
		if err != nil {
			found = append(found, err.Error())
		}
		for _, f := range fields {
			if !slices.Contains(names, f) {
				found = append(found, "ServiceMonitor: "+path+" has no "+f)
			}
		}
	}
	return found
}

// TestEgressReachesOnlyTheInternet asks the policy about an address of each range that
// is not the internet (IANA's registries of special-purpose addresses).
func TestEgressReachesOnlyTheInternet(t *testing.T) {
	t.Parallel()
	for _, overlay := range overlays {
		allowed := egress(t, one(t, rendered(t, overlay), "NetworkPolicy"))
		for _, address := range []string{
			"0.0.0.1", "10.0.0.1", "100.64.0.1", "100.127.255.254", "127.0.0.1", "169.254.169.254", "172.16.0.1", "172.31.0.1", "192.0.0.8",
			"192.168.0.1", "198.18.0.1", "198.19.255.1", "224.0.0.1", "239.1.1.1", "240.0.0.1", "255.255.255.255",
			"::", "::1", "::ffff:10.0.0.1", "::10.0.0.1", "64:ff9b::a00:1", "64:ff9b:1::1", "100::1", "2001::1", "2002:a00:1::1",
			"fc00::1", "fd00:ec2::254", "fe80::1", "fec0::1", "ff02::1",
		} {
			if allowed(address) {
				t.Errorf("%s: calls out to %s are allowed", overlay, address)
			}
		}
		for _, address := range []string{"8.8.8.8", "100.63.255.255", "100.128.0.1", "172.32.0.1", "192.0.1.1", "2606:4700::1111", "2a00:1450::1"} {
			if !allowed(address) {
				t.Errorf("%s: calls out to %s are closed", overlay, address)
			}
		}
	}
}

// egress returns whether a policy lets HTTPS out to an address.
func egress(t *testing.T, policy *yaml.RNode) (allowed func(string) bool) {
	t.Helper()
	var p struct {
		Spec struct {
			Egress []struct {
				To []struct {
					IPBlock struct {
						CIDR   string   `yaml:"cidr"`
						Except []string `yaml:"except"`
					} `yaml:"ipBlock"`
				} `yaml:"to"`
			} `yaml:"egress"`
		} `yaml:"spec"`
	}
	if err := yaml.Unmarshal([]byte(policy.MustString()), &p); err != nil {
		t.Fatal(err)
	}
	contains := func(cidr, address string) bool {
		return cidr != "" && netip.MustParsePrefix(cidr).Contains(netip.MustParseAddr(address).WithZone(""))
	}
	return func(address string) bool {
		for _, rule := range p.Spec.Egress {
			for _, to := range rule.To {
				if contains(to.IPBlock.CIDR, address) && !slices.ContainsFunc(to.IPBlock.Except, func(e string) bool { return contains(e, address) }) {
					return true
				}
			}
		}
		return false
	}
}
