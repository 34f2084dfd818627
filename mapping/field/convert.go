package field

import (
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"time"

	"callbridge/event"
	"callbridge/mapping/config"
	"callbridge/mapping/payload"
	"callbridge/mapping/phone"
	"callbridge/untrusted"
)

// convert converts one value to the field's type. A text may be a bool or a
// number, such as "false" and "72"; nothing else is guessed. The location is that
// of times without an offset; nil is UTC.
func (f *Field) convert(v payload.Value, location *time.Location) Value {
	if f.kind == TypeList {
		return f.convertList(v)
	}
	text, ok := Scalar(v)
	if !ok {
		return unreadable(event.ReasonBadField, "found "+Describe(v)+" where "+f.kind+" belongs")
	}
	if text = plainText(text, f.source.KeepMarkup); text == "" {
		return missing("nothing but markup or a placeholder")
	}
	switch f.kind {
	case TypeNumber:
		return f.convertNumber(v, text)
	case TypeBool:
		if b, ok := f.boolOf(text); ok {
			return boolValue(b)
		}
	case TypeTime:
		return f.convertTime(v, text, location)
	case TypeCountry:
		if region, ok := phone.Country(text); ok {
			return textValue(region)
		}
	default:
		return f.textOf(text)
	}
	return unreadable(event.ReasonBadField, "found "+Describe(v)+" where "+f.kind+" belongs")
}

func (f *Field) convertList(v payload.Value) Value {
	values, isList := v.([]any)
	if text, ok := v.(string); ok && f.separator != "" {
		for part := range strings.SplitSeq(text, f.separator) {
			values = append(values, part)
		}
	} else if !isList {
		values = []any{v}
	}
	texts, problem := f.flatten(values)
	if problem != "" {
		return unreadable(event.ReasonBadField, problem)
	}
	for i, text := range texts {
		named := f.textOf(text)
		if named.State != Present {
			return named
		}
		texts[i] = named.Text
	}
	return listValue(texts)
}

// textOf is the text of a field: the name that the table has for it, or its first
// word if the field takes only that.
func (f *Field) textOf(text string) Value {
	if f.table != nil {
		name, ok := f.table[text]
		if !ok {
			return unreadable(event.ReasonBadField, "the table has no "+strconv.Quote(untrusted.Log(text)))
		}
		text = name
	}
	if f.firstWord {
		text, _, _ = strings.Cut(text, " ")
	}
	return textValue(text)
}

// flatten returns the texts of single values and of lists of them, without
// empty ones. The second result says what is wrong.
func (f *Field) flatten(values []any) ([]string, string) {
	var texts []string
	for _, v := range values {
		if list, ok := v.([]any); ok {
			inner, problem := f.flatten(list)
			if problem != "" {
				return nil, problem
			}
			texts = append(texts, inner...)
			continue
		}
		if !payload.Present(v) {
			continue
		}
		text, ok := Scalar(v)
		if !ok {
			return nil, "found a list with " + Describe(v) + " in it"
		}
		if text = plainText(text, f.source.KeepMarkup); text != "" && (f.source.KeepPlaceholders || !isEmpty(text)) {
			texts = append(texts, text)
		}
	}
	return texts, ""
}

// boolWords are the spellings of bools that CRMs use.
var boolWords = map[string]bool{
	"true": true, "yes": true, "1": true, "on": true,
	"false": false, "no": false, "0": false, "off": false,
}

// boolOf reads a bool: by the field's own words, by those of the source, or by
// boolWords.
func (f *Field) boolOf(text string) (value, ok bool) {
	word := NormalWord(text)
	if f.trueUnless != nil {
		return !slices.Contains(f.trueUnless, word), true
	}
	for _, words := range []Words{f.words, f.source.Words} {
		if value, ok := words.value(word); ok {
			return value, true
		}
	}
	value, ok = boolWords[word]
	return value, ok
}

// Words are texts that mean true or false, in lower case.
type Words struct{ True, False []string }

func (w Words) value(word string) (value, ok bool) {
	switch {
	case slices.Contains(w.True, word):
		return true, true
	case slices.Contains(w.False, word):
		return false, true
	}
	return false, false
}

// ReadWords reads true_words: and false_words: of a source or a field.
func ReadWords(keys config.Object) (w Words) {
	read := func(key string, into *[]string) {
		if n, ok := keys.Get(key); ok {
			for _, word := range n.PlainTexts() {
				*into = append(*into, NormalWord(word))
			}
		}
	}
	read("true_words", &w.True)
	read("false_words", &w.False)
	for _, word := range w.True {
		if n, ok := keys.Get("false_words"); ok && slices.Contains(w.False, word) {
			n.Problem(strconv.Quote(word)+" means true and false", "")
		}
	}
	return w
}

// Describe says what was found, for the detail of a result: the kind of value
// and, of a short text, the text with its numbers masked.
func Describe(v payload.Value) string {
	switch v := v.(type) {
	case map[string]any:
		return "an object"
	case []any:
		return "a list"
	case bool:
		return strconv.FormatBool(v)
	case json.Number:
		return "the number " + untrusted.Redact(v.String())
	case string:
		if payload.IsJSONText(v) {
			return "a text with JSON inside"
		}
		if runes := []rune(v); len(runes) > 20 {
			return "a text of " + strconv.Itoa(len(runes)) + " characters"
		}
		return "the text " + strconv.Quote(untrusted.Redact(v))
	default:
		return "nothing"
	}
}
