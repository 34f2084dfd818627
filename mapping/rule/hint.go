package rule

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"callbridge/mapping/config"
)

// foreignWords are words of other languages, with what a rule has instead.
var foreignWords = map[string]string{
	"and": "write &&", "or": "write ||", "not": "write ! before the condition, as in !(stage == \"won\")",
	"xor": "write !=", "is": "write ==", "isnt": "write !=", "equals": "write ==", "eq": "write ==", "ne": "write !=",
	"contains": `write name.contains("text")`, "like": `write name.contains("text"), or name.matches("^regular expression$")`,
	"between": "write amount >= 1 && amount <= 5", "if": "a rule is one condition: write it without if", "then": "join conditions with &&",
}

// foreignSigns are operators of other languages, the longer ones first.
var foreignSigns = []struct{ written, hint string }{
	{"===", "write =="}, {"!==", "write !="}, {"=>", "write >="}, {"=<", "write <="}, {"<>", "write !="},
	{"==", ""}, {"!=", ""}, {">=", ""}, {"<=", ""}, {"&&", ""}, {"||", ""},
	{"=", "write =="}, {"&", "write &&"}, {"|", "write ||"}, {"≠", "write !="}, {"≤", "write <="}, {"≥", "write >="},
	{"“", `write straight quotes: "`}, {"”", `write straight quotes: "`}, {"„", `write straight quotes: "`},
	{"‘", "write straight quotes: '"}, {"’", "write straight quotes: '"},
	{"{{", "a rule names a field without braces"}, {"$", "a rule names a field without $"}, {"@", "a rule names a field without @"},
}

// foreign is a word or sign of another language in a rule.
type foreign struct {
	offset        int // in characters
	written, hint string
}

// foreignIn returns the first word or sign in a rule that CEL does not know but other
// languages have, unless it is the name of a field. Texts in quotes are passed over.
func (e *Environment) foreignIn(rule string) (foreign, bool) {
	runes := []rune(rule)
	for i := 0; i < len(runes); {
		r := runes[i]
		switch {
		case r == '"' || r == '\'':
			i = afterQuote(runes, i)
		case unicode.IsLetter(r) || r == '_':
			end := i
			for end < len(runes) && (unicode.IsLetter(runes[end]) || unicode.IsDigit(runes[end]) || runes[end] == '_') {
				end++
			}
			word := string(runes[i:end])
			isMethod := i > 0 && runes[i-1] == '.'
			if hint, ok := foreignWords[strings.ToLower(word)]; ok && !isMethod && !e.declares(word) {
				return foreign{i, word, hint}, true
			}
			i = end
		default:
			sign, hint := signAt(string(runes[i:min(i+3, len(runes))]))
			if hint != "" {
				return foreign{i, sign, hint}, true
			}
			i += max(len([]rune(sign)), 1)
		}
	}
	return foreign{}, false
}

func signAt(text string) (sign, hint string) {
	for _, s := range foreignSigns {
		if strings.HasPrefix(text, s.written) {
			return s.written, s.hint
		}
	}
	return "", ""
}

// afterQuote returns the position after the text that begins with a quote there.
func afterQuote(runes []rune, start int) int {
	for i := start + 1; i < len(runes); i++ {
		switch runes[i] {
		case '\\':
			i++
		case runes[start]:
			return i + 1
		}
	}
	return len(runes)
}

// undeclaredHint says what may be meant by a name that is not declared. After is the
// rest of the rule, after the name.
func (e *Environment) undeclaredHint(name, after string) string {
	switch word := strings.ToLower(name); {
	case word == "true" || word == "false":
		return "write " + word
	case foreignWords[word] != "":
		return foreignWords[word]
	case word == "null" || word == "nil" || word == "none" || word == "undefined":
		return "whether a field has a value is asked by present(field)"
	}
	if !strings.HasPrefix(after, "(") {
		if e.fixed {
			return cmp.Or(config.Suggest(name, e.names), "the names are "+strings.Join(e.names, ", ")+"; a text goes in quotes")
		}
		if config.Suggest(name, e.names) == "" {
			return config.SuggestField(name, nil) + "; a text goes in quotes"
		}
		return config.SuggestField(name, e.names)
	}
	known := []string{"size"}
	for _, function := range Functions() {
		known = append(known, function.Name)
	}
	if hint := config.Suggest(name, known); hint != "" {
		return hint
	}
	return "the functions are " + strings.Join(known, ", ")
}

// overloadHint says what to write instead of an operation on these types, which are the
// types of fields in parentheses.
func overloadHint(operation, types string) string {
	left, right, _ := strings.Cut(strings.Trim(types, "()"), ", ")
	isOf := func(kinds ...string) bool {
		return slices.Contains(kinds, left) && slices.Contains(kinds, right) && left != right
	}
	compares := slices.Contains([]string{"==", "!=", "<", "<=", ">", ">="}, operation)
	switch {
	case compares && (left == "null" || right == "null"):
		return "whether a field has a value is asked by present(field)"
	case compares && isOf("bool", "string"):
		return "a bool needs no comparison: write the name alone, or ! before it"
	case compares && isOf("number", "string"):
		return "a number stands without quotes and a text in quotes; see the type of the field"
	case compares && isOf("list(string)", "string"):
		return `write "text" in field`
	case operation == "in" && right == "string":
		return `write field in ["a", "b"], or field.contains("text")`
	case operation == "lower" && strings.HasPrefix(types, "string."):
		return "write lower(field)"
	}
	for _, function := range Functions() {
		if function.Name == operation {
			return "it is " + function.Signature
		}
	}
	return ""
}

// problem says that the rule language does not have the word or sign.
func (f foreign) problem() string {
	return strconv.Quote(f.written) + " is not part of the rule language"
}

// syntaxHint says what may be wrong where CEL cannot go on. Rest is the rule from there.
func syntaxHint(message, rest string) string {
	switch {
	case strings.HasPrefix(message, "token recognition error") && strings.HasPrefix(strings.TrimLeft(rest, " "), `"`),
		strings.HasPrefix(message, "token recognition error") && strings.HasPrefix(strings.TrimLeft(rest, " "), "'"):
		return "a text ends with the quote with which it begins"
	case strings.HasPrefix(message, "mismatched input ','"):
		return `a list stands in brackets: stage in ["a", "b"]`
	}
	return ""
}
