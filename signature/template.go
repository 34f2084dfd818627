package signature

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"maps"
	"net/url"
	"slices"
	"strings"
)

// template is the text that was signed, parsed at load.
type template []part

// part is a literal or a placeholder; argument is the literal's text, the
// header's name or the path in the body.
type part struct {
	place    string
	argument []byte
	spot     spot
}

const literal = ""

// plainPlaces are the placeholders without an argument.
var plainPlaces = []string{
	"body", "body_sha256_hex", "form_sorted", "timestamp", "id", "method", "url", "path_query", "secret",
}

func parseTemplate(text string) (template, error) {
	if text == "" {
		text = "{body}"
	}
	var t template
	for text != "" {
		before, rest, found := strings.Cut(text, "{")
		if before != "" {
			t = append(t, part{argument: []byte(before)})
		}
		if !found {
			break
		}
		name, after, closed := strings.Cut(rest, "}")
		if !closed {
			return nil, faulty("signed", "a { is not closed")
		}
		p, err := parsePlace(name)
		if err != nil {
			return nil, err
		}
		t, text = append(t, p), after
	}
	return t, nil
}

func parsePlace(name string) (part, error) {
	if slices.Contains(plainPlaces, name) {
		return part{place: name}, nil
	}
	place, argument, _ := strings.Cut(name, ":")
	switch {
	case place == "header" && argument != "":
		s, err := newHeaderSpot(List{argument})
		if err != nil {
			return part{}, faulty("signed", "{%s} names no header", name)
		}
		return part{place: place, spot: s}, nil
	case place == "body" && argument != "":
		return part{place: "field", spot: spot{path: argument}}, nil
	}
	return part{}, faulty("signed", "placeholder {%s} is unknown", name)
}

func (t template) has(places ...string) bool {
	return slices.ContainsFunc(t, func(p part) bool { return slices.Contains(places, p.place) })
}

// message is a template filled with one request. Only {url}, which may have
// variants, and {secret} are left for the writing.
type message struct {
	template template
	body     []byte
	// texts stand beside the parts; nil if the body is all there is.
	texts []string
	url   string
}

func (t template) fill(r Request, timestamp, id string) (message, *Failure) {
	m := message{template: t, body: r.Body}
	if len(t) == 1 && t[0].place == "body" {
		return m, nil
	}
	m.texts = make([]string, len(t))
	for i, p := range t {
		var failure *Failure
		switch p.place {
		case "timestamp":
			m.texts[i] = timestamp
		case "id":
			m.texts[i] = id
		case "method":
			m.texts[i] = r.Method
		case "path_query":
			m.texts[i] = target(r.URI)
		case "body_sha256_hex":
			m.texts[i] = bodySHA256(r.Body)
		case "form_sorted":
			m.texts[i], failure = formSorted(r)
		case "header", "field":
			m.texts[i], failure = p.spot.read(r)
		}
		if failure != nil {
			return message{}, failure
		}
	}
	return m, nil
}

// write writes the signed text to a hash or buffer, neither of which fails.
func (m message) write(w io.Writer, secret []byte) {
	for i, p := range m.template {
		switch p.place {
		case literal:
			_, _ = w.Write(p.argument)
		case "body":
			_, _ = w.Write(m.body)
		case "secret":
			_, _ = w.Write(secret)
		case "url":
			_, _ = io.WriteString(w, m.url)
		default:
			_, _ = io.WriteString(w, m.texts[i])
		}
	}
}

func (m message) bytes(secret []byte) []byte {
	if m.texts == nil {
		return m.body
	}
	var b bytes.Buffer
	m.write(&b, secret)
	return b.Bytes()
}

func bodySHA256(body []byte) string {
	sum := sha256.Sum256(body)
	return hex.EncodeToString(sum[:])
}

// formSorted is what Twilio signs of a form: every parameter by name, name and
// value decoded and put together, equal values once. It is empty for any other
// content type, so that one config covers forms and JSON.
func formSorted(r Request) (string, *Failure) {
	if !isForm(r.Header) {
		return "", nil
	}
	fields, err := url.ParseQuery(string(r.Body))
	if err != nil {
		return "", failed(ReasonMalformed, "body is no urlencoded form")
	}
	var b strings.Builder
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		values := fields[name]
		slices.Sort(values)
		for _, value := range slices.Compact(values) {
			b.WriteString(name + value)
		}
	}
	return b.String(), nil
}
