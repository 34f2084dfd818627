package payload

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"mime"
	"strings"

	"golang.org/x/text/encoding/charmap"
)

var utf8BOM = []byte("\xef\xbb\xbf")

// media is what a content type says.
type media struct {
	form    Form
	charset charset
}

// usualType is what nearly all webhooks say of themselves.
const usualType = "application/json"

func mediaOf(contentType string, form Form, body []byte) (media, error) {
	// A broken parameter leaves the media type readable, a broken media type
	// leaves nothing; then the form has to come from elsewhere.
	name, params := contentType, map[string]string(nil)
	if name != usualType {
		name, params, _ = mime.ParseMediaType(contentType)
	}
	set, err := charsetNamed(params["charset"])
	if err != nil {
		return media{}, err
	}
	if form == Auto {
		form = formNamed(name)
	}
	unnamed := strings.TrimSpace(contentType) == "" && form == Auto
	// curl says that it sends a form unless it is told otherwise. No form is a
	// JSON object.
	mistaken := form == URLEncoded && sniff(body) == JSON && json.Valid(body)
	if unnamed || mistaken {
		form = sniff(body)
	}
	switch form {
	case JSON, URLEncoded, XML:
		return media{form: form, charset: set}, nil
	case Auto:
		return media{}, fmt.Errorf("read body: content type %.100q is neither JSON, form nor XML: %w", contentType, ErrUnsupported)
	default:
		return media{}, fmt.Errorf("read body: form %q: %w", form, ErrUnsupported)
	}
}

// formNamed knows the structured syntax suffixes of RFC 6839 and RFC 7303.
func formNamed(mediaType string) Form {
	switch {
	case mediaType == "application/json", mediaType == "text/json", strings.HasSuffix(mediaType, "+json"):
		return JSON
	case mediaType == "application/x-www-form-urlencoded":
		return URLEncoded
	case mediaType == "application/xml", mediaType == "text/xml", strings.HasSuffix(mediaType, "+xml"):
		return XML
	default:
		return Auto
	}
}

// sniff is for senders that name no content type; Dynamics 365 documents none.
func sniff(body []byte) Form {
	text := bytes.TrimSpace(bytes.TrimPrefix(body, utf8BOM))
	if len(text) == 0 {
		return Auto
	}
	switch text[0] {
	case '{', '[':
		return JSON
	case '<':
		return XML
	default:
		return Auto
	}
}

// charset is how the bytes of a body spell characters.
type charset string

const (
	unnamed     charset = ""
	utf8Set     charset = "utf-8"
	windows1252 charset = "windows-1252"
)

// charsetNamed reads ISO 8859-1 as its superset windows-1252, as the WHATWG
// Encoding Standard tells everybody to, and US-ASCII as UTF-8.
func charsetNamed(label string) (charset, error) {
	switch strings.ToLower(strings.TrimSpace(label)) {
	case "":
		return unnamed, nil
	case "utf-8", "utf8", "us-ascii", "ascii":
		return utf8Set, nil
	case "iso-8859-1", "iso8859-1", "latin1", "windows-1252", "cp1252":
		return windows1252, nil
	default:
		return "", fmt.Errorf("read body: character set %.40q: %w", label, ErrUnsupported)
	}
}

// toUTF8 returns text itself where it needs no change. What comes out may
// still not be valid UTF-8, if that is what the sender claimed.
func (c charset) toUTF8(text []byte) []byte {
	if c != windows1252 {
		return text
	}
	out, err := charmap.Windows1252.NewDecoder().Bytes(text)
	if err != nil {
		return text // cannot be: each of the 256 bytes is a character
	}
	return out
}

func (c charset) reader(input io.Reader) io.Reader {
	if c != windows1252 {
		return input
	}
	return charmap.Windows1252.NewDecoder().Reader(input)
}
