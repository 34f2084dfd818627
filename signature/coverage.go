package signature

import (
	"net/http"
	"slices"
	"strings"
)

// Part is a part of a request from which an event may be read. Exactly one of the
// three is set.
type Part struct {
	Header, Query string
	// Body is a dotted path; "*" is the whole body.
	Body string
}

// String returns the part as error texts show it.
func (p Part) String() string {
	if p.Header != "" {
		return location{headers: []header{{text: p.Header}}}.String()
	}
	if p.Body == "*" {
		return "the body"
	}
	return location{query: p.Query, path: p.Body}.String()
}

// Coverage says which parts of a request a sender's signature covers, and where
// the credential is. It depends on the configuration alone, not on its secrets.
type Coverage struct {
	// Signs says that there is a signature. Without one, a token speaks for the
	// whole request: whoever has it may send anything, so that a header is as good
	// as the body.
	Signs bool
	// Credentials are the places of signatures, tokens and passwords.
	Credentials []Part

	body, query bool
	// fields are paths of the body that are signed although the body is not.
	fields []string
	// headers are lists of names; of each list the first present one is signed.
	headers [][]string
}

// CoverageOf returns the coverage of verifiers that a request has to satisfy all.
func CoverageOf(configs []Config) Coverage {
	var all Coverage
	for _, c := range configs {
		all = all.and(coverageOf(c))
	}
	return all
}

// coverageOf reads what each kind signs. A jwt without the hash of the body signs
// only itself: it is a token.
func coverageOf(c Config) Coverage {
	if len(c.AnyOf) > 0 {
		alternatives := coverageOf(c.AnyOf[0])
		for _, a := range c.AnyOf[1:] {
			alternatives = alternatives.or(coverageOf(a))
		}
		return alternatives
	}
	var covered Coverage
	switch c.Kind {
	case "hmac", "digest", "publickey":
		covered = signedParts(c)
	case "jwt":
		covered = Coverage{Signs: c.BodyHashClaim != "", body: c.BodyHashClaim != ""}
	case "basic":
		covered.Credentials = []Part{{Header: "Authorization"}}
	}
	for _, name := range c.Header {
		covered.Credentials = append(covered.Credentials, Part{Header: http.CanonicalHeaderKey(name)})
	}
	if c.Query != "" {
		covered.Credentials = append(covered.Credentials, Part{Query: c.Query})
	}
	if c.BodyPath != "" {
		covered.Credentials = append(covered.Credentials, Part{Body: c.BodyPath})
	}
	return covered
}

// signedParts reads the placeholders of signed. A template with a mistake covers
// nothing; New reports it.
func signedParts(c Config) Coverage {
	covered := Coverage{Signs: true}
	t, err := parseTemplate(c.Signed)
	if err != nil {
		return covered
	}
	hashed := c.URL != nil && c.URL.CheckQuerySHA256 != ""
	covered.query = t.has("url", "path_query")
	covered.body = t.has("body", "body_sha256_hex") || hashed || t.has("form_sorted") && !c.AllowUnsignedBody
	if c.ID != nil && t.has("id") {
		covered.headers = append(covered.headers, canonical(c.ID.Header))
	}
	if c.Timestamp != nil && t.has("timestamp") && len(c.Timestamp.Header) > 0 {
		covered.headers = append(covered.headers, canonical(c.Timestamp.Header))
	}
	for _, p := range t {
		switch p.placeholder {
		case "header":
			covered.headers = append(covered.headers, []string{p.location.headers[0].key})
		case "field":
			covered.fields = append(covered.fields, p.location.path)
		}
	}
	return covered
}

func canonical(names []string) []string {
	keys := make([]string, len(names))
	for i, name := range names {
		keys[i] = http.CanonicalHeaderKey(name)
	}
	return keys
}

// and is the coverage of two verifiers that both have to be satisfied: what either
// of the signatures covers.
func (c Coverage) and(other Coverage) Coverage {
	return Coverage{
		Signs: c.Signs || other.Signs, Credentials: slices.Concat(c.Credentials, other.Credentials),
		body: c.body || other.body, query: c.query || other.query,
		fields: slices.Concat(c.fields, other.fields), headers: slices.Concat(c.headers, other.headers),
	}
}

// or is the coverage of alternatives: what all signatures among them cover, since a
// recorded webhook has one of them.
func (c Coverage) or(other Coverage) Coverage {
	credentials := slices.Concat(c.Credentials, other.Credentials)
	switch {
	case !other.Signs:
		other = c
	case c.Signs:
		other.body, other.query = c.body && other.body, c.query && other.query
		other.fields = slices.DeleteFunc(slices.Clone(other.fields), func(path string) bool {
			return !c.Covers(Part{Body: path})
		})
		other.headers = slices.DeleteFunc(slices.Clone(other.headers), func(names []string) bool {
			return !slices.ContainsFunc(c.headers, func(ours []string) bool { return slices.Equal(ours, names) })
		})
	}
	other.Credentials = credentials
	return other
}

// Covers reports whether an attacker who recorded a webhook cannot change the part and
// send it again. Without a signature every part is covered: see Signs.
func (c Coverage) Covers(p Part) bool {
	switch {
	case !c.Signs:
		return true
	case p.Header != "":
		key := http.CanonicalHeaderKey(p.Header)
		return slices.ContainsFunc(c.headers, func(names []string) bool { return slices.Contains(names, key) })
	case p.Query != "":
		return c.query
	}
	return c.body || slices.ContainsFunc(c.fields, func(path string) bool {
		return p.Body == path || strings.HasPrefix(p.Body, path+".")
	})
}

// Headers returns the headers of a request that the signature covers; all of them
// if there is no signature. Of a list of names, only the first present one was
// signed.
func (c Coverage) Headers(all http.Header) http.Header {
	if !c.Signs {
		return all
	}
	signed := http.Header{}
	for _, names := range c.headers {
		for _, name := range names {
			if values := all[name]; len(values) > 0 && values[0] != "" {
				signed[name] = values
				break
			}
		}
	}
	return signed
}
