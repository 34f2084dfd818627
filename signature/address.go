package signature

import (
	"crypto/subtle"
	"net"
	"net/url"
	"strings"
)

// address rebuilds the URL that the sender called. The zero address does for
// templates without {url}.
type address struct {
	// bases are the public base and, on request, its twin without or with
	// the port.
	bases      []string
	tryDecoded bool
	// bodyHash is the query parameter with the SHA-256 of the body.
	bodyHash string
}

var defaultPorts = map[string]string{"http": "80", "https": "443"}

// hubspotEscapes are those that HubSpot's page on validating v3 signatures asks
// to decode, in both spellings. Its own SDKs decode none: hence a variant.
var hubspotEscapes = strings.NewReplacer(
	"%3A", ":", "%2F", "/", "%3F", "?", "%40", "@", "%21", "!", "%24", "$", "%27", "'", "%28", "(", "%29", ")",
	"%2A", "*", "%2C", ",", "%3B", ";", "%3a", ":", "%2f", "/", "%3f", "?", "%2a", "*", "%2c", ",", "%3b", ";",
)

func newAddress(u *URL, publicURL string, t template) (address, error) {
	if u == nil {
		u = &URL{}
	}
	a := address{tryDecoded: u.TryDecoded, bodyHash: u.CheckQuerySHA256}
	if a.bodyHash != "" && !t.has("url", "path_query") {
		return address{}, faulty("check_query_sha256", "signed does not cover the query: no {url}")
	}
	if !t.has("url") {
		if u.PublicBase != "" || u.TryWithoutPort || u.TryDecoded {
			return address{}, faulty("", "signed has no {url}")
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
		return address{}, faulty("public_base", "missing; signed has {url}, and a proxy hides what the sender called")
	case err != nil || defaultPorts[parsed.Scheme] == "" || parsed.Hostname() == "":
		return address{}, faulty("public_base", "is no http or https URL")
	case parsed.User != nil || strings.ContainsAny(base, "?#"):
		return address{}, faulty("public_base", "must be scheme, host, port and path only")
	}
	base = strings.TrimRight(base, "/")
	a.bases = []string{base}
	if u.TryWithoutPort {
		a.bases = append(a.bases, portTwin(base, parsed))
	}
	return a, nil
}

// portTwin takes the port away or adds the default one.
func portTwin(base string, parsed *url.URL) string {
	host := net.JoinHostPort(parsed.Hostname(), defaultPorts[parsed.Scheme])
	if port := parsed.Port(); port != "" {
		host = strings.TrimSuffix(parsed.Host, ":"+port)
	}
	return strings.Replace(base, parsed.Host, host, 1)
}

// urls returns what {url} may have been.
func (a address) urls(uri string) []string {
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

// splitURI splits "https://host/path?query" before the path.
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

// checkBodyHash compares the body with its hash in the signed query, for
// bodies that {form_sorted} does not speak for. Only where neither is there,
// nothing was taken away.
func (a address) checkBodyHash(r Request) *Failure {
	hash, failure := spot{query: a.bodyHash}.read(r)
	switch {
	case failure != nil && failure.Reason == ReasonMissing && len(r.Body) == 0:
		return nil
	case failure != nil:
		return failure
	}
	if subtle.ConstantTimeCompare([]byte(strings.ToLower(hash)), []byte(bodySHA256(r.Body))) == 0 {
		return failed(ReasonMismatch, "%s is not the hash of the body", spot{query: a.bodyHash})
	}
	return nil
}
