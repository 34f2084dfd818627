package lookup_test

import (
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"

	"callbridge/internal/testkit"
)

// credentialOf returns the credential of a request, as the API received it.
func credentialOf(r *http.Request) string {
	for _, credential := range []string{r.URL.Query().Get("key"), r.Header.Get("X-Api-Token"), r.Header.Get("Authorization")} {
		if credential != "" {
			return credential
		}
	}
	return "none"
}

// echoing is a broken API: it writes answer with the credential in place of KEY, and
// hangs up.
func echoing(answer string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		conn, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			return
		}
		key := credentialOf(r)
		bare := key[strings.LastIndex(key, " ")+1:]
		escaped := strings.NewReplacer("-", `\u002d`, "=", `\u003d`).Replace(key)
		_, _ = io.WriteString(conn, strings.NewReplacer("KEY", key, "BARE", bare, "LOWER", strings.ToLower(bare), "ESCAPED", escaped).Replace(answer))
		_ = conn.Close()
	}
}

func TestEchoedCredentialsReachNeitherLogNorResult(t *testing.T) {
	t.Parallel()
	const jsonHead = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n"
	answers := []string{
		"HTTP/1.1 KEY\r\n\r\n", "KEY\r\n\r\n", "HTTP/1.1 200 OK\r\nKEY\r\n\r\n",
		"HTTP/1.1 200 OK\r\nContent-Length: KEY\r\n\r\n", "HTTP/1.1 200 OK\r\nTransfer-Encoding: KEY\r\n\r\n",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nKEY\r\n",
		"HTTP/1.1 302 Found\r\nLocation: http://BARE.example.com/KEY\r\n\r\n", "HTTP/1.1 302 Found\r\nLocation: http://LOWER.example.com/\r\n\r\n",
		"HTTP/1.1 302 Found\r\nLocation: http://[KEY\r\n\r\n",
		"HTTP/1.1 400 KEY\r\nContent-Type: application/json\r\n\r\n{\"error\":\"KEY\"}", "HTTP/1.1 200 OK\r\n\r\nKEY",
		jsonHead + `{"phone":"+12025550142","name":"KEY","debug":{"authorization":"ESCAPED"}}`, jsonHead + `{"phone":"KEY"}`,
	}
	for _, auth := range []string{
		`{kind: bearer, token: "${SECRET}"}`, `{kind: header, name: X-Api-Token, value: "${SECRET}"}`,
		`{kind: query, name: key, value: "${SECRET}"}`, `{kind: basic, user: "${SECRET}"}`, `{kind: basic, user: ada, password: "${SECRET}"}`,
	} {
		t.Run(auth, func(t *testing.T) {
			t.Parallel()
			crm := newCRM(t, func(w http.ResponseWriter, r *http.Request) {
				n, _ := strconv.Atoi(strings.TrimPrefix(r.URL.Path, "/contacts/"))
				echoing(answers[n%len(answers)])(w, r)
			})
			f := setup(t, crm, "auth: "+auth+"\n      timeout: 1s")
			messages := testkit.Subscribe(t, f.bus.Conn(), "callbridge.request.*.*.ready", "callbridge.result.>")
			for i := range answers {
				f.send("crm", fmt.Sprintf(`{"id":"e%d","object":%d}`, i, i))
			}
			for range answers {
				f.checkNothingOf(testkit.Next(t, messages).Data)
			}
		})
	}
}

// checkNothingOf looks for the secret in what was published, in the log and in the
// answer about readiness.
func (f *fixture) checkNothingOf(published []byte) {
	f.t.Helper()
	ready := fmt.Sprint(f.service.Ready(), f.service.Held())
	for _, hidden := range []string{
		secret, strings.ToUpper(secret), `s3cret\u002dof`, url.QueryEscape(secret),
		base64.StdEncoding.EncodeToString([]byte(secret + ":")), base64.StdEncoding.EncodeToString([]byte("ada:" + secret)),
	} {
		for where, text := range map[string]string{"the message": string(published), "the log": f.log.String(), "readiness": ready} {
			if strings.Contains(strings.ToLower(text), strings.ToLower(hidden)) {
				f.t.Errorf("%s shows %q:\n%s", where, hidden, text)
			}
		}
	}
}
