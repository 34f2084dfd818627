package field

import (
	"encoding/json"
	"math"
	"regexp"
	"strconv"
	"strings"

	"callbridge/event"
	"callbridge/mapping/payload"
	"callbridge/mapping/phone"
	"callbridge/untrusted"
)

// convert converts one value to the field's type. A text may be a bool or a
// number, such as "false" and "72"; nothing else is guessed.
func (f *Field) convert(v payload.Value) Value {
	if f.kind == TypeList {
		return f.convertList(v)
	}
	text, ok := Scalar(v)
	if !ok {
		return unreadable(event.ReasonBadField, "found "+Describe(v)+" where "+f.kind+" belongs")
	}
	text = strings.TrimSpace(text)
	switch f.kind {
	case TypeNumber:
		if _, isBool := v.(bool); isBool {
			break
		}
		if r, ok := numberValue(text); ok {
			return r
		}
	case TypeBool:
		if b, ok := boolWords[strings.ToLower(text)]; ok {
			return Value{Typed: b, Text: strconv.FormatBool(b)}
		}
	case TypeTime:
		if t, ok := ParseTime(text, f.formats); ok {
			return timeValue(t)
		}
	case TypeCountry:
		if region, ok := phone.Country(text); ok {
			return textValue(region)
		}
	default:
		return textValue(text)
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
	texts, problem := flatten(values)
	if problem != "" {
		return unreadable(event.ReasonBadField, problem)
	}
	return listValue(texts)
}

// flatten returns the texts of single values and of lists of them, without
// empty ones. The second result says what is wrong.
func flatten(values []any) ([]string, string) {
	var texts []string
	for _, v := range values {
		if list, ok := v.([]any); ok {
			inner, problem := flatten(list)
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
		texts = append(texts, strings.TrimSpace(text))
	}
	return texts, ""
}

// boolWords are the spellings of bools that CRMs use.
var boolWords = map[string]bool{
	"true": true, "yes": true, "1": true, "on": true,
	"false": false, "no": false, "0": false, "off": false,
}

// decimal is a number as people and JSON write it, without thousands
// separators: 1,200 is 1200 in one country and 1.2 in another.
var decimal = regexp.MustCompile(`^([+-]?)0*([0-9]+)(?:\.([0-9]+))?(?:[eE]([+-]?[0-9]{1,2}))?$`)

// numberValue keeps the digits for texts and metadata. Rules see a float64, or
// an int64 if a float64 would lose digits.
func numberValue(text string) (Value, bool) {
	plain := text
	if !isPlain(text) {
		parts := decimal.FindStringSubmatch(text)
		if parts == nil {
			return Value{}, false
		}
		plain = plainDecimal(parts[1], parts[2], parts[3], parts[4])
	}
	double, err := strconv.ParseFloat(plain, 64)
	if err != nil {
		return Value{}, false
	}
	var typed any = double
	if math.Abs(double) >= 1<<53 {
		if whole, err := strconv.ParseInt(plain, 10, 64); err == nil {
			typed = whole
		}
	}
	return Value{Typed: typed, Text: plain}, true
}

// isPlain reports whether a number needs no rewriting: a shortcut for most.
func isPlain(text string) bool {
	whole, fraction, dotted := strings.Cut(text, ".")
	return isDigits(whole) && whole[0] != '0' && (!dotted || isDigits(fraction))
}

func isDigits(text string) bool { return text != "" && strings.Trim(text, "0123456789") == "" }

// plainDecimal writes a number without an exponent: an agent would read
// 4.8e+03 aloud.
func plainDecimal(sign, whole, fraction, exponent string) string {
	shift, _ := strconv.Atoi(exponent)
	for ; shift > 0; shift-- {
		digit := "0"
		if fraction != "" {
			digit, fraction = fraction[:1], fraction[1:]
		}
		whole += digit
	}
	for ; shift < 0; shift++ {
		last := len(whole) - 1
		fraction = whole[last:] + fraction
		if whole = whole[:last]; whole == "" {
			whole = "0"
		}
	}
	if whole = strings.TrimLeft(whole, "0"); whole == "" {
		whole = "0"
	}
	if sign == "-" {
		whole = "-" + whole
	}
	if fraction != "" {
		whole += "." + fraction
	}
	return whole
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
		if runes := []rune(v); len(runes) > 20 {
			return "a text of " + strconv.Itoa(len(runes)) + " characters"
		}
		return "the text " + strconv.Quote(untrusted.Redact(v))
	default:
		return "nothing"
	}
}
