package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"go.yaml.in/yaml/v4"
)

// docs is the folder of the contracts, and the address under which they refer
// to each other.
const (
	docs    = "../../docs/"
	address = "https://callbridge.dev/docs/"
)

// contract is the published description of what crosses HTTP and NATS.
type contract struct {
	documents map[string]any
	compiler  *jsonschema.Compiler
}

func newContract(t *testing.T) contract {
	t.Helper()
	c := contract{map[string]any{}, jsonschema.NewCompiler()}
	c.compiler.DefaultDraft(jsonschema.Draft2020)
	c.compiler.AssertFormat()
	schemas, err := filepath.Glob(docs + "schema/*.json")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range append(schemas, docs+"openapi.yaml", docs+"asyncapi.yaml") {
		name := strings.TrimPrefix(filepath.ToSlash(file), docs)
		c.documents[name] = decoded(t, file)
		if err := c.compiler.AddResource(address+name, closed(decoded(t, file))); err != nil {
			t.Fatal(err)
		}
	}
	return c
}

// decoded is a YAML or JSON file as JSON has it.
func decoded(t *testing.T, file string) any {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var document any
	if err := yaml.Unmarshal(text, &document); err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	if text, err = json.Marshal(document); err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	if document, err = jsonschema.UnmarshalJSON(bytes.NewReader(text)); err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	return document
}

// closed forbids what the contract does not tell. Readers have to live with new
// fields; we have to write them down.
func closed(node any) any {
	switch n := node.(type) {
	case map[string]any:
		_, object := n["properties"].(map[string]any)
		if _, open := n["additionalProperties"]; object && !open {
			n["additionalProperties"] = false
		}
		for _, below := range n {
			closed(below)
		}
	case []any:
		for _, below := range n {
			closed(below)
		}
	}
	return node
}

// find is what stands at a place such as openapi.yaml#/paths, and where that
// really is: references are followed. nil if nothing is there.
func (c contract) find(t *testing.T, place string) (string, any) {
	t.Helper()
	file, pointer, _ := strings.Cut(place, "#")
	node, known := c.documents[file]
	if !known {
		t.Fatalf("there is no %s", file)
	}
	for _, name := range strings.Split(pointer, "/")[1:] {
		object, _ := node.(map[string]any)
		node = object[strings.NewReplacer("~1", "/", "~0", "~").Replace(name)]
	}
	if object, ok := node.(map[string]any); ok {
		if ref, ok := object["$ref"].(string); ok {
			return c.find(t, resolve(place, ref))
		}
	}
	return place, node
}

func (c contract) at(t *testing.T, place string) any {
	t.Helper()
	_, node := c.find(t, place)
	return node
}

// resolve is the place that a $ref leads to.
func resolve(from, ref string) string {
	file, _, _ := strings.Cut(from, "#")
	other, pointer, _ := strings.Cut(ref, "#")
	if other != "" {
		file = path.Join(path.Dir(file), other)
	}
	return file + "#" + pointer
}

// response is the place of an answer.
func (c contract) response(t *testing.T, method, path string, code int) string {
	t.Helper()
	place := "openapi.yaml#/paths/" + strings.ReplaceAll(path, "/", "~1") + "/" + method + "/responses/" + strconv.Itoa(code)
	place, node := c.find(t, place)
	if node == nil {
		t.Fatalf("%s %s is never answered %d", method, path, code)
	}
	return place
}

// holds validates a message against the schema at a place.
func (c contract) holds(t *testing.T, title, place string, message []byte) {
	t.Helper()
	schema, err := c.compiler.Compile(address + place)
	if err != nil {
		t.Fatal(err)
	}
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(message))
	if err != nil {
		t.Errorf("%s: %v: %s", title, err, message)
		return
	}
	if err := schema.Validate(value); err != nil {
		t.Errorf("%s: %v\n%s", title, err, message)
	}
}

// channel is the name of the channel that a subject belongs to.
func (c contract) channel(t *testing.T, subject string) string {
	t.Helper()
	channels := c.at(t, "asyncapi.yaml#/channels").(map[string]any)
	for name := range channels {
		address := c.at(t, "asyncapi.yaml#/channels/"+name+"/address").(string)
		pattern := regexp.MustCompile(`\\\{\w+\\\}`).ReplaceAllString(regexp.QuoteMeta(address), `[^.]+`)
		if regexp.MustCompile("^" + pattern + "$").MatchString(subject) {
			return name
		}
	}
	t.Fatalf("the contract has no channel for %s", subject)
	return ""
}

// payload is the place of the schema of a channel's only message.
func (c contract) payload(t *testing.T, channel string) string {
	t.Helper()
	for name := range c.at(t, "asyncapi.yaml#/channels/"+channel+"/messages").(map[string]any) {
		return "asyncapi.yaml#/components/messages/" + name + "/payload"
	}
	t.Fatalf("channel %s has no message", channel)
	return ""
}

func (c contract) enum(t *testing.T, place string) []string {
	t.Helper()
	words, _ := c.at(t, place+"/enum").([]any)
	var all []string
	for _, w := range words {
		all = append(all, w.(string))
	}
	slices.Sort(all)
	return all
}

// TestContractsReferToWhatIsThere follows every $ref.
func TestContractsReferToWhatIsThere(t *testing.T) {
	t.Parallel()
	c := newContract(t)
	var follow func(file string, node any)
	follow = func(file string, node any) {
		switch n := node.(type) {
		case map[string]any:
			if ref, ok := n["$ref"].(string); ok && c.at(t, resolve(file, ref)) == nil {
				t.Errorf("%s refers to %s", file, ref)
			}
			for _, below := range n {
				follow(file, below)
			}
		case []any:
			for _, below := range n {
				follow(file, below)
			}
		}
	}
	for file, document := range c.documents {
		follow(file, document)
	}
}
