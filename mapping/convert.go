package mapping

import (
	"encoding/json"
	"math"
	"regexp"
	"strconv"
	"strings"
	"time"

	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"

	"callbridge/event"
	"callbridge/mapping/payload"
)

// convert reads one value as the field's type. Strings say what they say:
// "false" is false and "72" is 72, but nothing else is guessed.
func (f *field) convert(v payload.Value) reading {
	if f.kind == typeList {
		return f.convertList(v)
	}
	text, ok := scalarText(v)
	if !ok {
		return odd(reasonBadField, "found "+describe(v)+" where "+f.kind+" belongs")
	}
	text = strings.TrimSpace(text)
	switch f.kind {
	case typeNumber:
		if _, isBool := v.(bool); isBool {
			break
		}
		if r, ok := numberReading(text); ok {
			return r
		}
	case typeBool:
		if b, ok := boolWords[strings.ToLower(text)]; ok {
			return reading{rule: types.Bool(b), text: strconv.FormatBool(b)}
		}
	case typeTime:
		if t, ok := parseTime(text, f.formats); ok {
			return timeReading(t)
		}
	case typeCountry:
		if region, ok := parseRegion(text); ok {
			return textReading(region)
		}
	default:
		return textReading(text)
	}
	return odd(reasonBadField, "found "+describe(v)+" where "+f.kind+" belongs")
}

func (f *field) convertList(v payload.Value) reading {
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
		return odd(reasonBadField, problem)
	}
	return listReading(texts)
}

// flatten returns the texts of single values and of lists of them, without
// those that say nothing.
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
		text, ok := scalarText(v)
		if !ok {
			return nil, "found a list with " + describe(v) + " in it"
		}
		texts = append(texts, strings.TrimSpace(text))
	}
	return texts, ""
}

// boolWords are the spellings of yes and no that CRMs use.
var boolWords = map[string]bool{
	"true": true, "yes": true, "1": true, "on": true,
	"false": false, "no": false, "0": false, "off": false,
}

// decimal is a number as people and JSON write it, without thousands
// separators: 1,200 is 1200 in one country and 1.2 in another.
var decimal = regexp.MustCompile(`^([+-]?)0*([0-9]+)(?:\.([0-9]+))?(?:[eE]([+-]?[0-9]{1,2}))?$`)

// numberReading keeps the digits for texts and metadata. Rules see a double,
// or an int where a double would lose digits.
func numberReading(text string) (reading, bool) {
	plain := text
	if !isPlain(text) {
		parts := decimal.FindStringSubmatch(text)
		if parts == nil {
			return reading{}, false
		}
		plain = plainDecimal(parts[1], parts[2], parts[3], parts[4])
	}
	double, err := strconv.ParseFloat(plain, 64)
	if err != nil {
		return reading{}, false
	}
	var rule ref.Val = types.Double(double)
	if math.Abs(double) >= 1<<53 {
		if whole, err := strconv.ParseInt(plain, 10, 64); err == nil {
			rule = types.Int(whole)
		}
	}
	return reading{rule: rule, text: plain}, true
}

// isPlain spares most numbers the regular expression.
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

func textReading(text string) reading {
	return reading{rule: types.String(text), text: text}
}

func timeReading(t time.Time) reading {
	text := t.Format(time.RFC3339Nano)
	return reading{rule: types.Timestamp{Time: t}, text: text}
}

func listReading(texts []string) reading {
	rule := types.NewStringList(types.DefaultTypeAdapter, texts)
	return reading{rule: rule, text: strings.Join(texts, ", ")}
}

// describe says what was found, for the result event: the kind, and of a
// short text the text with its numbers masked.
func describe(v payload.Value) string {
	switch v := v.(type) {
	case map[string]any:
		return "an object"
	case []any:
		return "a list"
	case bool:
		return strconv.FormatBool(v)
	case json.Number:
		return "the number " + event.Redact(v.String())
	case string:
		if runes := []rune(v); len(runes) > 20 {
			return "a text of " + strconv.Itoa(len(runes)) + " characters"
		}
		return "the text " + quote(event.Redact(v))
	default:
		return "nothing"
	}
}
