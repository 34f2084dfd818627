package callab

import (
	"errors"
	"net"
	"net/url"
	"strings"
)

const bearer = "Bearer "

// CheckToken returns why a text cannot be Callab's token, which is sent after
// "Authorization: Bearer". White space around it does not count. The error does not
// quote the text.
func CheckToken(text string) error {
	token := strings.TrimSpace(text)
	scheme, _, _ := strings.Cut(bearer, " ")
	switch {
	case token == "":
		return errors.New("the token is empty")
	case len(token) >= len(scheme) && strings.EqualFold(token[:len(scheme)], scheme) && !isWord(token[len(scheme):]):
		return errors.New(`the token begins with "Bearer": write it without this word, which is added to each request`)
	case strings.ContainsAny(token, " \t\r\n"):
		return errors.New("the token has a blank or a line break inside: write the token alone, on one line")
	case strings.HasPrefix(token, "${"), strings.HasPrefix(token, "<") && strings.HasSuffix(token, ">"):
		return errors.New("the token is a placeholder: write the token in its place")
	case strings.ContainsRune("\"'`", rune(token[0])) && token[len(token)-1] == token[0]:
		return errors.New("the token is in quotes: write it without them")
	}
	for _, b := range []byte(token) {
		if b < ' ' || b > '~' {
			return errors.New("the token has a character that a header cannot have: RFC 6750 allows visible ASCII only")
		}
	}
	return nil
}

// isWord reports whether a text goes on with a letter or a digit.
func isWord(rest string) bool {
	if rest == "" {
		return false
	}
	c := rest[0] | 0x20
	return c >= 'a' && c <= 'z' || c >= '0' && c <= '9'
}

// Remarks returns what is unusual about the base URL of the API and probably not
// meant. It does not quote the URL.
func Remarks(text string) []string {
	base, err := parseBase(text)
	if err != nil {
		return nil // New refuses it
	}
	var remarks []string
	if !strings.HasSuffix(strings.TrimSuffix(base.Path, "/"), "/v1") {
		remarks = append(remarks, "does not end in /v1, with which every path of Callab's API begins: it is "+DefaultURL)
	}
	if base.Scheme == "http" && !isLoopback(base) {
		remarks = append(remarks, "is plain http to another machine: the token and the calls cross the network readable; write https://")
	}
	return remarks
}

func isLoopback(base *url.URL) bool {
	ip := net.ParseIP(base.Hostname())
	return ip != nil && ip.IsLoopback() || strings.EqualFold(base.Hostname(), "localhost")
}
