package main

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
)

// suite is a file of golden cases and the configuration that it tests.
type suite struct {
	file   string
	text   []byte
	config *mapping.Config
	cases  []goldenCase
}

// goldenCase is a webhook and what it has to lead to.
type goldenCase struct {
	at       place
	name     string
	source   *mapping.Source
	delivery mapping.Delivery
	// lookup is what the CRM answers if it is asked about the event; nil if
	// the case does not say.
	lookup     []byte
	lookupType string
	// timed says that the case names the moment the webhook comes in.
	timed bool
	// expect is nil for a case that expects nothing yet.
	expect []expectation
}

// Keys of the file.
var (
	caseKeys   = []string{"name", "source", "payload", "content_type", "headers", "lookup", "received", "expect"}
	expectKeys = []string{"route", "outcome", "reason", "field", "call"}
)

// reasons are those that a mapping gives, by outcome.
var reasons = map[string][]event.Reason{
	requested: {},
	string(event.Skipped): {
		event.ReasonNoRoute, event.ReasonDryRun, event.ReasonNotAllowed, event.ReasonTooOld,
	},
	string(event.Rejected): {
		event.ReasonMissingField, event.ReasonBadField, event.ReasonBadPhone, event.ReasonRuleFailed,
		event.ReasonBadCall, event.ReasonBadEvent,
	},
}

// requested is the outcome of a mapping that a call is asked for.
const requested = "requested"

// readSuite reads a file of cases. The error is mapping.Problems.
func readSuite(file string, text []byte, config *mapping.Config) (*suite, error) {
	s := &suite{file: file, text: text, config: config}
	p := &page{file: file}
	top, ok := p.parse(text)
	if !ok {
		return nil, p.problems
	}
	cases, ok := top.known("cases")["cases"]
	if !ok {
		top.problem(`"cases" is missing`, "it is a list of cases, each with name, source and payload")
		return nil, p.problems
	}
	names := map[string]bool{}
	for _, at := range cases.items() {
		c := s.readCase(at)
		if names[c.name] {
			at.problem(fmt.Sprintf("there is a case %q already", c.name), "")
		}
		names[c.name] = true
		s.cases = append(s.cases, c)
	}
	if len(p.problems) > 0 {
		return nil, p.problems
	}
	return s, nil
}

func (s *suite) readCase(at place) goldenCase {
	keys := at.known(caseKeys...)
	for _, key := range []string{"name", "source", "payload"} {
		if !keys[key].there() {
			at.problem(fmt.Sprintf("%q is missing", key), "")
		}
	}
	c := goldenCase{at: at, name: keys["name"].text()}
	source := keys["source"]
	var known bool
	if c.source, known = s.config.Source(source.text()); !known && source.there() {
		source.problem(fmt.Sprintf("no source %q", source.text()), "there are "+sourceNames(s.config))
	}
	c.delivery = mapping.Delivery{
		Method: http.MethodPost, URL: &url.URL{Path: "/webhooks/" + source.text()}, Header: http.Header{}, Received: time.Now(),
	}
	var contentType string
	c.delivery.Body, contentType = keys["payload"].content("payload", filepath.Dir(s.file))
	c.lookup, c.lookupType = keys["lookup"].content("lookup", filepath.Dir(s.file))
	if contentType = cmp.Or(keys["content_type"].text(), contentType); contentType != "" {
		c.delivery.Header.Set("Content-Type", contentType)
	}
	c.readHeaders(keys["headers"])
	if received := keys["received"]; received.there() {
		moment, err := time.Parse(time.RFC3339, received.text())
		if err != nil {
			received.problem("this is no time", "for example 2026-11-23T09:30:00Z")
		}
		c.delivery.Received, c.timed = moment, true
	}
	if expect := keys["expect"]; expect.there() {
		c.expect = []expectation{}
		for _, item := range expect.items() {
			c.expect = append(c.expect, readExpectation(item))
		}
	}
	return c
}

// content takes the name of a file, a text written with |, or YAML that becomes
// JSON.
func (p place) content(what, folder string) (body []byte, contentType string) {
	switch {
	case !p.there():
		return nil, ""
	case p.node.Kind != yaml.ScalarNode:
		body, err := json.Marshal(p.tree())
		if err != nil {
			p.problem("this is no JSON: "+err.Error(), "")
		}
		return body, "application/json"
	case p.node.Style&(yaml.LiteralStyle|yaml.FoldedStyle) != 0:
		return []byte(strings.TrimSuffix(p.text(), "\n")), ""
	}
	body, err := os.ReadFile(filepath.Join(folder, p.text()))
	if err != nil {
		p.problem("read "+what+": "+err.Error(), "a file beside this one; a body itself is written with |")
	}
	return body, contentTypes[filepath.Ext(p.text())]
}

func (c *goldenCase) readHeaders(at place) {
	if !at.there() {
		return
	}
	for _, m := range at.members() {
		if m.value.node.Kind != yaml.SequenceNode {
			c.delivery.Header.Set(m.name, m.value.text())
			continue
		}
		for _, item := range m.value.items() {
			c.delivery.Header.Add(m.name, item.text())
		}
	}
}

func readExpectation(at place) expectation {
	keys := at.known(expectKeys...)
	e := expectation{Route: keys["route"].text(), Field: keys["field"].text()}
	if !keys["outcome"].there() {
		at.problem(`"outcome" is missing`, "write requested, skipped or rejected")
		return e
	}
	e.Outcome = keys["outcome"].oneOf(requested, string(event.Skipped), string(event.Rejected))
	var allowed []string
	for _, reason := range reasons[e.Outcome] {
		allowed = append(allowed, string(reason))
	}
	switch reason := keys["reason"]; {
	case reason.there() && e.Outcome == requested:
		reason.problem("a call that is requested has no reason", "")
	case allowed != nil:
		e.Reason = reason.oneOf(allowed...)
	}
	if call := keys["call"]; call.there() {
		if _, ok := call.tree().(map[string]any); !ok {
			call.problem("this is no mapping (key: value)", "")
		}
		e.call = call.node
	}
	return e
}

// run maps the webhook. Without a time of its own an event comes in at the
// moment that the CRM says it happened, so that a case says the same tomorrow.
func (c goldenCase) run(config *mapping.Config) ([]expectation, error) {
	events, err := c.source.Read(c.delivery)
	if err != nil {
		return nil, fmt.Errorf("the webhook cannot be read: %w", err)
	}
	var got []expectation
	for _, in := range events {
		if !c.timed && !in.Event.Time.IsZero() {
			in.Event.Received = in.Event.Time
		}
		if in, err = c.answered(config, in); err != nil {
			return nil, err
		}
		for _, decision := range config.Map(in) {
			e, err := expectationOf(decision)
			if err != nil {
				return nil, err
			}
			got = append(got, e)
		}
	}
	return got, nil
}

// answered gives an event about which its CRM would be asked the answer of the
// case.
func (c goldenCase) answered(config *mapping.Config, in mapping.Incoming) (mapping.Incoming, error) {
	if _, needed := config.Lookup(in); !needed {
		return in, nil
	}
	if c.lookup == nil {
		return in, errors.New("its CRM would be asked about this event: give the answer as lookup, a file or the body itself")
	}
	in, err := in.WithLookup(c.lookup, c.lookupType)
	if err != nil {
		return in, fmt.Errorf("the answer of the CRM cannot be read: %w", err)
	}
	return in, nil
}
