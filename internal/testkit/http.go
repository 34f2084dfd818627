package testkit

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
)

// Answer is an HTTP response that has been read to its end.
type Answer struct {
	Status int
	Header http.Header
	Body   string
}

// Decode parses the body as JSON.
func (a Answer) Decode(t testing.TB, into any) {
	t.Helper()
	if err := json.Unmarshal([]byte(a.Body), into); err != nil {
		t.Fatalf("the answer %d %q is not the expected JSON: %v", a.Status, a.Body, err)
	}
}

// Get requests a URL.
func Get(t testing.TB, url string) Answer {
	t.Helper()
	return Do(t, http.MethodGet, url, "", nil)
}

// Post sends a JSON body with headers, which may be nil.
func Post(t testing.TB, url, body string, header http.Header) Answer {
	t.Helper()
	if header == nil {
		header = http.Header{}
	}
	if header.Get("Content-Type") == "" {
		header = header.Clone()
		header.Set("Content-Type", "application/json")
	}
	return Do(t, http.MethodPost, url, body, header)
}

// Do sends a request and reads the whole answer. The test ends when there is none.
func Do(t testing.TB, method, url, body string, header http.Header) Answer {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if header != nil {
		request.Header = header
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return Answer{response.StatusCode, response.Header, string(text)}
}

// Signed returns the headers of a JSON webhook signed as the preset "generic" and the
// example configuration expect it: X-Signature with an HMAC-SHA256 in hexadecimal.
func Signed(secret, body string) http.Header {
	mac := hmac.New(sha256.New, []byte(secret))
	_, _ = io.WriteString(mac, body)
	return http.Header{
		"Content-Type": {"application/json"},
		"X-Signature":  {"sha256=" + hex.EncodeToString(mac.Sum(nil))},
	}
}
