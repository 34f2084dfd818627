package phone

import (
	_ "embed"
	"strings"
	"sync"
	"unicode"

	"golang.org/x/text/unicode/norm"
)

// countries is a table of 21 KB rather than the names of x/text (2 MB in the
// binary), since those lack what CRMs write ("Czech Republic", "Korea, Republic
// of", "U.S.A."), and a line is easier to add here.
//
//go:embed countries.txt
var countries string

// Country reads a contact's country in whatever way it is written: ISO 3166
// alpha-2, alpha-3 or numeric code, "UK", or a name in one of the languages of
// countries.txt. It returns the alpha-2 code.
func Country(text string) (iso2 string, ok bool) {
	if len(text) > maxBytes*2 {
		return "", false
	}
	iso2, ok = countryIndex()[fold(text)]
	return iso2, ok
}

// countryIndex is built when the first country is read.
var countryIndex = sync.OnceValue(func() map[string]string {
	index := make(map[string]string, 3000)
	for line := range strings.Lines(countries) {
		if strings.HasPrefix(line, "#") {
			continue
		}
		iso2, _, _ := strings.Cut(line, ";")
		for writing := range strings.SplitSeq(line, ";") {
			index[fold(writing)] = iso2
		}
	}
	return index
})

// fold makes one of the many ways to write a name. Signs become a space, so
// that "n/a" and "n.a." do not end as NA, Namibia.
func fold(text string) string {
	var b strings.Builder
	b.Grow(len(text))
	space := false
	for _, r := range norm.NFKD.String(text) {
		switch {
		case unicode.IsLetter(r), unicode.IsDigit(r):
			if space && b.Len() > 0 {
				b.WriteByte(' ')
			}
			space = false
			b.WriteRune(unicode.ToLower(r))
		case unicode.Is(unicode.Mn, r), r == '\'', r == '’':
		case r == '&':
			b.WriteString(" and")
			space = true
		default:
			space = true
		}
	}
	return strings.TrimPrefix(b.String(), "the ")
}
