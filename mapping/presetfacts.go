package mapping

import (
	"fmt"
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"

	"callbridge/signature"
)

// Facts are what a preset says about its CRM, for people who choose one.
type Facts struct {
	Name string `json:"name"`
	// What is what sends, in a sentence or three.
	What string `json:"what"`
	// Verified is how a sender proves itself.
	Verified string `json:"verified"`
	// Handshakes are the kinds that are answered.
	Handshakes []string `json:"handshakes,omitempty"`
	// Split is the path to the events of a batch; empty where a delivery is
	// one event.
	Split string `json:"split,omitempty"`
	// Identity is what makes an event that event; of several alternatives
	// the first that is there.
	Identity []string `json:"identity"`
	Type     []string `json:"type,omitempty"`
	Time     []string `json:"time,omitempty"`
	// Phone says whether the number is in the webhook.
	Phone string `json:"phone"`
	// Lookups are the hosts that are asked about events.
	Lookups []string `json:"lookups,omitempty"`
	// Retries is how long the CRM tries.
	Retries string `json:"retries"`
	// Contract is the CRM's own page.
	Contract string `json:"contract,omitempty"`
	// SetUp is for the CRM's administrator.
	SetUp string `json:"set_up"`
	// Fields are the names that rules and calls may use.
	Fields []FieldFacts `json:"fields"`
}

// FieldFacts is one field of a preset.
type FieldFacts struct {
	Name  string   `json:"name"`
	Type  string   `json:"type"`
	Paths []string `json:"paths"`
}

// presetKeys are the parts of a preset that Facts shows.
type presetKeys struct {
	Verify    yaml.Node `yaml:"verify"`
	Challenge yaml.Node `yaml:"challenge"`
	Split     string    `yaml:"split"`
	Key       yaml.Node `yaml:"key"`
	Type      yaml.Node `yaml:"type"`
	Time      yaml.Node `yaml:"time"`
	Lookup    []struct {
		URL string `yaml:"url"`
	} `yaml:"lookup"`
	Fields yaml.Node `yaml:"fields"`
}

// Facts reads the preset's keys and the comment at its head. The error is one
// of the preset, which the tests of this package would have found.
func (p Preset) Facts() (Facts, error) {
	var keys presetKeys
	if err := yaml.Load([]byte(p.YAML), &keys); err != nil {
		return Facts{}, fmt.Errorf("read preset %s: %w", p.Name, err)
	}
	f := Facts{Name: p.Name, Split: keys.Split}
	f.readHead(p.YAML)
	var err error
	if f.Verified, err = proofs(keys.Verify); err != nil {
		return Facts{}, fmt.Errorf("read preset %s: %w", p.Name, err)
	}
	for _, c := range listed(keys.Challenge) {
		f.Handshakes = append(f.Handshakes, member(c, "kind"))
	}
	f.Identity, f.Type, f.Time = alternatives(keys.Key), alternatives(keys.Type), alternatives(keys.Time)
	for _, l := range keys.Lookup {
		_, rest, _ := strings.Cut(l.URL, "://")
		host, _, _ := strings.Cut(rest, "/")
		if !slices.Contains(f.Lookups, host) {
			f.Lookups = append(f.Lookups, host)
		}
	}
	for i := 0; i+1 < len(keys.Fields.Content); i += 2 {
		at := keys.Fields.Content[i+1]
		field := FieldFacts{Name: keys.Fields.Content[i].Value, Type: member(at, "type"), Paths: alternatives(*node{Node: at}.child("path"))}
		if field.Type == "" {
			field.Type = typeString
		}
		f.Fields = append(f.Fields, field)
	}
	return f, nil
}

// child is the value of a key, or a node of nothing.
func (n node) child(key string) *yaml.Node {
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == key {
			return n.Content[i+1]
		}
	}
	return &yaml.Node{}
}

func member(n *yaml.Node, key string) string { return node{Node: n}.child(key).Value }

// listed are the items of a list, or a single value as a list of one.
func listed(n yaml.Node) []*yaml.Node {
	switch n.Kind {
	case 0:
		return nil
	case yaml.SequenceNode:
		return n.Content
	}
	return []*yaml.Node{&n}
}

// alternatives writes the parts of each alternative with + between.
func alternatives(n yaml.Node) []string {
	var all []string
	for _, item := range listed(n) {
		var parts []string
		for _, part := range listed(*item) {
			parts = append(parts, strings.TrimSuffix(part.Value, "?"))
		}
		all = append(all, strings.Join(parts, " + "))
	}
	return all
}

// proofs says in words what verify: asks for.
func proofs(n yaml.Node) (string, error) {
	var all []string
	for _, item := range listed(n) {
		var c signature.Config
		if err := item.Load(&c); err != nil {
			return "", err
		}
		all = append(all, proof(c))
	}
	if all == nil {
		return "as you choose", nil
	}
	return strings.Join(all, ", and "), nil
}

func proof(c signature.Config) string {
	if len(c.AnyOf) > 0 {
		var all []string
		for _, alternative := range c.AnyOf {
			all = append(all, proof(alternative))
		}
		return strings.Join(all, "; or ")
	}
	where := "in the header " + strings.Join(c.Header, " or ")
	switch {
	case c.Query != "":
		where = "behind the URL (?" + c.Query + "=…)"
	case c.BodyPath != "":
		where = "in the body (" + c.BodyPath + ")"
	}
	if c.Timestamp != nil {
		where += fmt.Sprintf(", not older than %g minutes", c.Timestamp.Tolerance.Minutes())
	}
	switch c.Kind {
	case "hmac":
		return "HMAC-" + strings.ToUpper(c.Hash) + " " + where
	case "digest":
		return strings.ToUpper(c.Hash) + " digest " + where
	case "publickey":
		return "signature (" + strings.Join(c.Algorithms, ", ") + ") " + where
	case "basic":
		return "user name and password (HTTP Basic)"
	case "jwt":
		return "JWT " + where
	default:
		return "secret " + where
	}
}

// Labels of the last lines in a preset's head.
const (
	labelPhone    = "Phone: "
	labelRetries  = "Retries: "
	labelContract = "Contract: "
)

// readHead reads the comment with which every preset begins: what it is, how
// to set it up, and a few facts with a label each.
func (f *Facts) readHead(text string) {
	head, _, _ := strings.Cut(text, "\n\n")
	var lines []string
	for line := range strings.Lines(head) {
		lines = append(lines, strings.TrimPrefix(strings.TrimPrefix(strings.TrimRight(line, "\n"), "#"), " "))
	}
	what, rest, _ := strings.Cut(strings.Join(lines, "\n"), "\n\nSet up\n")
	f.What = strings.Join(strings.Fields(strings.TrimPrefix(what, f.Name+": ")), " ")
	var setUp []string
	for line := range strings.SplitSeq(rest, "\n") {
		switch {
		case strings.HasPrefix(line, labelPhone):
			f.Phone = strings.TrimPrefix(line, labelPhone)
		case strings.HasPrefix(line, labelRetries):
			f.Retries = strings.TrimPrefix(line, labelRetries)
		case strings.HasPrefix(line, labelContract):
			f.Contract = strings.TrimPrefix(line, labelContract)
		default:
			setUp = append(setUp, line)
		}
	}
	f.SetUp = strings.TrimRight(strings.Join(setUp, "\n"), "\n") + "\n"
}
