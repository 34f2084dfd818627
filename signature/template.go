package signature

import (
	"bytes"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"io"
	"maps"
	"net"
	"net/url"
	"slices"
	"strings"
)

// template is the parsed `signed` key: the text that the sender signs.
type template []part

// part is a literal or a placeholder. argument is the text of a literal; location
// is where a header or body field is.
type part struct {
	placeholder string
	argument    []byte
	location    location
}

const literal = ""

// plainPlaceholders are the placeholders without an argument.
var plainPlaceholders = []string{
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
			return nil, configErrorf("signed", "a { is not closed")
		}
		p, err := parsePlaceholder(name)
		if err != nil {
			return nil, err
		}
		t, text = append(t, p), after
	}
	return t, nil
}

func parsePlaceholder(name string) (part, error) {
	if slices.Contains(plainPlaceholders, name) {
		return part{placeholder: name}, nil
	}
	placeholder, argument, _ := strings.Cut(name, ":")
	switch {
	case placeholder == "header" && argument != "":
		s, err := newHeaderLocation(List{argument})
		if err != nil {
			return part{}, configErrorf("signed", "{%s} does not name a header", name)
		}
		return part{placeholder: placeholder, location: s}, nil
	case placeholder == "body" && argument != "":
		return part{placeholder: "field", location: location{path: argument}}, nil
	}
	return part{}, configErrorf("signed", "placeholder {%s} is unknown", name)
}

func (t template) has(placeholders ...string) bool {
	return slices.ContainsFunc(t, func(p part) bool { return slices.Contains(placeholders, p.placeholder) })
}

// message is a template with the values of one request. write inserts {url},
// which may have variants, and {secret}.
type message struct {
	template template
	body     []byte
	// texts[i] is the value of template[i]; nil if the template is "{body}".
	texts []string
	url   string
}

func (t template) fill(r Request, timestamp, id string) (message, *Failure) {
	m := message{template: t, body: r.Body}
	if len(t) == 1 && t[0].placeholder == "body" {
		return m, nil
	}
	m.texts = make([]string, len(t))
	for i, p := range t {
		var failure *Failure
		switch p.placeholder {
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
			m.texts[i], failure = p.location.read(r)
		}
		if failure != nil {
			return message{}, failure
		}
	}
	return m, nil
}

// write writes the signed text to w, a hash or buffer that never returns an
// error.
func (m message) write(w io.Writer, secret []byte) {
	for i, p := range m.template {
		switch p.placeholder {
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

// formSorted returns what Twilio signs of a form: all parameters sorted by name,
// each as its decoded name and value without a separator, equal values once. It
// is empty for other content types, so that one config serves forms and JSON.
func formSorted(r Request) (string, *Failure) {
	if !isForm(r.Header) {
		return "", nil
	}
	if bytes.Count(r.Body, []byte("&")) >= maxParameters {
		return "", failuref(ReasonMalformed, "body has more than %d parameters", maxParameters)
	}
	fields, err := url.ParseQuery(string(r.Body))
	if err != nil {
		return "", failuref(ReasonMalformed, "body is not an urlencoded form")
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

// senderURL reconstructs the URL that the sender called. The zero senderURL
// serves templates without {url}.
type senderURL struct {
	// bases are the public base and, with try_without_port, the same with its
	// port removed or the default port added.
	bases      []string
	tryDecoded bool
	// bodyHash names the query parameter with the SHA-256 of the body.
	bodyHash string
}

var defaultPorts = map[string]string{"http": "80", "https": "443"}

// hubspotEscapes are the escapes that HubSpot's page on validating v3 signatures
// says to decode, in upper and lower case. Its own SDKs decode none, so both
// forms of the URL are tried.
var hubspotEscapes = strings.NewReplacer(
	"%3A", ":", "%2F", "/", "%3F", "?", "%40", "@", "%21", "!", "%24", "$", "%27", "'", "%28", "(", "%29", ")",
	"%2A", "*", "%2C", ",", "%3B", ";", "%3a", ":", "%2f", "/", "%3f", "?", "%2a", "*", "%2c", ",", "%3b", ";",
)

func newSenderURL(u *URL, publicURL string, t template) (senderURL, error) {
	if u == nil {
		u = &URL{}
	}
	a := senderURL{tryDecoded: u.TryDecoded, bodyHash: u.CheckQuerySHA256}
	if a.bodyHash != "" && !t.has("url", "path_query") {
		return senderURL{}, configErrorf("check_query_sha256", "signed does not cover the query: no {url}")
	}
	if !t.has("url") {
		if u.PublicBase != "" || u.TryWithoutPort || u.TryDecoded {
			return senderURL{}, configErrorf("", "signed has no {url}")
		}
		return a, nil
	}
	base := publicURL
	if u.PublicBase != "" {
		base = u.PublicBase
	}
	parsed, err := url.Parse(base)
	switch {
	case base == "":
		return senderURL{}, configErrorf("public_base", "missing; signed has {url}, and a proxy changes the URL of the request")
	case err != nil || defaultPorts[parsed.Scheme] == "" || parsed.Hostname() == "":
		return senderURL{}, configErrorf("public_base", "is not an http or https URL")
	case parsed.User != nil || strings.ContainsAny(base, "?#"):
		return senderURL{}, configErrorf("public_base", "must be scheme, host, port and path only")
	}
	base = strings.TrimRight(base, "/")
	a.bases = []string{base}
	if u.TryWithoutPort {
		a.bases = append(a.bases, togglePort(base, parsed))
	}
	return a, nil
}

// togglePort removes the port, or adds the default port if there is none.
func togglePort(base string, parsed *url.URL) string {
	host := net.JoinHostPort(parsed.Hostname(), defaultPorts[parsed.Scheme])
	if port := parsed.Port(); port != "" {
		host = strings.TrimSuffix(parsed.Host, ":"+port)
	}
	return strings.Replace(base, parsed.Host, host, 1)
}

// candidates returns the URLs that the sender may have signed as {url}.
func (a senderURL) candidates(uri string) []string {
	var urls []string
	for _, base := range a.bases {
		full := base + target(uri)
		urls = append(urls, full)
		if decoded := hubspotEscapes.Replace(full); a.tryDecoded && decoded != full {
			urls = append(urls, decoded)
		}
	}
	return urls
}

// target returns path and query of a request URI, which may be absolute
// (RFC 9112 §3.2.2).
func target(uri string) string {
	_, uri = splitURI(uri)
	return uri
}

// splitURI splits "https://host/path?query" in front of the path.
func splitURI(uri string) (origin, target string) {
	scheme, rest, absolute := strings.Cut(uri, "://")
	if !absolute || strings.ContainsAny(scheme, "/?") {
		return "", uri
	}
	if i := strings.IndexAny(rest, "/?"); i >= 0 {
		return uri[:len(uri)-len(rest)+i], rest[i:]
	}
	return uri, ""
}

// checkBodyHash compares the body with its hash in the signed query, for bodies
// that {form_sorted} does not contain. A request without hash and without body
// passes: a removed body would have left its hash.
func (a senderURL) checkBodyHash(r Request) *Failure {
	hash, failure := location{query: a.bodyHash}.read(r)
	switch {
	case failure != nil && failure.Reason == ReasonMissing && len(r.Body) == 0:
		return nil
	case failure != nil:
		return failure
	}
	if subtle.ConstantTimeCompare([]byte(strings.ToLower(hash)), []byte(bodySHA256(r.Body))) == 0 {
		return failuref(ReasonMismatch, "%s is not the hash of the body", location{query: a.bodyHash})
	}
	return nil
}
