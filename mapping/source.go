package mapping

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"callbridge/mapping/config"
	"callbridge/mapping/field"
	"callbridge/mapping/lookups"
	"callbridge/mapping/payload"
	"callbridge/mapping/permit"
	"callbridge/mapping/rule"
	"callbridge/signature"
)

// Source is one CRM that may send webhooks: how its deliveries are verified, and
// where its events have their values. It is safe for concurrent use.
type Source struct {
	name     string
	at       config.Node
	verifier *signature.Verifier
	covered  signature.Coverage

	format    payload.Format
	envelope  envelope
	nullWords []string

	handshakes []Handshake
	ignored    []ignored
	answer     Answer

	key, version field.Expression
	// keyIsOutside says that the key may be read from a header or the query.
	keyIsOutside bool
	timeFormats  []string
	defaults     field.Defaults
	maxAge       time.Duration

	names   *field.Set
	person  permit.Person
	rules   *rule.Environment
	lookups lookups.Lookups
}

// Answer is the HTTP answer that a CRM expects after a success.
type Answer struct {
	// Status is one of 200 to 299.
	Status int
	// ContentType and Body are empty for callbridge's own JSON.
	ContentType string
	Body        string
}

// Name is the last part of /webhooks/<source>.
func (s *Source) Name() string { return s.name }

// Unverified returns why the source accepts webhooks of any sender, or "".
func (s *Source) Unverified() string {
	if s.verifier == nil {
		return ""
	}
	return s.verifier.Unverified()
}

// Asks reports whether events of the source may need a lookup in its CRM.
func (s *Source) Asks() bool { return s.lookups.Exist() }

// Answer returns the answer to a delivery whose events are all stored: 202 and
// callbridge's JSON, unless the source has another one.
func (s *Source) Answer() Answer {
	if s.answer.Status == 0 {
		return Answer{Status: http.StatusAccepted}
	}
	return s.answer
}

func (l *loader) loadSource(name string, at config.Node) *Source {
	s := &Source{name: name, at: at, names: field.NewSet(nil, nil, nil)}
	own, ok := at.Known(config.SourceKeys)
	if !ok {
		return s
	}
	keys, fields := own, []config.Node(nil)
	if n, ok := own.Get("preset"); ok {
		if preset, ok := l.reader.Preset(n); ok {
			keys = preset.Overlay(own)
			if n, ok := preset.Get("fields"); ok {
				fields = append(fields, n)
			}
		}
	}
	if n, ok := own.Get("fields"); ok {
		fields = append(fields, n)
	}
	verification := l.reader.Verification(keys, l.publicURL)
	s.verifier, s.covered = verification.Verifier, verification.Coverage
	s.readBody(keys)
	l.readHandshakes(s, keys)
	if n, ok := keys.Get("answer"); ok {
		s.answer = readAnswer(n)
	}
	typ, moment := s.readIdentity(keys)
	s.readDefaults(keys)
	s.names = field.NewSet(typ, moment, field.ReadFields(&s.defaults, fields...))
	s.person = permit.ReadPerson(keys, s.names)
	s.names.Timezone = s.person.Timezone()
	var err error
	if s.rules, err = rule.NewEnvironment(s.names.Names(), s.names.TypeOf); err != nil {
		at.Problem(err.Error(), "")
	}
	s.refuseCredentials(at)
	if n, ok := own.Get("key"); ok {
		s.warnPersonKey(n)
	}
	s.lookups = lookups.Read(keys, lookups.Source{Name: name, Names: s.names, Rules: s.rules, Version: s.version})
	return s
}

func (s *Source) readBody(keys config.Object) {
	s.format = payload.Format(keys.OneOf("body"))
	s.envelope = readEnvelope(keys)
	for _, p := range s.covered.Credentials {
		if p.Body != "" {
			s.envelope.credentials = append(s.envelope.credentials, strings.Split(p.Body, "."))
		}
	}
	if n, ok := keys.Get("null_words"); ok {
		for _, word := range n.PlainTexts() {
			s.nullWords = append(s.nullWords, field.NormalWord(word))
		}
	}
}

// readDefaults reads what holds for all fields.
func (s *Source) readDefaults(keys config.Object) {
	s.defaults.Words = field.ReadWords(keys)
	if n, ok := keys.Get("zone"); ok {
		s.defaults.Zone = field.ReadZone(n)
	}
	if n, ok := keys.Get("text"); ok {
		text, _ := n.Known(config.TextKeys)
		s.defaults.KeepMarkup = text.OneOf("html") == "keep"
		s.defaults.KeepPlaceholders = text.OneOf("placeholders") == "keep"
	}
	if n, ok := keys.Get("tables"); ok {
		s.defaults.Tables = map[string]map[string]string{}
		tables, _ := n.Object()
		for _, name := range tables.Keys {
			rows, _ := tables.Value(name).Object()
			table := map[string]string{}
			for _, id := range rows.Keys {
				table[id] = rows.Value(id).PlainText()
			}
			s.defaults.Tables[name] = table
		}
	}
}

// readIdentity reads what identifies an event. It returns where its type and time
// are.
func (s *Source) readIdentity(keys config.Object) (typ, moment field.Expression) {
	if n, ok := keys.Get("key"); ok {
		s.key = field.ReadExpression(n)
		if s.key.IsConstant() {
			n.Problem("text: is the same for every event, so only the first would be called", "name something that differs")
		}
		s.key.RefuseLookup(n, "the key")
		s.keyIsOutside = slices.ContainsFunc(s.key.Places(), isOutside)
	} else {
		keys.At.Problem(`"key" is missing`, "say what identifies an event, for example [body:id, sha256:body]")
	}
	if n, ok := keys.Get("type"); ok {
		typ = field.ReadExpression(n)
	}
	if n, ok := keys.Get("time"); ok {
		moment = field.ReadExpression(n)
	}
	if n, ok := keys.Get("time_format"); ok {
		s.timeFormats = field.ReadTimeFormats(n)
	}
	if n, ok := keys.Get("version"); ok {
		s.version = field.ReadExpression(n)
		s.version.RefuseLookup(n, "the version")
	}
	if n, ok := keys.Get("max_age"); ok {
		s.maxAge = n.Duration(0, "for example 24h or 15m")
		if moment == nil {
			n.Problem(`needs "time"`, "say where the CRM writes when it happened")
		}
	}
	return typ, moment
}

func readAnswer(n config.Node) Answer {
	a := Answer{Status: http.StatusOK}
	keys, ok := n.Known(config.AnswerKeys)
	if !ok {
		return a
	}
	if n, ok := keys.Get("status"); ok {
		var err error
		if a.Status, err = strconv.Atoi(n.PlainText()); err != nil || a.Status < 200 || a.Status > 299 {
			n.Problem("must be 200 to 299", "a refusal has its own status")
		}
	}
	contentType, hasType := keys.Get("content_type")
	body, hasBody := keys.Get("body")
	if hasType != hasBody {
		n.Problem("content_type and body go together", "")
	}
	if hasType && hasBody {
		a.ContentType, a.Body = contentType.PlainText(), body.PlainText()
	}
	return a
}
