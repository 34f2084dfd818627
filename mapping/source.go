package mapping

import (
	"slices"
	"strconv"
	"time"

	"cel.dev/cel-go/cel"

	"callbridge/mapping/payload"
	"callbridge/signature"
)

// Source is one CRM that may send webhooks: how it proves itself, and what its
// events hold. It is safe for concurrent use.
type Source struct {
	name     string
	at       node
	verifier *signature.Verifier

	form      payload.Form
	split     *payload.Path
	kept      []kept
	hidden    [][]string
	maxEvents int

	challenges []challenge
	answer     Answer

	key, kind, moment expression
	// version grows with every change of a record.
	version expression
	// inquiries are the look-ups, in the order of the file.
	inquiries   []*inquiry
	timeFormats []string
	maxAge      time.Duration
	nullWords   []string

	fields map[string]*field
	// order is the names of the fields as they stand in the file.
	order []string
	// index numbers all names that rules and calls may use.
	index map[string]int
	env   *cel.Env
}

// defaultMaxEvents is far above what CRMs put into one delivery (HubSpot 100).
const defaultMaxEvents = 1000

var bodyForms = []string{string(payload.JSON), string(payload.URLEncoded), string(payload.XML), string(formCloudEvents)}

// Name is the last part of /webhooks/<source>.
func (s *Source) Name() string { return s.name }

// Unverified returns why the source accepts webhooks from anybody, and "" if
// it does not.
func (s *Source) Unverified() string {
	if s.verifier == nil {
		return ""
	}
	return s.verifier.Unverified()
}

func (l *loader) source(name string, at node) *Source {
	s := &Source{name: name, at: at, maxEvents: defaultMaxEvents, fields: map[string]*field{}}
	own, ok := at.known(sourceKeys)
	if !ok {
		return s
	}
	keys, layers := own, []node(nil)
	if n, ok := own.get("preset"); ok {
		if preset, ok := l.preset(n); ok {
			keys = preset.overlay(own)
			if n, ok := preset.get("fields"); ok {
				layers = append(layers, n)
			}
		}
	}
	if n, ok := own.get("fields"); ok {
		layers = append(layers, n)
	}
	s.verifier = l.verifier(keys)
	s.readBody(keys)
	l.readAnswers(s, keys)
	s.readIdentity(keys)
	s.declare(readFields(layers...))
	env, err := newEnvironment(s)
	if err != nil {
		at.problem("declare fields: "+err.Error(), "")
	}
	s.env = env
	l.inquiries(s, keys)
	return s
}

func (s *Source) readBody(keys object) {
	if n, ok := keys.get("body"); ok {
		s.form = payload.Form(oneOf(n, bodyForms))
	}
	if n, ok := keys.get("split"); ok {
		if path, ok := readPath(n, plainText(n)); ok {
			s.split = &path
		}
	}
	if n, ok := keys.get("keep"); ok {
		if s.kept = readKept(n); s.split == nil {
			n.problem(`needs "split"`, "an event that is the whole delivery has all of it")
		}
	}
	if n, ok := keys.get("hide"); ok {
		s.hidden = readHidden(n)
	}
	if n, ok := keys.get("max_events"); ok {
		most, err := strconv.Atoi(plainText(n))
		if err != nil || most < 1 {
			n.problem("must be a number above 0", "")
		}
		s.maxEvents = most
	}
	if n, ok := keys.get("null_words"); ok {
		for _, word := range plainTexts(n) {
			s.nullWords = append(s.nullWords, normal(word))
		}
	}
}

func (s *Source) readIdentity(keys object) {
	if n, ok := keys.get("key"); ok {
		s.key = readExpression(n)
		if s.key.constant() {
			n.problem("text: is the same for every event, so only the first would be called", "name something that differs")
		}
		s.key.refuseLookups(n, "the key")
	} else {
		keys.at.problem(`"key" is missing`, "say what makes an event that event, for example [body:id, sha256:body]")
	}
	if n, ok := keys.get("type"); ok {
		s.kind = readExpression(n)
	}
	if n, ok := keys.get("time"); ok {
		s.moment = readExpression(n)
	}
	if n, ok := keys.get("time_format"); ok {
		s.timeFormats = readTimeFormats(n)
	}
	if n, ok := keys.get("version"); ok {
		s.version = readExpression(n)
		s.version.refuseLookups(n, "the version")
	}
	n, ok := keys.get("max_age")
	if !ok {
		return
	}
	age, err := time.ParseDuration(plainText(n))
	if err != nil || age <= 0 {
		n.problem("must be a duration", "for example 24h or 15m")
	}
	if s.moment == nil {
		n.problem(`needs "time"`, "say where the CRM writes when it happened")
	}
	s.maxAge = age
}

func (s *Source) declare(fields []*field) {
	for _, f := range fields {
		s.fields[f.name] = f
		s.order = append(s.order, f.name)
	}
	s.index = map[string]int{}
	for i, name := range s.names() {
		s.index[name] = i
	}
}

// names are all names that rules and calls may use.
func (s *Source) names() []string { return append(slices.Clone(builtinNames), s.order...) }

func (s *Source) declares(name string) bool {
	_, ok := s.index[name]
	return ok
}

// optional reports whether a rule may do without the name.
func (s *Source) optional(name string) bool {
	f, ok := s.fields[name]
	return ok && f.optional
}

// kindOf is the type of a name.
func (s *Source) kindOf(name string) string {
	if f, ok := s.fields[name]; ok {
		return f.kind
	}
	if name == nameTime {
		return typeTime
	}
	return typeString
}
