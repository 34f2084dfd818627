package payload

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strings"
)

// maxElementDepth keeps the tree within MaxDepth: an element becomes an object,
// perhaps in a list.
const maxElementDepth = MaxDepth / 2

// decodeXML parses XML without a document type, and so without entities that it
// defines. Names are local names: the prefix is the sender's choice (Salesforce
// writes sf:Id), and no CRM has two fields that differ only by namespace.
//
//	<a><b>1</b></a>              {"a": {"b": "1"}}
//	<a><b>1</b><b>2</b></a>      {"a": {"b": ["1", "2"]}}
//	<a type="x"><b/></a>         {"a": {"@type": "x", "b": ""}}
//	<a type="x">text</a>         {"a": {"@type": "x", "#text": "text"}}
//	<a xsi:type="sf:Lead"/>      {"a": {"@type": "Lead"}}
//	<a xsi:nil="true"/>          {"a": null}
//
// White space around text, comments and processing instructions are removed.
func decodeXML(body []byte, set charset) (Value, error) {
	dec := xml.NewDecoder(bytes.NewReader(set.toUTF8(body)))
	// RFC 7303: the character set of the content type takes precedence over that
	// of the XML declaration.
	dec.CharsetReader = func(label string, input io.Reader) (io.Reader, error) {
		if set != unnamed {
			return input, nil
		}
		return declaredReader(label, input)
	}
	r := xmlReader{dec: dec}
	tree, err := r.document()
	if errors.Is(err, ErrUnsupported) {
		return nil, err
	}
	if err != nil {
		line, column := dec.InputPos()
		return nil, &SyntaxError{Format: XML, Line: line, Column: column, Problem: string(problemOf(err))}
	}
	return tree, nil
}

func declaredReader(label string, input io.Reader) (io.Reader, error) {
	set, err := charsetNamed(label)
	if err != nil {
		return nil, err
	}
	return set.reader(input), nil
}

func problemOf(err error) problem {
	var own problem
	switch {
	case errors.As(err, &own):
		return own
	case errors.Is(err, io.EOF):
		return endsEarly
	default:
		return notXML
	}
}

type xmlReader struct {
	dec   *xml.Decoder
	nodes int
}

// document parses one root element and nothing after it.
func (r *xmlReader) document() (Value, error) {
	root := map[string]any{}
	for {
		token, err := r.dec.Token()
		if errors.Is(err, io.EOF) && len(root) > 0 {
			return root, nil
		}
		if err != nil {
			return nil, fmt.Errorf("read document: %w", err)
		}
		switch token := token.(type) {
		case xml.StartElement:
			if len(root) > 0 {
				return nil, secondRoot
			}
			if root[token.Name.Local], err = r.element(token, 1); err != nil {
				return nil, err
			}
		case xml.CharData:
			if len(bytes.TrimSpace(token)) > 0 {
				return nil, textOutside
			}
		case xml.Directive:
			return nil, documentType
		}
	}
}

func (r *xmlReader) element(start xml.StartElement, depth int) (Value, error) {
	if depth > maxElementDepth {
		return nil, tooDeep
	}
	if r.nodes += 1 + len(start.Attr); r.nodes > MaxNodes {
		return nil, tooMany
	}
	object, null, err := attributes(start.Attr)
	if err != nil {
		return nil, err
	}
	var text strings.Builder
	for {
		token, err := r.dec.Token()
		if err != nil {
			return nil, fmt.Errorf("read element: %w", err)
		}
		switch token := token.(type) {
		case xml.StartElement:
			child, err := r.element(token, depth+1)
			if err != nil {
				return nil, err
			}
			add(object, token.Name.Local, child)
		case xml.CharData:
			text.Write(token)
		case xml.Directive:
			return nil, documentType
		case xml.EndElement:
			return finish(object, strings.TrimSpace(text.String()), null), nil
		}
	}
}

// schemaInstance is the namespace of xsi:nil and xsi:type (XML Schema part 1,
// section 2.6).
const schemaInstance = "http://www.w3.org/2001/XMLSchema-instance"

// attributes omits declarations of namespaces. The value of xsi:type is a name, so
// its prefix is removed as well.
func attributes(list []xml.Attr) (object map[string]any, null bool, err error) {
	object = map[string]any{}
	for _, attr := range list {
		if attr.Name.Space == "xmlns" || attr.Name.Local == "xmlns" {
			continue
		}
		if attr.Name.Local == "nil" && attr.Name.Space == schemaInstance {
			null = attr.Value == "true" || attr.Value == "1"
			continue
		}
		key := "@" + attr.Name.Local
		if _, twice := object[key]; twice {
			return nil, false, repeatedAttr
		}
		object[key] = attr.Value
		if attr.Name.Space == schemaInstance && attr.Name.Local == "type" {
			object[key] = attr.Value[strings.LastIndexByte(attr.Value, ':')+1:]
		}
	}
	return object, null, nil
}

// add makes a list of repeated elements. No child is itself a list.
func add(object map[string]any, name string, child Value) {
	old, repeated := object[name]
	list, isList := old.([]any)
	switch {
	case !repeated:
		object[name] = child
	case isList:
		object[name] = append(list, child)
	default:
		object[name] = []any{old, child}
	}
}

func finish(object map[string]any, text string, null bool) Value {
	switch {
	case null && len(object) == 0 && text == "":
		return nil
	case len(object) == 0:
		return text
	case text != "":
		object["#text"] = text
	}
	return object
}
