// Package lookups says what a source asks its CRM's API about an event that is
// little more than an id: it reads lookup:, auth: and params:, and makes the
// request for one event. The package lookup of this module sends it.
//
// A value of an event is inserted only where it cannot change the target of the
// request: escaped into one path segment, one query parameter or one JSON text, never into the
// host. Secrets go only into Auth.
package lookups

import (
	"encoding/json"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"callbridge/mapping/call"
	"callbridge/mapping/config"
	"callbridge/mapping/field"
	"callbridge/mapping/payload"
	"callbridge/mapping/rule"
)

// Source is the source whose lookups are read.
type Source struct {
	Name  string
	Names *field.Set
	// Rules compiles when:; nil if the fields have problems.
	Rules *rule.Environment
	// Version is the value that grows with every change of a record.
	Version field.Expression
}

// Lookups are the lookups of one source, in the order of the file. They are safe
// for concurrent use.
type Lookups struct {
	source  Source
	entries []*entry
}

// entry is one entry of lookup.
type entry struct {
	when      *rule.Rule
	unless    []string
	method    string
	url, body pattern
	headers   http.Header
	auth      Auth
	hosts     []string
	rate      float64
	timeout   time.Duration
	coalesce  time.Duration
	errorPath *payload.Path
	answers   []answer
	// record is where the answer has the record; nil for the answer itself.
	record *payload.Path
}

const (
	// defaultRate is the lowest limit of the CRMs that have a preset
	// (ActiveCampaign, 5 requests a second for an account).
	defaultRate = 5
	// defaultTimeout is short: after that, a call comes too late.
	defaultTimeout = 2 * time.Minute
)

// Read reads the lookups from the keys of a source. A field that is read from a
// lookup although the source has none is a problem.
func Read(keys config.Object, s Source) Lookups {
	l := Lookups{source: s}
	at, ok := keys.Get("lookup")
	if !ok {
		for _, name := range s.Names.Names() {
			if s.Names.OnlyAfterLookup(name) {
				keys.At.Problem(strconv.Quote(name)+" is read from a lookup, and the source has none", "add lookup:")
			}
		}
		return l
	}
	params := readParams(keys)
	for _, item := range at.Items() {
		own, ok := item.Known(config.LookupKeys)
		if !ok {
			continue
		}
		if auth, ok := keys.Get("auth"); ok {
			own = own.With("auth", auth)
		}
		l.entries = append(l.entries, entryReader{source: s, keys: own, params: params, home: keys.At}.read())
	}
	return l
}

// entryReader reads one entry of lookup.
type entryReader struct {
	source Source
	keys   config.Object
	params map[string]string
	// home is the source in callbridge.yaml, where a missing param is reported.
	home config.Node
}

func (r entryReader) read() *entry {
	e := &entry{method: http.MethodGet, rate: defaultRate, timeout: defaultTimeout, headers: http.Header{}}
	r.readCondition(e)
	if _, ok := r.keys.Get("method"); ok {
		e.method = r.keys.OneOf("method")
	}
	if n, ok := r.keys.Get("headers"); ok {
		r.readHeaders(n, e.headers)
	}
	if n, ok := r.keys.Get("auth"); ok {
		e.auth = r.readAuth(n)
	}
	r.readURL(e)
	if n, ok := r.keys.Get("body"); ok {
		e.body = r.readBody(n, e.method)
	}
	if n, ok := r.keys.Get("rate"); ok {
		e.rate = n.Number(1000)
	}
	if n, ok := r.keys.Get("timeout"); ok {
		e.timeout = n.Duration(24*time.Hour, "for example 30s")
	}
	if n, ok := r.keys.Get("coalesce"); ok {
		e.coalesce = n.Duration(time.Minute, "for example 30s")
	}
	e.errorPath, e.record = r.readTreePath("error_path"), r.readTreePath("record")
	if n, ok := r.keys.Get("answers"); ok {
		e.answers = readAnswers(n)
	}
	return e
}

// readTreePath reads a path into the answer; nil without the key.
func (r entryReader) readTreePath(key string) *payload.Path {
	n, ok := r.keys.Get(key)
	if !ok {
		return nil
	}
	path, ok := field.ReadTreePath(n, n.PlainText())
	if !ok {
		return nil
	}
	return &path
}

// readCondition reads which events are asked about. It uses only what is known
// before the answer.
func (r entryReader) readCondition(e *entry) {
	names := r.source.Names
	if n, ok := r.keys.Get("when"); ok && r.source.Rules != nil {
		e.when = r.source.Rules.Compile(n)
		for _, name := range e.when.Names() {
			r.refuseUnknown(n, name)
		}
	}
	n, ok := r.keys.Get("unless")
	if !ok {
		return
	}
	for _, item := range n.Items() {
		name := item.PlainText()
		if !names.Declares(name) {
			item.Problem("undeclared name "+strconv.Quote(name), config.Suggest(name, names.Names()))
			continue
		}
		r.refuseUnknown(item, name)
		e.unless = append(e.unless, name)
	}
}

// refuseUnknown reports a name that has no value before the lookup.
func (r entryReader) refuseUnknown(at config.Node, name string) {
	if r.source.Names.OnlyAfterLookup(name) {
		at.Problem(strconv.Quote(name)+" is not known before the lookup", "")
	}
}

var (
	headerName = regexp.MustCompile(`^[A-Za-z0-9-]+$`)
	hostName   = regexp.MustCompile(`^[a-z0-9]([a-z0-9.-]*[a-z0-9])?(:[0-9]{1,5})?$`)
	// paramValue is safe in a host name, and therefore everywhere.
	paramValue = regexp.MustCompile(`^[a-z0-9-]+(\.[a-z0-9-]+)*$`)
	paramTag   = regexp.MustCompile(`\{\{\s*params\.([A-Za-z0-9_-]+)\s*\}\}`)
)

// soundsSecret reports whether a header or parameter usually has credentials.
func soundsSecret(name string) bool {
	name = strings.ReplaceAll(strings.ToLower(name), "-", "_")
	return slices.ContainsFunc([]string{"authorization", "cookie", "token", "secret", "password", "api_key", "apikey"},
		func(word string) bool { return strings.Contains(name, word) })
}

func (r entryReader) readHeaders(at config.Node, into http.Header) {
	named, _ := at.Object()
	for _, name := range named.Keys {
		if !headerName.MatchString(name) {
			named.Name(name).Problem(strconv.Quote(name)+" is not a header name", "")
		}
		if soundsSecret(name) {
			named.Name(name).Problem("a secret must not be among the headers", `write auth: {kind: header, name: `+name+`, value: "${NAME}"}`)
		}
		into.Set(name, r.withParams(named.Value(name)))
	}
}

// readURL reads the URL, and the hosts to which it may lead.
func (r entryReader) readURL(e *entry) {
	n, ok := r.keys.Get("url")
	if !ok {
		r.keys.At.Problem(`"url" is missing`, "say where to ask")
		return
	}
	text := r.withParams(n)
	u, err := url.Parse(strings.NewReplacer("{{", "x", "}}", "x", "|", "x").Replace(text))
	authority, _, _ := strings.Cut(strings.TrimPrefix(strings.TrimPrefix(text, "https://"), "http://"), "/")
	switch {
	case err != nil || u.Host == "" || u.User != nil || u.Fragment != "":
		n.Problem("must be a URL without user and fragment", "for example https://api.example.com/contacts/{{contact_id}}")
		return
	case strings.Contains(authority, "{{"):
		n.Problem("an event must not choose the host", "only {{params.name}} is allowed there")
		return
	case !isSecure(u):
		n.Problem("must begin with https://", "")
	}
	for name := range u.Query() {
		if soundsSecret(name) {
			n.Problem("a secret must not be in the URL", `write auth: {kind: query, name: `+name+`, value: "${NAME}"}`)
		}
	}
	e.url = r.readPattern(n, text)
	e.hosts = []string{u.Host}
	hosts, ok := r.keys.Get("hosts")
	if !ok {
		return
	}
	e.hosts = nil
	for _, item := range hosts.Items() {
		host := r.withParams(item)
		if !hostName.MatchString(host) {
			item.Problem(strconv.Quote(host)+" is not a host name", "for example api.example.com")
		}
		e.hosts = append(e.hosts, host)
	}
	if !slices.Contains(e.hosts, u.Host) {
		n.Problem("the host "+u.Host+" is not one of hosts", "")
	}
}

// isSecure allows https, and http to this machine, for a test server.
func isSecure(u *url.URL) bool {
	ip := net.ParseIP(u.Hostname())
	return u.Scheme == "https" || u.Scheme == "http" && (u.Hostname() == "localhost" || ip != nil && ip.IsLoopback())
}

// readBody reads the body of a POST: JSON, whose tags are inside of quotes, so
// that no value can be more than a text.
func (r entryReader) readBody(n config.Node, method string) pattern {
	if method != http.MethodPost {
		n.Problem("only a POST has a body", "write method: POST")
	}
	p := r.readPattern(n, r.withParams(n))
	var probe strings.Builder
	for _, part := range p.Parts {
		probe.WriteString(part.Literal)
		if part.Name != "" {
			probe.WriteString(`x\"x`)
		}
	}
	if !json.Valid([]byte(probe.String())) {
		n.Problem("must be JSON, with every {{field}} inside of quotes", "")
	}
	return p
}

// readPattern reads a text with tags. A field that may be missing needs no
// fallback: without it there is no lookup.
func (r entryReader) readPattern(n config.Node, text string) pattern {
	p := pattern{call.ReadTemplate(n, text, call.Scope{Set: r.source.Names}, true)}
	for _, part := range p.Parts {
		if part.Name != "" {
			r.refuseUnknown(n, part.Name)
		}
	}
	return p
}

func readParams(keys config.Object) map[string]string {
	params := map[string]string{}
	at, ok := keys.Get("params")
	if !ok {
		return params
	}
	named, _ := at.Object()
	for _, name := range named.Keys {
		n := named.Value(name)
		params[name] = n.PlainText()
		if !paramValue.MatchString(params[name]) && n.Raw() != "" {
			n.Problem("a param is a-z, 0-9, - and single dots", "")
		}
	}
	return params
}

// withParams replaces {{params.name}} in a text.
func (r entryReader) withParams(n config.Node) string {
	return paramTag.ReplaceAllStringFunc(n.PlainText(), func(tag string) string {
		name := paramTag.FindStringSubmatch(tag)[1]
		value, ok := r.params[name]
		if ok {
			return value
		}
		at := n
		if !n.SameFile(r.home) {
			at = r.home
		}
		at.Problem("the lookup needs its param "+strconv.Quote(name), "add params: {"+name+": …}")
		return "x"
	})
}
