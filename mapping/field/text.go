package field

import (
	"html"
	"regexp"
	"strings"
	"unicode/utf8"

	xhtml "golang.org/x/net/html"
	"golang.org/x/net/html/atom"

	"callbridge/untrusted"
)

// plainText returns a text of a CRM as a person reads it: without markup (unless
// keepMarkup), unfilled placeholders and invisible characters.
func plainText(text string, keepMarkup bool) string {
	if isPlainASCII(text) {
		return strings.TrimSpace(text)
	}
	if !keepMarkup && strings.ContainsAny(text, "<&") {
		text = withoutMarkup(text)
	}
	if strings.ContainsAny(text, "{*$%") {
		text = inner.ReplaceAllString(text, "")
	}
	return strings.TrimSpace(untrusted.Visible(text))
}

// isPlainASCII reports whether plainText has nothing to do: a shortcut for most.
func isPlainASCII(text string) bool {
	for i := range len(text) {
		switch c := text[i]; {
		case c < ' ', c >= utf8.RuneSelf, c == 0x7f:
			return false
		case c == '<', c == '&', c == '{', c == '*', c == '$', c == '%':
			return false
		}
	}
	return true
}

// entity is a character reference of HTML. Without the semicolon it is not read:
// AT&T and Black&notes are names.
var entity = regexp.MustCompile(`&(?:#[0-9]{1,7}|#[xX][0-9a-fA-F]{1,6}|[A-Za-z][A-Za-z0-9]{1,31});`)

// withoutMarkup takes the tags of HTML out of a text and turns entities into
// letters. What only looks like a tag stays: "a < b", "<ada@example.com>".
func withoutMarkup(text string) string {
	var b strings.Builder
	z := xhtml.NewTokenizer(strings.NewReader(text))
	hidden := 0 // within script or style
	for {
		kind := z.Next()
		raw := string(z.Raw())
		name, known := tagName(z, kind)
		switch {
		case kind == xhtml.ErrorToken:
			b.WriteString(raw) // a tag that does not end
			return b.String()
		case kind == xhtml.CommentToken, kind == xhtml.DoctypeToken:
			if !strings.HasPrefix(raw, "<!") {
				b.WriteString(raw)
			}
		case kind == xhtml.TextToken:
			if hidden == 0 {
				b.WriteString(entity.ReplaceAllStringFunc(raw, html.UnescapeString))
			}
		case !known:
			b.WriteString(raw)
		case name == atom.Script || name == atom.Style:
			hidden = max(0, hidden+map[xhtml.TokenType]int{xhtml.StartTagToken: 1, xhtml.EndTagToken: -1}[kind])
		case !inline[name]:
			b.WriteByte('\n')
		}
	}
}

// tagName returns the element of a tag, and whether HTML has such an element.
func tagName(z *xhtml.Tokenizer, kind xhtml.TokenType) (atom.Atom, bool) {
	if kind != xhtml.StartTagToken && kind != xhtml.EndTagToken && kind != xhtml.SelfClosingTagToken {
		return 0, false
	}
	name, _ := z.TagName()
	found := atom.Lookup(name)
	return found, found != 0
}

// inline are the elements that do not end a line.
var inline = map[atom.Atom]bool{
	atom.A: true, atom.B: true, atom.Strong: true, atom.I: true, atom.Em: true, atom.U: true, atom.S: true, atom.Span: true, atom.Font: true,
	atom.Small: true, atom.Big: true, atom.Sub: true, atom.Sup: true, atom.Mark: true, atom.Code: true, atom.Abbr: true, atom.Time: true,
}

// inner are placeholders in the middle of a text. Only forms that no person writes
// are taken out there.
var inner = regexp.MustCompile(`\{\{[^{}]*\}\}|\{%[^{}%]*%\}|\*\|[^|*]*\|\*|[$#]\{[^{}]*\}|\{![^{}]*\}|%%[A-Za-z][\w.:-]*%%`)

// whole is a text that is nothing but a placeholder: a merge tag that the CRM has
// not filled in.
var whole = regexp.MustCompile(`^(?:` + strings.Join([]string{
	`\{\{.*\}\}`, `\{%.*%\}`, `\*\|.*\|\*`, `[$#@]?\{!?[A-Za-z_][\w .:=>'-]*\}`,
	`%%?[A-Za-z_][\w .:-]*%%?`, `\[\[?[A-Za-z_][\w .:'-]*\]\]?`, `<%.*%>`, `<<?[A-Za-z_][\w .'-]*>>?`, `«.*»`,
	`##?[A-Za-z_][\w .-]*##?`, `__[A-Za-z][A-Za-z0-9 .]*(?:_[A-Za-z0-9]+)*__`, `@@[A-Za-z_][\w .-]*@@`, `\|\|[A-Za-z_][\w .-]*\|\|`, `\$[A-Z_]{3,}\$?`,
}, "|") + `)$`)

// emptyWords are texts of programs that had no value.
var emptyWords = map[string]bool{
	"null": true, "nil": true, "none": true, "undefined": true, "nan": true, "n/a": true, "n.a.": true, "#n/a": true,
	"(null)": true, "(none)": true, "(empty)": true, "(blank)": true, "<null>": true, "<none>": true, "<empty>": true, "[object object]": true,
	"#value!": true, "#ref!": true, "#name?": true,
	"-": true, "--": true, "---": true, "–": true, "—": true, ".": true, "..": true, "...": true, "…": true, "_": true, "?": true,
}

// mayBeEmptyWord reports whether one of emptyWords begins with c: a shortcut for
// most texts.
func mayBeEmptyWord(c byte) bool {
	return c >= utf8.RuneSelf || strings.IndexByte("nNuU(#<[-._?", c) >= 0
}

// maxEmptyWord is the length of the longest of them in bytes.
const maxEmptyWord = len("[object Object]")

// isEmpty reports whether a text means no value in every CRM: a placeholder,
// one of emptyWords, or a text of which nothing can be seen.
func isEmpty(text string) bool {
	text = strings.TrimSpace(text)
	if text == "" {
		return true
	}
	switch c := text[0]; {
	case len(text) <= maxEmptyWord && mayBeEmptyWord(c) && emptyWords[strings.ToLower(text)]:
		return true
	case c >= utf8.RuneSelf:
		return strings.TrimSpace(untrusted.Visible(text)) == "" || whole.MatchString(text)
	case strings.IndexByte(`{[<*%$#@_|`, c) >= 0:
		return whole.MatchString(text)
	}
	return false
}
