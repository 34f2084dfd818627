// Package personkey names persons: by the keyed hash of their number. A stream whose subjects
// have such names knows its key by a check value. It belongs to package bus.
package personkey

import (
	"bytes"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"callbridge/bus/flush"
)

// FileName is the file with the person key that is made beside the store of the
// embedded NATS.
const FileName = "person-key"

// minBytes is the length of the shortest key that is accepted.
const minBytes = 32

// Key turns numbers into names of persons. The zero Key is none.
type Key struct{ secret []byte }

// IsZero reports whether there is no key.
func (k Key) IsZero() bool { return k.secret == nil }

// String hides the key.
func (Key) String() string { return "person key" }

// GoString hides the key.
func (k Key) GoString() string { return k.String() }

// Person is the name of the person of a number in E.164 without an extension: 32
// hexadecimal digits.
func (k Key) Person(e164 string) string { return k.sum("person\n" + e164) }

// Check is the value by which a stream knows its key.
func (k Key) Check() string { return k.sum("check") }

func (k Key) sum(text string) string {
	mac := hmac.New(sha256.New, k.secret)
	mac.Write([]byte(text))
	return hex.EncodeToString(mac.Sum(nil)[:16])
}

// New makes a key of 32 random bytes or more, as text or not.
func New(secret []byte) (Key, error) {
	secret = bytes.TrimSpace(secret)
	if len(secret) < minBytes {
		return Key{}, fmt.Errorf("it has %d bytes and needs at least %d random ones: make one with `openssl rand -hex 32`", len(secret), minBytes)
	}
	return Key{bytes.Clone(secret)}, nil
}

// Read reads the key in a file. The error is os.ErrNotExist if there is none.
func Read(file string) (Key, error) {
	content, err := os.ReadFile(file)
	if err != nil {
		return Key{}, fmt.Errorf("read person key: %w", err)
	}
	key, err := New(content)
	if err != nil {
		return Key{}, fmt.Errorf("person key %s: %w", file, err)
	}
	return key, nil
}

// Ensure reads the key in a directory, and makes it if there is none. A crash leaves no
// file or the whole one.
func Ensure(dir string) (Key, error) {
	file := filepath.Join(dir, FileName)
	key, err := Read(file)
	if !errors.Is(err, os.ErrNotExist) {
		return key, err
	}
	secret := make([]byte, minBytes)
	if _, err := rand.Read(secret); err != nil {
		return Key{}, fmt.Errorf("make person key: %w", err)
	}
	if err := flush.Replace(file, []byte(hex.EncodeToString(secret)+"\n")); err != nil {
		return Key{}, fmt.Errorf("write person key: %w", err)
	}
	return Read(file)
}
