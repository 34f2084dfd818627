package signature

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"time"
)

// Sign returns the headers that a sender adds to r so that c accepts it. It uses
// the first key and serves demonstrations and tests. It supports the kinds hmac,
// digest, token and basic, and of AnyOf the first alternative. An absolute r.URI
// is the URL that the sender calls; a path needs url.public_base if {url} is
// signed. {id} is derived from the body, so that sending the same body again is
// a retry of the same message.
func Sign(c Config, r Request, now time.Time) (http.Header, error) {
	if len(c.AnyOf) > 0 {
		return Sign(c.AnyOf[0], r, now)
	}
	origin, _ := splitURI(r.URI)
	if c.URL != nil && origin != "" {
		u := *c.URL
		u.PublicBase = ""
		c.URL = &u
	}
	compiled, err := compile(c, origin)
	if err != nil {
		return nil, err
	}
	var headers http.Header
	switch made := compiled.check.(type) {
	case *signed:
		headers, err = made.sign(r, now)
	case *token:
		headers, err = made.write(c)
	default:
		err = errors.New("this kind cannot be signed here")
	}
	if err != nil {
		return nil, fmt.Errorf("sign as %s: %w", c.Kind, err)
	}
	return headers, nil
}

func (v *signed) sign(r Request, now time.Time) (http.Header, error) {
	s, ok := v.matcher.(hashMatcher)
	if !ok {
		return nil, errors.New("only the sender has the private key")
	}
	if len(v.format.location.headers) == 0 || v.signingTime != nil && v.signingTime.location.path != "" {
		return nil, errors.New("only a signature in headers can be created")
	}
	headers := http.Header{}
	timestamp := v.signingTime.write(now)
	if v.signingTime != nil && len(v.signingTime.location.headers) > 0 {
		headers.Set(v.signingTime.location.headers[0].text, timestamp)
	}
	if v.id != nil {
		sum := sha256.Sum256(r.Body)
		headers.Set(v.id.headers[0].text, "msg_"+hex.EncodeToString(sum[:12]))
	}
	sent := r.Header.Clone()
	if sent == nil {
		sent = http.Header{}
	}
	maps.Copy(sent, headers)
	r.Header = sent
	m, failure := v.message(r, timestamp)
	if failure == nil {
		failure = v.checkBodyCovered(r)
	}
	if failure != nil {
		return nil, errors.New(failure.Detail)
	}
	if v.template.has("url") {
		m.url = v.url.candidates(r.URI)[0]
	}
	signature, err := s.sign(m)
	if err != nil {
		return nil, err
	}
	headers.Set(v.format.location.headers[0].text, v.format.write(signature, timestamp))
	return headers, nil
}

func (s hashMatcher) sign(m message) (string, error) {
	key := s.keys[0]
	h := key.hashers.Get().(*hasher)
	defer key.hashers.Put(h)
	if !s.computeExpected(h, key, m) {
		return "", errors.New("a digest can only sign UTF-8")
	}
	return string(h.expected), nil
}

// write returns the header with the secret. The secret comes from c because t has
// only its hash.
func (t *token) write(c Config) (http.Header, error) {
	if len(t.location.headers) == 0 {
		return nil, errors.New("only a token in a header can be created")
	}
	var credential string
	if c.Kind == "basic" {
		credential = base64.StdEncoding.EncodeToString([]byte(c.User + ":" + c.Passwords[0]))
	} else {
		credential = c.Values[0]
	}
	if len(t.schemes) > 0 && t.schemes[0] != "" {
		credential = t.schemes[0] + " " + credential
	}
	headers := http.Header{}
	headers.Set(t.location.headers[0].text, credential)
	return headers, nil
}
