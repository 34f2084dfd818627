package config

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"callbridge/mapping/sources"
	"callbridge/signature"
)

// Facts describe a preset, for `callbridge sources` and the pages of docs/sources.
type Facts struct {
	Name string `json:"name"`
	// What names the sending product, in one to three sentences.
	What string `json:"what"`
	// Verified is how deliveries are verified.
	Verified string `json:"verified"`
	// Handshakes are the kinds of handshakes that are answered.
	Handshakes []string `json:"handshakes,omitempty"`
	// Split is the path to the events of a batch; empty if a delivery is one
	// event.
	Split string `json:"split,omitempty"`
	// Identity are the values of key:; the first one present counts.
	Identity []string `json:"identity"`
	Type     []string `json:"type,omitempty"`
	Time     []string `json:"time,omitempty"`
	// Phone says whether the webhook has the phone number.
	Phone string `json:"phone"`
	// Lookups are the hosts of the lookups.
	Lookups []string `json:"lookups,omitempty"`
	// Retries is how long the CRM retries a delivery.
	Retries string `json:"retries"`
	// DoNotCall says how the CRM tells that a person must not be called.
	DoNotCall string `json:"do_not_call"`
	// Contract is the CRM's own page.
	Contract string `json:"contract,omitempty"`
	// SetUp are the steps for the CRM's administrator.
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

// FactsOf reads the keys of a preset and the comment at its head. The error is a
// fault of the preset.
func FactsOf(p sources.Preset) (Facts, error) {
	r := NewReader(Options{})
	top, _ := r.Document("preset "+p.Name, []byte(p.YAML), "the keys of a source")
	if err := r.Err(); err != nil {
		return Facts{}, fmt.Errorf("read preset %s: %w", p.Name, err)
	}
	f := Facts{Name: p.Name, Split: top.child("split").Raw()}
	f.readHead(p.YAML)
	var err error
	if f.Verified, err = proofs(top.child("verify")); err != nil {
		return Facts{}, fmt.Errorf("read preset %s: %w", p.Name, err)
	}
	for _, c := range top.child("challenge").present() {
		f.Handshakes = append(f.Handshakes, c.child("kind").Raw())
	}
	f.Identity, f.Type, f.Time = alternatives(top.child("key")), alternatives(top.child("type")), alternatives(top.child("time"))
	for _, l := range top.child("lookup").present() {
		_, rest, _ := strings.Cut(l.child("url").Raw(), "://")
		host, _, _ := strings.Cut(rest, "/")
		if !slices.Contains(f.Lookups, host) {
			f.Lookups = append(f.Lookups, host)
		}
	}
	fields, _ := top.child("fields").Object()
	for _, name := range fields.Keys {
		at := fields.Value(name)
		f.Fields = append(f.Fields, FieldFacts{
			Name: name, Type: cmp.Or(at.child("type").Raw(), "string"), Paths: alternatives(at.child("path")),
		})
	}
	return f, nil
}

// present is Items, but nothing for a key that the preset does not have.
func (n Node) present() []Node {
	if n.yaml.Kind == 0 {
		return nil
	}
	return n.Items()
}

// alternatives writes the parts of each alternative with + between.
func alternatives(n Node) []string {
	var all []string
	for _, item := range n.present() {
		var parts []string
		for _, part := range item.present() {
			parts = append(parts, strings.TrimSuffix(part.Raw(), "?"))
		}
		all = append(all, strings.Join(parts, " + "))
	}
	return all
}

// proofs describes verify: in words.
func proofs(n Node) (string, error) {
	var all []string
	for _, item := range n.present() {
		var c signature.Config
		if err := item.yaml.Load(&c); err != nil {
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
		where = "in the URL (?" + c.Query + "=…)"
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
	labelOptOut   = "Do not call: "
	labelRetries  = "Retries: "
	labelContract = "Contract: "
)

// readHead reads the comment at the head of a preset: what it is, how to set it
// up, and a few labelled facts.
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
		case strings.HasPrefix(line, labelOptOut):
			f.DoNotCall = strings.TrimPrefix(line, labelOptOut)
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
