package signature

import (
	"slices"
	"strings"
)

// maxSignatures bounds the work that one header can ask for. Senders put two
// there while they rotate a key.
const maxSignatures = 16

// packing is how signatures are packed into one value.
type packing struct {
	spot      spot
	format    string
	prefix    string
	separator string
	fields    []string
	// stamp is the kv field of the timestamp, "" if it stands elsewhere.
	stamp string
}

// given is what a request brought: signatures, any of which may match, and the
// timestamp if it is packed with them.
type given struct {
	signatures []string
	timestamp  string
}

func newPacking(c Config) (packing, error) {
	place, err := newSpot(c.Header, c.Query, c.BodyPath)
	if err != nil {
		return packing{}, err
	}
	p := packing{spot: place, format: c.Format, prefix: c.Prefix, separator: c.Separator, fields: c.Field}
	if p.format == "" {
		p.format = "plain"
	}
	if err := oneOf("format", p.format, "plain", "kv", "list"); err != nil {
		return packing{}, err
	}
	if c.Timestamp != nil {
		p.stamp = c.Timestamp.Field
	}
	if p.separator == "" {
		p.separator = map[string]string{"kv": ",", "list": " "}[p.format]
	}
	return p, p.check(c)
}

// check refuses keys that the format would not look at.
func (p packing) check(c Config) error {
	switch {
	case p.format == "plain" && c.Separator != "":
		return faulty("separator", "format plain does not take it")
	case p.format == "plain" && len(p.fields) > 0:
		return faulty("field", "format plain does not take it")
	case p.format != "plain" && p.prefix != "":
		return faulty("prefix", "only format plain takes it")
	case p.format == "kv" && len(p.fields) == 0:
		return faulty("field", "missing; format kv must name the fields with signatures")
	case p.format == "kv" && strings.Contains(p.separator, "="):
		return faulty("separator", "must not hold =")
	case p.format == "list" && len(p.fields) > 0 && strings.Contains(p.separator, ","):
		return faulty("separator", "must not hold a comma: it stands between version and signature")
	case p.stamp != "" && p.format != "kv":
		return faulty("timestamp.field", "only format kv has fields")
	case p.stamp != "" && slices.Contains(p.fields, p.stamp):
		return faulty("timestamp.field", "is also a field with signatures")
	case slices.Contains(p.fields, ""):
		return faulty("field", "is empty")
	}
	return nil
}

func (p packing) read(r Request) (given, *Failure) {
	value, failure := p.spot.read(r)
	if failure != nil {
		return given{}, failure
	}
	var g given
	switch p.format {
	case "kv":
		g, failure = p.readPairs(value)
	case "list":
		g = p.readList(value)
	default:
		g, failure = p.readPlain(value)
	}
	switch {
	case failure != nil:
		return given{}, failure
	case len(g.signatures) == 0:
		return given{}, failed(ReasonMissing, "%s holds no %s", p.spot, p.wanted())
	case len(g.signatures) > maxSignatures:
		return given{}, failed(ReasonMalformed, "%s holds more than %d signatures", p.spot, maxSignatures)
	}
	return g, nil
}

func (p packing) wanted() string {
	if len(p.fields) == 0 {
		return "signature"
	}
	return "signature " + strings.Join(p.fields, " or ")
}

// readPlain trims blanks after the prefix: HaloPSA sends "sha256= <hex>".
func (p packing) readPlain(value string) (given, *Failure) {
	signature, ok := strings.CutPrefix(value, p.prefix)
	if !ok {
		return given{}, failed(ReasonMalformed, "%s does not begin with %s", p.spot, p.prefix)
	}
	return given{signatures: []string{strings.TrimSpace(signature)}}, nil
}

// readPairs reads "t=1,v1=a,v1=b". A part without = is one more value of the
// field before it, as Outpost writes "v0=a,b".
func (p packing) readPairs(value string) (given, *Failure) {
	var g given
	field, stamps := "", 0
	for part := range strings.SplitSeq(value, p.separator) {
		name, text, ok := strings.Cut(part, "=")
		if ok {
			field = strings.TrimSpace(name)
		} else {
			text = part
		}
		text = strings.TrimSpace(text)
		switch {
		case text == "":
		case field == "":
			return given{}, failed(ReasonMalformed, "%s is no list of key=value", p.spot)
		case field == p.stamp:
			g.timestamp = text
			stamps++
		case slices.Contains(p.fields, field):
			g.signatures = append(g.signatures, text)
		}
	}
	switch {
	case stamps > 1:
		// Which of them was signed, and which would be checked?
		return given{}, failed(ReasonMalformed, "%s holds %s more than once", p.spot, p.stamp)
	case stamps == 0 && p.stamp != "":
		return given{}, failed(ReasonMissing, "%s holds no timestamp %s", p.spot, p.stamp)
	}
	return g, nil
}

// readList reads "v1,a v1,b" or, without versions, "a b".
func (p packing) readList(value string) given {
	var g given
	for part := range strings.SplitSeq(value, p.separator) {
		part = strings.TrimSpace(part)
		if len(p.fields) > 0 {
			version, signature, _ := strings.Cut(part, ",")
			if !slices.Contains(p.fields, version) {
				continue
			}
			part = signature
		}
		if part != "" {
			g.signatures = append(g.signatures, part)
		}
	}
	return g
}

// write packs one signature as the sender would.
func (p packing) write(signature, timestamp string) string {
	field := ""
	if len(p.fields) > 0 {
		field = p.fields[0]
	}
	switch {
	case p.format == "kv" && p.stamp != "":
		return p.stamp + "=" + timestamp + p.separator + field + "=" + signature
	case p.format == "kv":
		return field + "=" + signature
	case p.format == "list" && field != "":
		return field + "," + signature
	}
	return p.prefix + signature
}
