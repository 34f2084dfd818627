package config

import (
	"crypto/sha256"
	"encoding/hex"
	"hash"
	"os"
	"slices"
	"strconv"
	"strings"

	"callbridge/mapping/sources"
)

// Options say where a configuration finds its secrets.
type Options struct {
	// LookupEnv resolves ${NAME}; os.LookupEnv if nil.
	LookupEnv func(string) (string, bool)
	// ReadFile reads the configuration and ${file:/path}; os.ReadFile if nil.
	ReadFile func(string) ([]byte, error)
	// Reserved are the process's own settings. No ${…} may name such a variable, or a
	// file that one names or has by default: its secret would go to a CRM.
	Reserved []Setting
	// WithoutSecrets leaves secrets unresolved. Receive then refuses every
	// delivery; everything else works.
	WithoutSecrets bool
}

// Reader reads the documents of one configuration, which are callbridge.yaml
// and the presets that it uses, and collects their problems. It continues after
// a problem, so that one run of check shows all of them.
type Reader struct {
	Options
	problems, warnings Problems
	hash               hash.Hash
	// unset are the texts of problems about missing environment variables.
	unset map[string]bool
}

// NewReader returns a reader with the defaults of o filled in.
func NewReader(o Options) *Reader {
	if o.LookupEnv == nil {
		o.LookupEnv = os.LookupEnv
	}
	if o.ReadFile == nil {
		o.ReadFile = os.ReadFile
	}
	return &Reader{Options: o, hash: sha256.New(), unset: map[string]bool{}}
}

// Err returns Problems, sorted, or nil. Several values may need the same
// environment variable: if it is not set, that is reported once.
func (r *Reader) Err() error {
	if len(r.problems) == 0 {
		return nil
	}
	return r.problems.sorted().once(r.unset)
}

// Warnings returns what is allowed but probably not meant, sorted.
func (r *Reader) Warnings() Problems { return r.warnings.sorted() }

// Hash is the first 12 hex digits of the SHA-256 of all documents.
func (r *Reader) Hash() string { return hex.EncodeToString(r.hash.Sum(nil))[:12] }

// Faults counts the problems of the files themselves, without missing
// environment variables: a source that lacks only its secret is still checked.
func (r *Reader) Faults() (n int) {
	for _, p := range r.problems {
		if !r.unset[p.Text] {
			n++
		}
	}
	return n
}

// Preset returns the keys of the preset that n names. Their positions are in
// the preset's own file.
func (r *Reader) Preset(n Node) (Object, bool) {
	name, ok := n.Text()
	if !ok {
		return Object{}, false
	}
	names := sources.Names()
	if !slices.Contains(names, name) {
		hint := Suggest(name, names)
		if hint == "" {
			hint = "there are " + strings.Join(names, ", ")
		}
		n.Problem("no preset "+strconv.Quote(name), hint)
		return Object{}, false
	}
	data, err := sources.Read(name)
	if err != nil {
		n.Problem("preset "+strconv.Quote(name)+": "+err.Error(), "")
		return Object{}, false
	}
	top, ok := r.Document("preset "+name, data, "the keys of a source")
	if !ok {
		return Object{}, false
	}
	return top.Known(SourceKeys)
}
