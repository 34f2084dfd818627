package untrusted

import (
	"bytes"
	"errors"
	"strconv"
)

// Problems of JSON at which other readers break.
var (
	ErrTooDeep   = errors.New("nested too deeply")
	ErrBadNumber = errors.New("a number that other readers refuse")
)

// CheckJSON returns ErrTooDeep for JSON whose objects and lists are nested more than
// maxDepth levels, and ErrBadNumber for a number that refused refuses. It leaves it to
// the decoder whether the text is JSON at all.
func CheckJSON(data []byte, maxDepth int, refused func(number []byte) bool) error {
	depth := 0
	for i := 0; i < len(data); i++ {
		switch c := data[i]; {
		case c == '"':
			i = endOfString(data, i)
		case c == '{' || c == '[':
			if depth++; depth > maxDepth {
				return ErrTooDeep
			}
		case c == '}' || c == ']':
			depth--
		case c == '-' || c >= '0' && c <= '9':
			end := endOfNumber(data, i)
			if refused(data[i:end]) {
				return ErrBadNumber
			}
			i = end - 1
		}
	}
	return nil
}

// endOfString returns the index of the quote that ends the string that begins at start.
func endOfString(data []byte, start int) int {
	for i := start + 1; ; i++ {
		next := bytes.IndexByte(data[i:], '"')
		if next < 0 {
			return len(data)
		}
		i += next
		escapes := len(data[start+1:i]) - len(bytes.TrimRight(data[start+1:i], `\`))
		if escapes%2 == 0 {
			return i
		}
	}
}

func endOfNumber(data []byte, start int) int {
	end := start
	for end < len(data) && (data[end] >= '0' && data[end] <= '9' || bytes.IndexByte([]byte("+-.eE"), data[end]) >= 0) {
		end++
	}
	return end
}

// IsInfinite reports whether a number is none for readers that use float64.
func IsInfinite(number string) bool {
	_, err := strconv.ParseFloat(number, 64)
	return errors.Is(err, strconv.ErrRange)
}

// EachText replaces all texts of a decoded JSON value, but for the names of members, by
// what fn makes of them, in place. It returns the value.
func EachText(value any, fn func(string) string) any {
	switch v := value.(type) {
	case string:
		return fn(v)
	case map[string]any:
		for name, member := range v {
			v[name] = EachText(member, fn)
		}
	case []any:
		for i, item := range v {
			v[i] = EachText(item, fn)
		}
	}
	return value
}
