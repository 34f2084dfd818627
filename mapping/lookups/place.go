package lookups

import (
	"net/url"
	"regexp"
	"strings"
	"unicode"

	"callbridge/untrusted"
)

// Patterns of what an event may write into a request. A CRM decodes, splits and
// interprets texts in its own way, so each place has a list of what is allowed.
var (
	// id is for path segments, and for texts that are part of a longer one, such as a
	// query in COQL, SOQL or GraphQL.
	id = regexp.MustCompile(`^[A-Za-z0-9_-]+([.:=][A-Za-z0-9_-]+)*=?$`)
	// searched is for the whole value of a parameter, such as an email address.
	searched = regexp.MustCompile(`^[\p{L}\p{N}_+-]([\p{L}\p{M}\p{N} _.:@+=~-]*[\p{L}\p{M}\p{N}_=-])?$`)
)

const (
	maxID       = 128
	maxSearched = 254 // the longest email address (RFC 5321)
)

const (
	wantsID       = "is no id: letters, digits, - and _, with single dots, colons or equal signs between"
	wantsSearched = "is no value to search for: letters, digits, blanks and _ . : @ + = ~ - only"
	wantsText     = "is not a text of at most 254 visible characters"
)

// isID reports whether a text is safe in a path and in the text of a query language.
func isID(text string) bool { return len(text) <= maxID && id.MatchString(text) }

func isSearched(text string) bool {
	return len(text) <= maxSearched && searched.MatchString(text) && !strings.Contains(text, "..")
}

// urlEscaped keeps a value within one path segment or parameter. before and after are
// the texts around it.
func urlEscaped(text, before, after string) (escaped, problem string) {
	_, query, inQuery := strings.Cut(before, "?")
	parameter := query[strings.LastIndexByte(query, '&')+1:]
	name, _ := strings.CutSuffix(parameter, "=")
	isWhole := inQuery && parameter != name && !strings.ContainsRune(name, '=') && (after == "" || after[0] == '&')
	switch {
	case !isWhole && !isID(text):
		return "", wantsID
	case isWhole && !isSearched(text):
		return "", wantsSearched
	case inQuery:
		return url.QueryEscape(text), ""
	}
	return url.PathEscape(text), ""
}

// jsonEscaped is the text as JSON writes it between quotes. As a whole string it is a
// value of its own, which the CRM binds; inside of a longer one it has to be an id.
func jsonEscaped(text, before, after string) (escaped, problem string) {
	isWhole := strings.HasSuffix(before, `"`) && strings.HasPrefix(after, `"`)
	switch {
	case !isWhole && !isID(text):
		return "", wantsID
	case isWhole && (len(text) > maxSearched || untrusted.Visible(text) != text || strings.ContainsFunc(text, unicode.IsControl)):
		return "", wantsText
	}
	return jsonText(text)
}
