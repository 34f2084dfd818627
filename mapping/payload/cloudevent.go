package payload

import (
	"encoding/base64"
	"fmt"
	"mime"
	"net/http"
	"net/url"
	"strings"
	"unicode/utf8"
)

// CloudEvents is CloudEvents 1.0 over HTTP (HTTP protocol binding, section 3). In
// each of its three modes the tree is one event with its attributes and its
// data, or a list of events. It is read by DecodeCloudEvent.
const CloudEvents Format = "cloudevents"

// attributePrefix marks the header of an attribute in binary mode.
const attributePrefix = "Ce-"

// DecodeCloudEvent reads the header and body of a delivery into one event, or a
// list of events. The media type alone decides the mode; its charset does not
// matter. The errors are those of Decode.
func DecodeCloudEvent(header http.Header, body []byte) (Value, error) {
	contentType := header.Get("Content-Type")
	mediaType, _, _ := mime.ParseMediaType(contentType)
	if !strings.HasPrefix(mediaType, "application/cloudevents") {
		return binaryCloudEvent(header, body)
	}
	tree, err := Decode(contentType, Auto, body)
	if err != nil {
		return nil, err
	}
	for _, event := range listOf(tree) {
		if object, ok := event.(map[string]any); ok {
			decodeData(object)
		}
	}
	return tree, nil
}

func listOf(v Value) []any {
	if list, ok := v.([]any); ok {
		return list
	}
	return []any{v}
}

// decodeData adds data decoded from data_base64, if its content type can be
// decoded.
func decodeData(event map[string]any) {
	encoded, ok := event["data_base64"].(string)
	if _, present := event["data"]; !ok || present {
		return
	}
	raw, err := base64.StdEncoding.DecodeString(encoded)
	if err != nil {
		return
	}
	contentType, _ := event["datacontenttype"].(string)
	if data, err := Decode(contentType, Auto, raw); err == nil {
		event["data"] = data
	}
}

// binaryCloudEvent makes an event of the ce- headers and, as data, the body,
// which may be empty.
func binaryCloudEvent(header http.Header, body []byte) (Value, error) {
	event := map[string]any{}
	for name := range header {
		attribute, ok := strings.CutPrefix(name, attributePrefix)
		if !ok {
			continue
		}
		text, err := attributeText(header, name)
		if err != nil {
			return nil, err
		}
		event[strings.ToLower(attribute)] = text
	}
	if len(event) == 0 {
		return nil, &SyntaxError{Format: CloudEvents, Problem: "neither a CloudEvents content type nor ce- headers"}
	}
	if len(body) == 0 {
		return event, nil
	}
	contentType := header.Get("Content-Type")
	data, err := Decode(contentType, Auto, body)
	if err != nil {
		return nil, err
	}
	event["data"], event["datacontenttype"] = data, contentType
	return event, nil
}

// attributeText undoes the quotes and, once, the percent encoding of a header
// (HTTP protocol binding, section 3.1.3.2). A repeated
// attribute is refused.
func attributeText(h http.Header, name string) (string, error) {
	broken := func(problem string) error {
		return &SyntaxError{Format: CloudEvents, Problem: fmt.Sprintf("header %s: %s", strings.ToLower(name), problem)}
	}
	if len(h[name]) > 1 {
		return "", broken("is there more than once")
	}
	text := h.Get(name)
	if inner, ok := strings.CutPrefix(text, `"`); ok && strings.HasSuffix(inner, `"`) {
		text = strings.NewReplacer(`\\`, `\`, `\"`, `"`).Replace(strings.TrimSuffix(inner, `"`))
	}
	decoded, err := url.PathUnescape(text)
	if err != nil {
		decoded = text // a percent sign that encodes nothing is literal
	}
	if !utf8.ValidString(decoded) {
		return "", broken("not UTF-8")
	}
	return decoded, nil
}
