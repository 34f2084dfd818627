package deploy_test

import (
	"fmt"
	"slices"
	"strings"

	"sigs.k8s.io/kustomize/kyaml/openapi"
	"sigs.k8s.io/kustomize/kyaml/yaml"
)

// newer are the fields in use that came after Kubernetes 1.21, with the version
// that has them by default. docs/deploy.md asks for the newest of these.
var newer = map[string]string{
	"spec.template.spec.containers.lifecycle.preStop": "1.30",
}

// problems names what Kubernetes would not know or not take of a manifest.
func problems(m manifest) []string {
	if m.kind == "ServiceMonitor" {
		return monitorProblems(m.node)
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

// compare walks a manifest beside its schema. place is for people, field the
// path without indices.
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

// monitorProblems knows the part of monitoring.coreos.com/v1 that is in use.
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
