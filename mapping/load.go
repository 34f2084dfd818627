package mapping

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash"
	"os"
	"strings"

	"callbridge/event"
)

// Options are where a configuration finds its secrets.
type Options struct {
	// LookupEnv resolves ${NAME}; os.LookupEnv if nil.
	LookupEnv func(string) (string, bool)
	// ReadFile reads the configuration and ${file:/path}; os.ReadFile if nil.
	ReadFile func(string) ([]byte, error)
	// WithoutSecrets leaves secrets unresolved. Receive then refuses
	// everything; all else works.
	WithoutSecrets bool
}

// Load reads and checks the configuration in file. The error is Problems,
// unless the file itself cannot be read.
func Load(file string, o Options) (*Config, error) {
	o = o.filled()
	data, err := o.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("read configuration: %w", err)
	}
	return Parse(file, data, o)
}

// Parse checks the configuration in data; file is its name in Problems. It
// reports everything that is wrong at once.
func Parse(file string, data []byte, o Options) (*Config, error) {
	l := &loader{options: o.filled(), hash: sha256.New(), unset: map[string]bool{}, config: &Config{
		sources: map[string]*Source{}, bySource: map[string][]*binding{},
	}}
	l.hash.Write(data)
	if top, ok := parseDocument(file, data, &l.problems); ok {
		l.file(top)
	}
	if len(l.problems) > 0 {
		return nil, l.problems.sorted().once(l.unset)
	}
	l.warn()
	l.config.hash = hex.EncodeToString(l.hash.Sum(nil))[:12]
	return l.config, nil
}

func (o Options) filled() Options {
	if o.LookupEnv == nil {
		o.LookupEnv = os.LookupEnv
	}
	if o.ReadFile == nil {
		o.ReadFile = os.ReadFile
	}
	return o
}

// loader turns the YAML of one configuration into a Config. It goes on after
// a problem, so that one run of check shows them all.
type loader struct {
	options   Options
	problems  Problems
	hash      hash.Hash
	config    *Config
	publicURL string
	// unset are the texts of problems that are the environment's, not those of
	// the places that want it.
	unset map[string]bool
	// broken are sources that have problems of their own: the routes on them
	// are not checked against fields that are not there.
	broken map[string]bool
}

func (l *loader) file(top node) {
	file, ok := top.known(fileKeys)
	if !ok {
		return
	}
	if n, ok := file.get("public_url"); ok {
		l.publicURL = plainText(n)
	}
	sources, ok := file.get("sources")
	if !ok {
		top.problem(`"sources" is missing`, "name at least one CRM")
		return
	}
	l.sources(sources)
	if routes, ok := file.get("routes"); ok {
		l.routes(routes)
	}
}

func (l *loader) sources(at node) {
	l.broken = map[string]bool{}
	named, ok := at.object()
	if !ok {
		return
	}
	for _, name := range named.keys {
		before := l.faults()
		if !event.ValidSource(name) {
			named.names[name].problem("a source name is 1 to 40 of a-z, 0-9 and -", "")
		}
		l.config.sources[name] = l.source(name, named.values[name])
		l.broken[name] = l.faults() > before
	}
}

// faults counts the problems that are the file's: what the environment lacks
// takes nothing from a source that its routes could be checked against.
func (l *loader) faults() (n int) {
	for _, p := range l.problems {
		if !l.unset[p.Text] {
			n++
		}
	}
	return n
}

// plainText is the text of a key that holds no secret. ${…} there is refused:
// read literally, it would go to a CRM or into a call.
func plainText(n node) string {
	text, ok := n.text()
	if ok && hasReference(text) {
		n.problem("${…} is only for secrets", "write the value itself")
	}
	return text
}

func plainTexts(n node) []string {
	var texts []string
	for _, item := range n.items() {
		texts = append(texts, plainText(item))
	}
	return texts
}

// oneOf reads a text that must be one of these.
func oneOf(n node, allowed []string) string {
	text, ok := n.text()
	if !ok {
		return ""
	}
	for _, a := range allowed {
		if text == a {
			return text
		}
	}
	hint := suggest(text, allowed)
	if hint == "" {
		hint = "write " + strings.Join(allowed, ", ")
	}
	n.problem(quote(text)+" is not allowed here", hint)
	return ""
}

func (l *loader) warn() {
	warn := func(n node, text, hint string) {
		l.config.warnings = append(l.config.warnings, Problem{
			File: n.doc.file, Line: n.Line, Column: n.Column, Path: n.path, Text: text, Hint: hint,
		})
	}
	for _, source := range l.config.Sources() {
		if len(l.config.bySource[source.name]) == 0 {
			warn(source.at, "no route uses this source", "its events are skipped (no_route)")
		}
		if source.verifier != nil && source.verifier.Unverified() != "" {
			warn(source.at, "accepts webhooks from anybody: "+source.verifier.Unverified(), "")
		}
	}
	for _, route := range l.config.routes {
		switch {
		case !route.Enabled:
			warn(route.at, "the route is switched off", "")
		case route.Mode == DryRun:
			warn(route.at, "dry_run: nobody is dialled", "write mode: live when the results are right")
		case route.Mode == Live && len(route.Regions) == 0:
			warn(route.at, "numbers of every country may be dialled", "name those that you call: regions: [US, CA]")
		}
	}
	l.config.warnings = l.config.warnings.sorted()
}
