package mapping

import (
	"crypto/sha256"
	"slices"
	"strconv"
	"strings"

	"callbridge/mapping/config"
	"callbridge/mapping/field"
	"callbridge/mapping/payload"
)

// Kinds of handshakes. A CRM checks with them, before it sends webhooks, that
// the endpoint belongs to its customer. They are answered without verification,
// by the package handlers.
const (
	HandshakeQuery   = "query_echo"
	HandshakeBody    = "body_echo"
	HandshakeHead    = "head_ok"
	HandshakeHeader  = "header_echo"
	HandshakeOptions = "cloudevents_options"
	// handshakeIgnore is not a handshake: it marks a verified delivery that is not
	// an event, such as a ping.
	handshakeIgnore = "ignore"
)

// handshakeKeys are the keys that each kind takes in addition to kind itself.
var handshakeKeys = map[string][]string{
	HandshakeQuery:   {"mode_param", "mode", "token_param", "token", "echo_param"},
	HandshakeBody:    {"path", "only_if_absent"},
	HandshakeHead:    {},
	HandshakeHeader:  {"header", "field"},
	HandshakeOptions: {"allowed_origins", "allowed_rate"},
	handshakeIgnore:  {"path", "equals"},
}

var optionalHandshakeKeys = []string{"only_if_absent", "field", "allowed_rate"}

// Handshake is one entry of challenge:. Kind says which other members are used.
type Handshake struct {
	Kind string
	// ModeParam, TokenParam and EchoParam are query parameters of query_echo,
	// Mode the value of the first one.
	ModeParam, Mode, TokenParam, EchoParam string
	// Tokens are the SHA-256 of the tokens that query_echo accepts.
	Tokens [][sha256.Size]byte
	// Member is what body_echo sends back; a body with OnlyIfAbsent is an event.
	Member, OnlyIfAbsent string
	// Header is what header_echo sends back: as a header, or as the member Field.
	Header, Field string
	// AllowedOrigins are the senders of cloudevents_options, or *.
	AllowedOrigins []string
	// AllowedRate is the most requests a minute; 0 for no limit.
	AllowedRate int
}

// ignored is a verified delivery that is not an event: it has the value at path.
type ignored struct {
	path   payload.Path
	equals string
}

// Handshakes returns the handshakes of the source, in the order of the file.
func (s *Source) Handshakes() []Handshake { return s.handshakes }

// ignores reports whether a verified delivery is not an event.
func (s *Source) ignores(root payload.Value) bool {
	return slices.ContainsFunc(s.ignored, func(i ignored) bool {
		found, _ := i.path.Lookup(root)
		text, ok := field.Scalar(found)
		return ok && text == i.equals
	})
}

func (l *loader) readHandshakes(s *Source, keys config.Object) {
	at, ok := keys.Get("challenge")
	if !ok {
		return
	}
	for _, item := range at.Items() {
		keys, ok := item.Known(config.HandshakeKeys)
		if !ok {
			continue
		}
		if _, ok := keys.Get("kind"); !ok {
			item.Problem(`"kind" is missing`, "write "+strings.Join(kindsOfHandshakes(), ", "))
			continue
		}
		h, i := Handshake{Kind: keys.OneOf("kind")}, ignored{}
		if h.Kind == "" {
			continue
		}
		checkHandshakeKeys(h.Kind, keys)
		for _, key := range handshakeKeys[h.Kind] {
			if n, ok := keys.Get(key); ok {
				l.readHandshakeKey(&h, &i, key, n)
			}
		}
		if h.Kind == handshakeIgnore {
			s.ignored = append(s.ignored, i)
		} else {
			s.handshakes = append(s.handshakes, h)
		}
	}
}

func kindsOfHandshakes() []string {
	i := slices.IndexFunc(config.HandshakeKeys, func(k config.Key) bool { return k.Name == "kind" })
	return config.HandshakeKeys[i].Values
}

// checkHandshakeKeys requires the keys of the kind and refuses all others.
func checkHandshakeKeys(kind string, keys config.Object) {
	takes := handshakeKeys[kind]
	for _, key := range keys.Keys {
		if key != "kind" && !slices.Contains(takes, key) {
			keys.Name(key).Problem("kind "+kind+" does not take it", "")
		}
	}
	for _, key := range takes {
		if _, ok := keys.Get(key); !ok && !slices.Contains(optionalHandshakeKeys, key) {
			keys.At.Problem(strconv.Quote(key)+" is missing", "")
		}
	}
}

func (l *loader) readHandshakeKey(h *Handshake, i *ignored, key string, n config.Node) {
	switch key {
	case "token":
		for _, token := range n.Secrets() {
			if !l.reader.WithoutSecrets {
				h.Tokens = append(h.Tokens, sha256.Sum256([]byte(token)))
			}
		}
		return
	case "allowed_origins":
		h.AllowedOrigins = n.PlainTexts()
		return
	}
	text := n.PlainText()
	if text == "" {
		n.Problem("is empty", "")
		return
	}
	switch key {
	case "allowed_rate":
		h.AllowedRate = n.Count("requests a minute")
	case "path":
		h.Member = text
		i.path, _ = field.ReadTreePath(n, text)
	default:
		*map[string]*string{
			"mode_param": &h.ModeParam, "mode": &h.Mode, "token_param": &h.TokenParam, "echo_param": &h.EchoParam,
			"only_if_absent": &h.OnlyIfAbsent, "header": &h.Header, "field": &h.Field, "equals": &i.equals,
		}[key] = text
	}
}
