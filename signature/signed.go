package signature

import "time"

// signed is a check of kind hmac, digest or publickey: a text made from the
// request, and a signature of it. The scheme is all they differ in.
type signed struct {
	packing  packing
	clock    *clock
	id       *spot
	template template
	address  address
	scheme   scheme

	// What the template speaks for: any body, forms, or so little that the
	// config had to allow it.
	coversBody, coversForm, allowUncovered bool
}

// scheme decides whether one of the signatures is a genuine one of m.
type scheme interface {
	match(m message, signatures []string) bool
}

func newSigned(c Config, publicURL string, s scheme) (*signed, error) {
	v := &signed{scheme: s, allowUncovered: c.AllowUnsignedBody}
	var err error
	if v.clock, err = newClock(c.Timestamp); err != nil {
		return nil, under("timestamp", err)
	}
	if v.packing, err = newPacking(c); err != nil {
		return nil, err
	}
	if c.ID != nil {
		id, err := newHeaderSpot(c.ID.Header)
		if err != nil {
			return nil, under("id", err)
		}
		v.id = &id
	}
	if v.template, err = parseTemplate(c.Signed); err != nil {
		return nil, err
	}
	if v.address, err = newAddress(c.URL, publicURL, v.template); err != nil {
		return nil, under("url", err)
	}
	v.coversBody = v.template.has("body", "body_sha256_hex")
	v.coversForm = v.template.has("form_sorted")
	return v, v.checkTemplate(c.Kind)
}

// checkTemplate refuses what would look checked and is not.
func (v *signed) checkTemplate(kind string) error {
	stamped, named := v.template.has("timestamp"), v.template.has("id")
	switch {
	case v.clock != nil && !stamped:
		return faulty("timestamp", "signed has no {timestamp}: anybody could write another time")
	case v.clock == nil && stamped:
		return faulty("timestamp", "missing; signed has {timestamp}")
	case v.id != nil && !named:
		return faulty("id", "signed has no {id}")
	case v.id == nil && named:
		return faulty("id", "missing; signed has {id}")
	case (kind == "digest") != v.template.has("secret"):
		return faulty("signed", "{secret} belongs into a digest, and only there")
	case !v.coversBody && !v.coversForm && v.address.bodyHash == "" && !v.allowUncovered:
		return faulty("signed", "does not cover the body: no {body}; if the sender signs that little, allow_unsigned_body")
	}
	return nil
}

func (v *signed) verify(r Request, now time.Time) *Failure {
	g, failure := v.packing.read(r)
	if failure != nil {
		return failure
	}
	timestamp, failure := v.clock.read(r, g)
	if failure != nil {
		return failure
	}
	m, failure := v.message(r, timestamp)
	if failure != nil {
		return failure
	}
	if failure := v.covered(r); failure != nil {
		return failure
	}
	if !v.match(m, r.URI, g.signatures) {
		return failed(ReasonMismatch, "no signature matches")
	}
	return v.clock.check(timestamp, now)
}

func (v *signed) message(r Request, timestamp string) (message, *Failure) {
	id := ""
	if v.id != nil {
		var failure *Failure
		if id, failure = v.id.read(r); failure != nil {
			return message{}, failure
		}
	}
	return v.template.fill(r, timestamp, id)
}

func (v *signed) match(m message, uri string, signatures []string) bool {
	if !v.template.has("url") {
		return v.scheme.match(m, signatures)
	}
	for _, m.url = range v.address.urls(uri) {
		if v.scheme.match(m, signatures) {
			return true
		}
	}
	return false
}

// covered refuses a body that the signed text does not hold: a form-only text
// says nothing about JSON, and a URL nothing about either.
func (v *signed) covered(r Request) *Failure {
	switch {
	case v.coversBody, v.coversForm && len(r.Body) > 0 && isForm(r.Header):
		return nil
	case v.address.bodyHash != "":
		return v.address.checkBodyHash(r)
	case v.allowUncovered, len(r.Body) == 0:
		return nil
	}
	return failed(ReasonUncovered, "the signature does not cover a body of this content type")
}
