package signature

import (
	"bytes"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
)

// encoding is how bytes are written in a header.
type encoding string

const (
	inHex       encoding = "hex"
	inBase64    encoding = "base64"
	inBase64URL encoding = "base64url"
)

func newEncoding(name string) (encoding, error) {
	return encoding(name), oneOf("encoding", name, string(inHex), string(inBase64), string(inBase64URL))
}

func (e encoding) append(dst, raw []byte) []byte {
	switch e {
	case inHex:
		return hex.AppendEncode(dst, raw)
	case inBase64URL:
		return base64.RawURLEncoding.AppendEncode(dst, raw)
	}
	return base64.StdEncoding.AppendEncode(dst, raw)
}

// equal compares in constant time. Upper-case hex and base64 with or without
// padding are the same text; given is changed.
func (e encoding) equal(expected, given []byte) bool {
	if e == inHex {
		for i, c := range given {
			if 'A' <= c && c <= 'F' {
				given[i] = c + ('a' - 'A')
			}
		}
	} else {
		expected, given = bytes.TrimRight(expected, "="), bytes.TrimRight(given, "=")
	}
	return subtle.ConstantTimeCompare(expected, given) == 1
}

// decode is for public-key signatures, which cannot be computed and compared.
// It is strict, so that a signature has one spelling.
func (e encoding) decode(text string) ([]byte, error) {
	switch e {
	case inHex:
		return hex.DecodeString(text)
	case inBase64URL:
		return base64.RawURLEncoding.Strict().DecodeString(trimPadding(text))
	}
	return base64.RawStdEncoding.Strict().DecodeString(trimPadding(text))
}
