package main

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"callbridge/event"
	"callbridge/internal/testkit"
)

// mounted is a directory as Kubernetes mounts a secret: each file is a symbolic link into
// ..data, a link to a directory that a change replaces as a whole.
type mounted struct {
	t     *testing.T
	dir   string
	count int
}

func (m *mounted) path(name string) string { return filepath.Join(m.dir, name) }

func (m *mounted) set(files map[string]string) {
	m.t.Helper()
	m.count++
	version := fmt.Sprintf("..%d", m.count)
	errs := []error{os.Mkdir(m.path(version), 0o700)}
	for name, text := range files {
		errs = append(errs, os.WriteFile(filepath.Join(m.dir, version, name), []byte(text), 0o600))
		if m.count == 1 {
			errs = append(errs, os.Symlink(filepath.Join("..data", name), m.path(name)))
		}
	}
	errs = append(errs, os.Symlink(version, m.path("..next")), os.Rename(m.path("..next"), m.path("..data")))
	for _, err := range errs {
		if err != nil {
			m.t.Fatal(err)
		}
	}
}

// rotating is lookupConfig with the files webhook and api of a directory.
var rotating = strings.NewReplacer(
	`"${file:%[1]s}"]`, `"${file:%[1]s/webhook}"]`,
	`{kind: bearer, token: "${file:%[1]s}"}`, `{kind: basic, user: "${file:%[1]s/api}", password: "${file:%[1]s/api}"}`,
).Replace(lookupConfig)

func TestSecretsOfTheConfigurationAreReadAgain(t *testing.T) {
	t.Parallel()
	var key atomic.Value
	key.Store("api-key-of-yesterday")
	crm := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if user, password, _ := r.BasicAuth(); user != key.Load() || password != user {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_, _ = fmt.Fprint(w, `{"phone":"+12025550142"}`)
	}))
	t.Cleanup(crm.Close)
	secrets := &mounted{t: t, dir: t.TempDir()}
	secrets.set(map[string]string{"webhook": "token-of-yesterday\n", "api": "api-key-of-yesterday"})
	config := filepath.Join(t.TempDir(), "callbridge.yaml")
	text := fmt.Sprintf(rotating, secrets.dir, crm.URL)
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(text)
	b := startBridge(t, map[string]string{"CONFIG_FILE": config})
	send := func(id, token string) int {
		t.Helper()
		return b.post("/webhooks/crm", `{"id":"`+id+`","contact":5}`, http.Header{"X-Token": {token}}).Status
	}
	if status := send("1", "token-of-yesterday"); status != http.StatusAccepted {
		t.Fatalf("at first: answered %d", status)
	}
	b.result()
	hash := b.process.config.current().Hash()

	// The CRM has another key already, and callbridge.yaml has a mistake at this time.
	key.Store("api-key-of-today")
	send("2", "token-of-yesterday")
	testkit.Eventually(t, "the source is held", func() bool { return strings.Contains(b.admin("/readyz"), `"sources":{"crm"`) })
	write(text + "nonsense: true\n")
	secrets.set(map[string]string{"webhook": "token-of-today\n", "api": "api-key-of-today"})
	testkit.Eventually(t, "both secrets are read again", func() bool { return strings.Count(b.logs.String(), "config.secret_renewed") == 2 })
	if status := send("3", "token-of-today"); status != http.StatusAccepted {
		t.Errorf("the new token: answered %d", status)
	}
	if status := send("4", "token-of-yesterday"); status != http.StatusUnauthorized {
		t.Errorf("the old token: answered %d", status)
	}
	for range 2 {
		if got := b.result(); got.Outcome != event.Accepted {
			t.Errorf("%s: ended %s (%s)", got.Event.Key, got.Outcome, got.Detail)
		}
	}
	if now := b.process.config.current().Hash(); now != hash {
		t.Errorf("the hash of the configuration changed from %s to %s with a secret", hash, now)
	}
	for _, hidden := range []string{"-of-yesterday", "-of-today"} {
		if strings.Contains(b.logs.String()+b.admin("/readyz"), hidden) {
			t.Errorf("a secret is shown:\n%s\n%s", b.logs, b.admin("/readyz"))
		}
	}
}

func TestSecretThatIsBeingWrittenIsNotUsed(t *testing.T) {
	t.Parallel()
	secret := testkit.File(t, "secret", "token-of-yesterday")
	text := strings.Replace(openConfig, `{kind: none, reason: a test on this machine}`,
		`{kind: token, header: X-Token, values: ["${file:`+secret+`}"]}`, 1)
	c, err := loadConfiguration(testkit.File(t, "callbridge.yaml", text), 167*time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	for i, step := range []struct {
		content    string
		generation int
	}{
		{"token-of-yesterday", 1}, {"token-of-to", 1}, {"token-of-today", 1}, {"token-of-today", 2}, {"token-of-today", 2},
		{"", 2}, {"token-of-tomorrow", 2}, {"token-of-tomorrow", 3},
	} {
		if err := os.WriteFile(secret, []byte(step.content), 0o600); err != nil {
			t.Fatal(err)
		}
		c.renewSecrets(slog.New(slog.DiscardHandler))
		if got := c.generation(); got != step.generation {
			t.Errorf("read %d, %q: generation %d, want %d", i, step.content, got, step.generation)
		}
		if used := string(c.now.Load().secrets[secret]); used == "token-of-to" || used == "" {
			t.Errorf("read %d: %q is in use", i, used)
		}
	}
}

func TestSecretThatCannotBeUsedKeepsTheOldOne(t *testing.T) {
	t.Parallel()
	const key = "the secret of yesterday"
	encoded := base64.StdEncoding.EncodeToString([]byte(key))
	secret := testkit.File(t, "secret", encoded)
	text := strings.Replace(openConfig, `{kind: none, reason: a test on this machine}`,
		`{kind: hmac, hash: sha256, header: X-Signature, encoding: hex, key_encoding: base64, keys: ["${file:`+secret+`}"]}`, 1)
	b := startBridge(t, map[string]string{"CONFIG_FILE": testkit.File(t, "callbridge.yaml", text)})
	const body = `{"id":"1","phone":"+12025550142"}`
	mac := hmac.New(sha256.New, []byte(key))
	mac.Write([]byte(body))
	signature := http.Header{"X-Signature": {hex.EncodeToString(mac.Sum(nil))}}
	testkit.Eventually(t, "ready without a problem", func() bool { return strings.Contains(b.admin("/readyz"), `"status":"ok"`) })
	for name, spoil := range map[string]func() error{
		"missing":   func() error { return os.Remove(secret) },
		"empty":     func() error { return os.WriteFile(secret, nil, 0o600) },
		"no base64": func() error { return os.WriteFile(secret, []byte("%%%-not-base64"), 0o600) },
	} {
		if err := spoil(); err != nil {
			t.Fatal(err)
		}
		testkit.Eventually(t, name+": readiness says so", func() bool {
			answer := b.admin("/readyz")
			return strings.Contains(answer, `"secrets":"previous secrets stay in use`) && strings.Contains(answer, `"status":"degraded"`)
		})
		if status := b.post("/webhooks/website", body, signature).Status; status != http.StatusAccepted {
			t.Errorf("%s: a webhook with the old secret is answered %d", name, status)
		}
		if !strings.Contains(b.scrape(), `callbridge_check_ok{check="secrets"} 0`) {
			t.Errorf("%s: no metric says so", name)
		}
		if strings.Contains(b.logs.String(), "not-base64") {
			t.Errorf("%s: the log shows the secret:\n%s", name, b.logs)
		}
		// The secret is written again, and is used.
		if err := os.WriteFile(secret, []byte(encoded), 0o600); err != nil {
			t.Fatal(err)
		}
		testkit.Eventually(t, name+": readiness is fine again", func() bool { return strings.Contains(b.admin("/readyz"), `"status":"ok"`) })
	}
	if n := strings.Count(b.logs.String(), "config.secret_refused"); n != 3 {
		t.Errorf("%d lines say so, want one for each:\n%s", n, b.logs)
	}
}
