package field

import (
	"encoding/json"
	"math"
	"regexp"
	"strconv"
	"strings"

	"callbridge/event"
	"callbridge/mapping/payload"
)

// convertNumber converts a value into a number. A text such as 1.200 or 1,200 means
// thousands in one country and a fraction in another: it is refused, unless the field
// names its decimal sign (decimal:).
func (f *Field) convertNumber(v payload.Value, text string) Value {
	plain := text
	_, isNumber := v.(json.Number)
	switch {
	case isNumber:
	case f.decimal != "":
		var ok bool
		if plain, ok = withoutThousands(text, f.decimal); !ok {
			return unreadable(event.ReasonBadField, "found "+Describe(v)+" where a number with "+strconv.Quote(f.decimal)+" as its decimal sign belongs")
		}
	case thousandsOrFraction.MatchString(text):
		return unreadable(event.ReasonBadField, "found "+Describe(v)+", which is thousands in one country and a fraction in another: set decimal: \".\" or decimal: \",\"")
	}
	if r, ok := numberValue(plain); ok && v != true && v != false {
		return r
	}
	return unreadable(event.ReasonBadField, "found "+Describe(v)+" where number belongs")
}

// thousandsOrFraction matches a number with one separator and three digits after it,
// which may be thousands or a fraction.
var thousandsOrFraction = regexp.MustCompile(`^[+-]?[1-9][0-9]{0,2}[.,][0-9]{3}$`)

// grouped has groups of three digits: 1.200.000, 1 200, 1'200.
var grouped = regexp.MustCompile(`^[+-]?[0-9]{1,3}(?:[.,' \x{2019}][0-9]{3})+$`)

// withoutThousands writes a number with a decimal sign as numberValue reads it,
// without zeros at the end: 75.000 is said as 75.
// False is a number whose thousands are not in groups of three, or that has the
// decimal sign twice.
func withoutThousands(text, sign string) (string, bool) {
	whole, fraction, hasFraction := strings.Cut(text, sign)
	if strings.Contains(fraction, sign) {
		return "", false
	}
	if grouped.MatchString(whole) {
		first := strings.IndexAny(whole, ".,' ’")
		separator := strings.TrimLeft(whole[first:], "0123456789")
		separator = separator[:len(separator)-len(strings.TrimLeft(separator, ".,' ’"))]
		whole = strings.ReplaceAll(whole, separator, "")
	}
	if strings.ContainsAny(whole, ".,") {
		return "", false
	}
	if fraction = strings.TrimRight(fraction, "0"); hasFraction && fraction != "" {
		whole += "." + fraction
	}
	return whole, true
}

// decimal is a number as people and JSON write it, without thousands
// separators.
var decimal = regexp.MustCompile(`^([+-]?)0*([0-9]+)(?:\.([0-9]+))?(?:[eE]([+-]?[0-9]{1,2}))?$`)

// numberValue keeps the digits for texts and metadata. Rules see a float64, or
// an int64 if a float64 would lose digits.
func numberValue(text string) (Value, bool) {
	if len(text) > payload.MaxNumber {
		return Value{}, false
	}
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
