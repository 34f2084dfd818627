package config

import (
	"regexp"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v4"
)

// plainScalar matches texts that YAML reads as they are, also between { } and [ ].
var plainScalar = regexp.MustCompile(`^[\p{L}\p{N}_/$][\p{L}\p{N}\p{M}_./$@-]*(:[\p{L}\p{N}_][\p{L}\p{N}\p{M}_./$@-]*)*$`)

// Quoted returns a text as callbridge.yaml has to contain it: with quotes where YAML
// would read it as something else.
func Quoted(text string) string {
	var read yaml.Node
	isText := plainScalar.MatchString(text) && yaml.Unmarshal([]byte(text), &read) == nil && read.Content[0].Tag != "!!null"
	hasControl := strings.ContainsFunc(text, func(r rune) bool { return r < ' ' || r == 0x7f })
	switch {
	case isText:
		return text
	case hasControl:
		return strconv.Quote(text)
	case strings.ContainsAny(text, `"\`):
		return "'" + strings.ReplaceAll(text, "'", "''") + "'"
	default:
		return `"` + text + `"`
	}
}

var (
	// bracketed are paths that YAML does not read without quotes, such as
	// form_fields[phone] between { } and [*] anywhere.
	bracketed = regexp.MustCompile(`[\p{L}\p{N}_@:#$."-]*\[[^\[\]]*\][^\s,}\]]*|"[^"]*"\.[^\s,}\]]*|[*@][^\s,}\]]*`)
	pathKey   = regexp.MustCompile(`\b(path|split|country|key|type|time|version|zone)["']?: *\[?`)
)

// quoteHint says that a path needs quotes, if there is one without them where the line of
// a YAML error has its column. It quotes the path only where a secret cannot be.
func quoteHint(line string, column int) string {
	for _, at := range bracketed.FindAllStringIndex(line, -1) {
		from, to := len([]rune(line[:at[0]])), len([]rune(line[:at[1]]))
		if column-1 < from || column-1 > to+1 || at[0] > 0 && strings.ContainsRune(`"'`, rune(line[at[0]-1])) {
			continue
		}
		key := pathKey.FindStringIndex(line[:at[0]])
		if key == nil || strings.TrimSpace(line[key[1]:at[0]]) != "" {
			return `a path with brackets, * or quotes stands in quotes: "tags[*]"`
		}
		return "a path with brackets, * or quotes stands in quotes: " + Quoted(line[at[0]:at[1]])
	}
	return ""
}
