// Package golden runs golden cases of a callbridge.yaml: webhooks with the decisions that
// the mapping is expected to make of them. `callbridge test` prints its verdicts. It imports
// the mapping, and uses neither the bus nor the network.
package golden

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"go.yaml.in/yaml/v4"

	"callbridge/event"
	"callbridge/mapping"
	"callbridge/mapping/config"
)

// Suite is a file of golden cases and the configuration that it tests.
type Suite struct {
	file   string
	text   []byte
	root   *yaml.Node
	config *mapping.Config
	cases  []goldenCase
}

// goldenCase is a webhook and the decisions that are expected.
type goldenCase struct {
	node     config.Node
	name     string
	source   *mapping.Source
	delivery mapping.Delivery
	// answer is the CRM's answer to a lookup about the event; nil if the case has none.
	answer     []byte
	answerType string
	// timed is set when the case says when the webhook is received.
	timed bool
	// expected is nil for a case that expects nothing yet.
	expected []expectation
}

// Verdict is the result of one case.
type Verdict struct {
	File string `json:"file"`
	Line int    `json:"line"`
	Case string `json:"case"`
	OK   bool   `json:"ok"`
	// Updated is set when the file now expects what the mapping decided.
	Updated     bool         `json:"updated,omitempty"`
	Problem     string       `json:"problem,omitempty"`
	Differences []Difference `json:"differences,omitempty"`
	// Gates are what the policy says about each call of the webhook.
	Gates []mapping.Judgement `json:"gates,omitempty"`
}

// Keys of the file.
var (
	fileKeys   = keyTable("cases")
	caseKeys   = keyTable("name", "source", "payload", "content_type", "headers", "lookup", "received", "expect")
	expectKeys = keyTable("route", "outcome", "reason", "until", "field", "call")
)

// fixed is when a webhook without a time of its own is received, a Wednesday at noon in
// New York: the result does not depend on the day of the test.
var fixed = time.Date(2026, 11, 25, 17, 0, 0, 0, time.UTC)

// contentTypes is the Content-Type of a body by the ending of its file.
var contentTypes = map[string]string{
	".json": "application/json", ".xml": "text/xml", ".form": "application/x-www-form-urlencoded",
}

// ContentType returns the Content-Type of a webhook that is stored in a file, by the file's
// ending; "" if the ending is not known.
func ContentType(file string) string { return contentTypes[filepath.Ext(file)] }

// Parse reads a file of cases. The error is mapping.Problems: all mistakes with their
// positions.
func Parse(file string, text []byte, mapped *mapping.Config) (*Suite, error) {
	r := config.NewReader(config.Options{})
	s := &Suite{file: file, text: text, config: mapped}
	if top, ok := r.Document(file, text, "cases:"); ok {
		s.root = top.Root()
		s.parse(top)
	}
	if err := r.Err(); err != nil {
		return nil, err
	}
	return s, nil
}

func (s *Suite) parse(top config.Node) {
	keys, ok := top.Known(fileKeys)
	if !ok {
		return
	}
	cases, ok := keys.Get("cases")
	if !ok {
		top.Problem(`"cases" is missing`, "it is a list of cases, each with name, source and payload")
		return
	}
	items, _ := cases.List("a list of cases")
	names := map[string]bool{}
	for _, n := range items {
		c := s.parseCase(n)
		if c.name != "" && names[c.name] {
			n.Problem(fmt.Sprintf("there is a case %q already", c.name), "")
		}
		names[c.name] = true
		s.cases = append(s.cases, c)
	}
}

func (s *Suite) parseCase(n config.Node) goldenCase {
	c := goldenCase{node: n}
	keys, ok := n.Known(caseKeys)
	if !ok {
		return c
	}
	for _, key := range []string{"name", "source", "payload"} {
		if _, ok := value(keys, key); !ok {
			n.Problem(fmt.Sprintf("%q is missing", key), "")
		}
	}
	c.name = text(keys, "name")
	name := text(keys, "source")
	var known bool
	if c.source, known = s.config.Source(name); !known {
		if source, ok := value(keys, "source"); ok {
			source.Problem(fmt.Sprintf("no source %q", name), "there are "+sourceNames(s.config))
		}
	}
	c.delivery = mapping.Delivery{
		Method: http.MethodPost, URL: &url.URL{Path: "/webhooks/" + name}, Header: http.Header{}, Received: fixed,
	}
	var contentType string
	c.delivery.Body, contentType = content(keys, "payload", filepath.Dir(s.file))
	c.answer, c.answerType = content(keys, "lookup", filepath.Dir(s.file))
	if contentType = cmp.Or(text(keys, "content_type"), contentType); contentType != "" {
		c.delivery.Header.Set("Content-Type", contentType)
	}
	c.parseHeaders(keys)
	if received, ok := value(keys, "received"); ok {
		instant, err := time.Parse(time.RFC3339, text(keys, "received"))
		if err != nil {
			received.Problem("not an RFC 3339 time", "for example 2026-11-23T09:30:00Z")
		}
		c.delivery.Received, c.timed = instant, true
	}
	if expect, ok := value(keys, "expect"); ok {
		c.expected = []expectation{}
		items, _ := expect.List("a list of decisions")
		for _, item := range items {
			c.expected = append(c.expected, parseExpectation(item))
		}
	}
	return c
}

func sourceNames(c *mapping.Config) string {
	var names []string
	for _, s := range c.Sources() {
		names = append(names, s.Name())
	}
	return strings.Join(names, ", ")
}

// content returns a body: YAML that becomes JSON, a text written with |, or the content of
// the file that a plain text names.
func content(keys config.Object, key, folder string) (body []byte, contentType string) {
	n, ok := value(keys, key)
	switch {
	case !ok:
		return nil, ""
	case n.Kind() == config.Mapping || n.Kind() == config.List:
		checkKeys(n)
		body, err := json.Marshal(tree(n.YAML()))
		if err != nil {
			n.Problem("not JSON: "+err.Error(), "")
		}
		return body, "application/json"
	case n.IsBlock():
		return []byte(strings.TrimSuffix(n.Raw(), "\n")), ""
	}
	body, err := os.ReadFile(filepath.Join(folder, n.Raw()))
	if err != nil {
		n.Problem("read "+key+": "+err.Error(), "write a file name relative to this file, or the body itself after |")
	}
	return body, ContentType(n.Raw())
}

func (c *goldenCase) parseHeaders(keys config.Object) {
	n, ok := value(keys, "headers")
	if !ok {
		return
	}
	headers, _ := n.Object()
	for _, name := range headers.Keys {
		c.delivery.Header.Del(name)
		for _, item := range headers.Value(name).Items() {
			c.delivery.Header.Add(name, textOf(item))
		}
	}
}

// Run maps the webhook of each case and compares the decisions. With update it replaces the
// expectations of the cases that differ, and writes the file.
func (s *Suite) Run(update bool) ([]Verdict, error) {
	verdicts := make([]Verdict, len(s.cases))
	changed := map[int][]expectation{}
	for i, c := range s.cases {
		v := Verdict{File: s.file, Line: c.node.YAML().Line, Case: c.name}
		got, gates, err := c.run(s.config)
		v.Gates = gates
		switch {
		case err != nil:
			v.Problem = err.Error()
		case c.expected == nil:
			v.Problem = "the case has no expectations; --update writes the actual decisions"
		default:
			v.Differences = differences(c.expected, got)
		}
		v.OK = v.Problem == "" && len(v.Differences) == 0
		if update && err == nil && !v.OK {
			changed[i] = got
			v.OK, v.Updated, v.Problem = true, true, ""
		}
		verdicts[i] = v
	}
	if len(changed) == 0 {
		return verdicts, nil
	}
	return verdicts, s.update(changed)
}

// run maps the webhook. If the case does not say when it is received, it is received at the
// event's own time, so that the result does not depend on the day of the test.
func (c goldenCase) run(config *mapping.Config) (got []expectation, gates []mapping.Judgement, err error) {
	events, err := c.source.Read(c.delivery)
	if err != nil {
		return nil, nil, fmt.Errorf("the webhook cannot be read: %w", err)
	}
	for _, in := range events {
		if !c.timed && !in.Event.Time.IsZero() {
			in.Event.Received = in.Event.Time
		}
		if in, err = c.lookUp(config, in); err != nil {
			return nil, nil, err
		}
		for _, decision := range config.Map(in) {
			e, err := expectationOf(decision)
			if err != nil {
				return nil, nil, err
			}
			got = append(got, e)
			if j := decision.Judged(); j != nil {
				gates = append(gates, *j)
			}
		}
	}
	return got, gates, nil
}

// lookUp adds the answer of the case to an event for which the CRM would be asked.
func (c goldenCase) lookUp(config *mapping.Config, in mapping.Incoming) (mapping.Incoming, error) {
	if _, needed := config.Lookup(in); !needed {
		return in, nil
	}
	if c.answer == nil {
		return in, errors.New("this event needs a lookup: give its answer in lookup:, as a file or as the body itself")
	}
	in, err := in.WithLookup(c.answer, c.answerType)
	if err != nil {
		return in, fmt.Errorf("the answer of the CRM cannot be read: %w", err)
	}
	return in, nil
}

// requested is the outcome of a decision to place a call, deferred that of a call that
// waits until it may be placed.
const requested, deferred = "requested", "deferred"

// Reasons are the reasons of a mapping, by outcome.
var Reasons = map[string][]event.Reason{
	requested: {},
	deferred:  {event.ReasonOutsideHours, event.ReasonHoliday},
	string(event.Skipped): {
		event.ReasonNoRoute, event.ReasonDryRun, event.ReasonNotAllowed, event.ReasonNoConsent, event.ReasonDoNotCall, event.ReasonSameEvent, event.ReasonTooOld,
		event.ReasonExpired, event.ReasonNoZone, event.ReasonOutsideHours, event.ReasonHoliday, event.ReasonPolicyDataOld,
	},
	string(event.Rejected): {
		event.ReasonMissingField, event.ReasonBadField, event.ReasonBadPhone, event.ReasonRuleFailed,
		event.ReasonBadCall, event.ReasonBadEvent,
	},
}
