package mapping

import (
	"encoding/json"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"cel.dev/cel-go/common/ast"

	"callbridge/mapping/payload"
)

// inquiry is one entry of lookup: what the source asks its CRM's API, and
// about which events.
type inquiry struct {
	when      *rule
	unless    string
	method    string
	url, body pattern
	headers   http.Header
	auth      Auth
	hosts     []string
	rate      float64
	timeout   time.Duration
	coalesce  time.Duration
	errorPath *payload.Path
}

const (
	// defaultLookupRate is the least that a CRM of ours allows
	// (ActiveCampaign, 5 requests a second for an account).
	defaultLookupRate = 5
	// defaultLookupTimeout is short: a call comes too late after that.
	defaultLookupTimeout = 2 * time.Minute
)

var inquiryMethods = []string{http.MethodGet, http.MethodPost}

// inquiries reads the look-ups of a source.
func (l *loader) inquiries(s *Source, keys object) {
	at, ok := keys.get("lookup")
	if !ok {
		for _, name := range s.names() {
			if s.onlyAfterLookup(name) {
				keys.at.problem(quote(name)+" is read from a look-up, and the source has none", "add lookup:")
			}
		}
		return
	}
	params := l.params(keys)
	for _, item := range at.items() {
		entry, ok := item.known(inquiryKeys)
		if !ok {
			continue
		}
		r := inquiryReader{loader: l, source: s, keys: entry, params: params, home: keys.at}
		if auth, ok := keys.get("auth"); ok {
			r.keys = entry.overlay(object{at: entry.at, keys: []string{"auth"},
				values: map[string]node{"auth": auth}, names: map[string]node{"auth": auth}})
		}
		s.inquiries = append(s.inquiries, r.read())
	}
}

// inquiryReader reads one entry of lookup.
type inquiryReader struct {
	*loader
	source *Source
	keys   object
	params map[string]string
	// home is the source in callbridge.yaml: where a param is to be added.
	home node
}

func (r inquiryReader) read() *inquiry {
	i := &inquiry{method: http.MethodGet, rate: defaultLookupRate, timeout: defaultLookupTimeout, headers: http.Header{}}
	r.condition(i)
	if n, ok := r.keys.get("method"); ok {
		i.method = oneOf(n, inquiryMethods)
	}
	if n, ok := r.keys.get("headers"); ok {
		r.headers(n, i.headers)
	}
	if n, ok := r.keys.get("auth"); ok {
		i.auth = r.auth(n)
	}
	r.address(i)
	if n, ok := r.keys.get("body"); ok {
		i.body = r.body(n, i.method)
	}
	r.pace(i)
	if n, ok := r.keys.get("error_path"); ok {
		if path, ok := readPath(n, plainText(n)); ok {
			i.errorPath = &path
		}
	}
	return i
}

// condition reads which events are asked about. It is decided before the
// answer is there.
func (r inquiryReader) condition(i *inquiry) {
	if n, ok := r.keys.get("when"); ok && r.source.env != nil {
		i.when = compileRule(n, r.source)
		for _, name := range i.when.names() {
			if r.source.onlyAfterLookup(name) {
				n.problem(quote(name)+" is not known before the look-up", "")
			}
		}
	}
	n, ok := r.keys.get("unless")
	if !ok {
		return
	}
	i.unless = plainText(n)
	switch {
	case !r.source.declares(i.unless):
		n.problem("undeclared name "+quote(i.unless), suggest(i.unless, r.source.names()))
	case r.source.onlyAfterLookup(i.unless):
		n.problem(quote(i.unless)+" is not known before the look-up", "")
	}
}

// names are the fields that the rule asks about.
func (r *rule) names() []string {
	if r == nil {
		return nil
	}
	names := r.asked()
	root := ast.NavigateAST(r.ast.NativeRep())
	for _, ident := range ast.MatchDescendants(root, ast.KindMatcher(ast.IdentKind)) {
		names = append(names, ident.AsIdent())
	}
	return names
}

// soundsSecret knows names of headers and parameters that hold credentials.
func soundsSecret(name string) bool {
	name = strings.ReplaceAll(strings.ToLower(name), "-", "_")
	return slices.ContainsFunc([]string{"authorization", "cookie", "token", "secret", "password", "api_key", "apikey"},
		func(word string) bool { return strings.Contains(name, word) })
}

var headerName = regexp.MustCompile(`^[A-Za-z0-9-]+$`)

func (r inquiryReader) headers(at node, into http.Header) {
	named, _ := at.object()
	for _, name := range named.keys {
		n := named.values[name]
		if !headerName.MatchString(name) {
			named.names[name].problem(quote(name)+" is no name of a header", "")
		}
		if soundsSecret(name) {
			named.names[name].problem("a secret must not stand among the headers", `write auth: {kind: header, name: `+name+`, value: "${NAME}"}`)
		}
		into.Set(name, r.fill(n))
	}
}

// body reads what is posted: JSON, whose values stand inside of quotes, so
// that none can be more than a text.
func (r inquiryReader) body(n node, method string) pattern {
	if method != http.MethodPost {
		n.problem("only a POST has a body", "write method: POST")
	}
	p := r.pattern(n, r.fill(n))
	var probe strings.Builder
	for _, part := range p.parts {
		probe.WriteString(part.literal)
		if part.name != "" {
			probe.WriteString(`x\"x`)
		}
	}
	if !json.Valid([]byte(probe.String())) {
		n.problem("must be JSON, with every {{field}} inside of quotes", "")
	}
	return p
}

// pattern reads a text with tags. A field that may be missing needs no
// fallback: without it nothing is asked.
func (r inquiryReader) pattern(n node, text string) pattern {
	p := pattern{readTemplate(n, text, scope{Source: r.source}, true)}
	for _, part := range p.parts {
		if part.name != "" && r.source.onlyAfterLookup(part.name) {
			n.problem(quote(part.name)+" is not known before the look-up", "")
		}
	}
	return p
}

// pace reads how often and how long is asked.
func (r inquiryReader) pace(i *inquiry) {
	if n, ok := r.keys.get("rate"); ok {
		rate, err := strconv.ParseFloat(plainText(n), 64)
		if err != nil || !(rate > 0 && rate <= 1000) {
			n.problem("must be a number above 0 and up to 1000", "")
		}
		i.rate = rate
	}
	duration := func(key string, into *time.Duration, most time.Duration) {
		n, ok := r.keys.get(key)
		if !ok {
			return
		}
		d, err := time.ParseDuration(plainText(n))
		if err != nil || d <= 0 || d > most {
			n.problem("must be a duration above 0 and up to "+most.String(), "for example 30s")
		}
		*into = d
	}
	duration("timeout", &i.timeout, 24*time.Hour)
	duration("coalesce", &i.coalesce, time.Minute)
}
