package mapping

import (
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"callbridge/mapping/config"
	"callbridge/mapping/field"
	"callbridge/mapping/payload"
	"callbridge/signature"
)

// What a signature does not cover, an attacker who recorded one webhook can change and
// send again. So it never identifies an event, and check warns where a decision
// depends on it. A token covers nothing and everything: see signature.Coverage.

// identity returns the key of an event, and whether it has one. Headers and the
// query count only if the signature covers them. A key of nothing else becomes
// sha256:body: the same signed body again is the same event.
func (s *Source) identity(input *field.Input) (string, bool) {
	if input.KeepPlaceholders {
		// A merge tag that the CRM has not filled in may be a text, never a key: all
		// people would have the same.
		strict := *input
		strict.KeepPlaceholders = false
		input = &strict
	}
	if !s.covered.Signs || !s.keyIsOutside {
		return s.key.Text(input)
	}
	signed := *input
	signed.Header = s.covered.Headers(input.Header)
	if !s.covered.Covers(signature.Part{Query: "*"}) {
		signed.URL = &url.URL{}
	}
	if key, ok := s.key.Text(&signed); ok {
		return key, true
	}
	if _, ok := s.key.Text(input); ok {
		return input.Digest(), true
	}
	return "", false
}

// isOutside reports whether a value may be read from a header or the query.
func isOutside(p field.Place) bool {
	return p.Origin == field.OriginHeader || p.Origin == field.OriginQuery
}

// decodeSigned decodes a body whose Content-Type the signature does not cover, so
// that there is only one way to read it: a body that is UTF-8 is read as UTF-8,
// whatever charset the header names. Otherwise a recorded webhook with another
// charset would have other texts and be another event.
func (s *Source) decodeSigned(contentType string, body []byte) (payload.Value, error) {
	mediaType, params, err := mime.ParseMediaType(contentType)
	if err == nil && params["charset"] != "" {
		if tree, err := payload.Decode(mediaType, s.format, body); err == nil {
			return tree, nil
		}
	}
	return payload.Decode(contentType, s.format, body)
}

// attributes returns the headers from which a CloudEvent in binary mode is read:
// those that the signature covers, without a token.
func (s *Source) attributes(h http.Header) http.Header {
	event := s.covered.Headers(h).Clone()
	for _, p := range s.covered.Credentials {
		event.Del(p.Header)
	}
	if contentType := h["Content-Type"]; len(contentType) > 0 {
		event["Content-Type"] = contentType
	}
	return event
}

// partOf is the part of the request that a place is in; false for what is in none,
// such as the answer of a lookup.
func partOf(p field.Place) (signature.Part, bool) {
	switch p.Origin {
	case field.OriginHeader:
		return signature.Part{Header: http.CanonicalHeaderKey(p.Name)}, true
	case field.OriginQuery:
		return signature.Part{Query: p.Name}, true
	case field.OriginBody, field.OriginRoot:
		return signature.Part{Body: p.Name}, true
	}
	return signature.Part{}, false
}

// refuseCredentials reports values that are read from what verifies the sender: it
// is never kept.
func (s *Source) refuseCredentials(at config.Node) {
	refuse := func(what string, places []field.Place) {
		for _, p := range places {
			if part, ok := partOf(p); ok && slices.Contains(s.covered.Credentials, part) {
				at.Problem(what+" reads "+part.String()+", which verifies the sender and is never kept", "name another value")
			}
		}
	}
	refuse("key", s.key.Places())
	refuse("version", s.version.Places())
	for _, name := range s.names.Names() {
		refuse(name, s.names.Places(name))
	}
}

// warnUnsigned warns about what decides although the signature does not cover it.
func (l *loader) warnUnsigned(s *Source) {
	if !s.covered.Signs {
		return
	}
	if !s.covered.Covers(signature.Part{Body: "*"}) {
		s.at.Warn("the signature does not cover the body: whoever records a webhook can send any other body with it",
			"let the sender sign the body")
	}
	warn := func(what, consequence string, places []field.Place) {
		for _, p := range places {
			if part, ok := partOf(p); ok && isOutside(p) && !s.covered.Covers(part) {
				s.at.Warn(what+" reads "+part.String()+", which the signature does not cover: whoever records a webhook can change it", consequence)
			}
		}
	}
	warn("key", "it identifies nothing; without another value the signed body does (sha256:body)", s.key.Places())
	warn("version", "read it from the body", s.version.Places())
	for _, name := range l.deciding(s) {
		warn(strings.TrimSpace(name), "a decision depends on it: read it from the body", s.names.Places(name))
	}
}

// deciding returns the names that decide whether and whom to call: those of rules,
// of consent and do_not_call, of call_to, the time for max_age, and all names of a source that looks up.
func (l *loader) deciding(s *Source) []string {
	var names []string
	if s.maxAge > 0 {
		names = append(names, field.NameTime)
	}
	for _, b := range l.config.bySource[s.name] {
		names = append(append(names, b.rule.Names()...), b.call.To())
		names = append(names, b.route.consent.Names()...)
	}
	if s.lookups.Exist() {
		names = append(names, s.names.Names()...)
	}
	slices.Sort(names)
	return slices.Compact(names)
}
