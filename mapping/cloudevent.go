package mapping

import (
	"encoding/base64"
	"fmt"
	"mime"
	"net/http"
	"net/url"
	"strings"
	"unicode/utf8"

	"callbridge/mapping/payload"
)

// formCloudEvents is the body form of CloudEvents 1.0 over HTTP (HTTP protocol
// binding, section 3): whichever of its three modes a sender chooses, the tree
// is one event with its attributes and its data, or a list of them.
const formCloudEvents payload.Form = "cloudevents"

// attributePrefix stands before an attribute in binary mode.
const attributePrefix = "Ce-"

// decode reads a body as the source says.
func (s *Source) decode(d Delivery) (payload.Value, error) {
	contentType := d.Header.Get("Content-Type")
	if s.form != formCloudEvents {
		return payload.Decode(contentType, s.form, d.Body)
	}
	// The mode goes by the media type alone; a charset does not matter.
	mediaType, _, _ := mime.ParseMediaType(contentType)
	if !strings.HasPrefix(mediaType, "application/cloudevents") {
		return binaryCloudEvent(d)
	}
	tree, err := payload.Decode(contentType, payload.Auto, d.Body)
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

func listOf(v payload.Value) []any {
	if list, ok := v.([]any); ok {
		return list
	}
	return []any{v}
}

// decodeData puts data where data_base64 says the same in base64, if it is of
// a form that is read here.
func decodeData(event map[string]any) {
	encoded, ok := event["data_base64"].(string)
	if _, there := event["data"]; !ok || there {
		return
	}
	raw, err := base64.StdEncoding.DecodeString(encoded)
	if err != nil {
		return
	}
	contentType, _ := event["datacontenttype"].(string)
	if data, err := payload.Decode(contentType, payload.Auto, raw); err == nil {
		event["data"] = data
	}
}

// binaryCloudEvent makes an event of the ce- headers, with the body as data. A
// body may be missing: an event need not have data.
func binaryCloudEvent(d Delivery) (payload.Value, error) {
	event := map[string]any{}
	for name := range d.Header {
		attribute, ok := strings.CutPrefix(name, attributePrefix)
		if !ok {
			continue
		}
		text, err := attributeText(d.Header, name)
		if err != nil {
			return nil, err
		}
		event[strings.ToLower(attribute)] = text
	}
	if len(event) == 0 {
		return nil, &payload.SyntaxError{Form: formCloudEvents, Problem: "neither a CloudEvents content type nor ce- headers"}
	}
	if len(d.Body) == 0 {
		return event, nil
	}
	contentType := d.Header.Get("Content-Type")
	data, err := payload.Decode(contentType, payload.Auto, d.Body)
	if err != nil {
		return nil, err
	}
	event["data"], event["datacontenttype"] = data, contentType
	return event, nil
}

// attributeText undoes the quotes and, once, the percent encoding of a header
// (HTTP protocol binding, section 3.1.3.2). An attribute that is there twice
// is refused.
func attributeText(h http.Header, name string) (string, error) {
	broken := func(problem string) error {
		return &payload.SyntaxError{Form: formCloudEvents, Problem: fmt.Sprintf("header %s: %s", strings.ToLower(name), problem)}
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
		decoded = text // a percent sign that encodes nothing stands for itself
	}
	if !utf8.ValidString(decoded) {
		return "", broken("not UTF-8")
	}
	return decoded, nil
}
