package mapping_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"callbridge/mapping"
)

func TestSecretsOfTheProcessCannotBeReferenced(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	token, link, own := filepath.Join(dir, "callab"), filepath.Join(dir, "link"), filepath.Join(dir, "own")
	store, byDefault := filepath.Join(dir, "store"), filepath.Join(dir, "default")
	for _, file := range []string{token, own, filepath.Join(store, "password"), filepath.Join(byDefault, "password")} {
		if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte("a secret that is long enough"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink(token, link); err != nil {
		t.Fatal(err)
	}
	environment := map[string]string{"CALLAB_TOKEN": "a", "CALLAB_TOKEN_FILE": token, "NATS_STORE_DIR": store, "OWN": "b"}
	for reference, want := range map[string]string{
		"${CALLAB_TOKEN}":                        "CALLAB_TOKEN is a setting of callbridge itself; a CRM would learn it; give the source a secret of its own",
		"${CALLAB_TOKEN_FILE}":                   "CALLAB_TOKEN_FILE is a setting of callbridge itself",
		"${NATS_PASSWORD}":                       "NATS_PASSWORD is a setting of callbridge itself", // also if it is not set
		"${file:" + token + "}":                  "the file belongs to CALLAB_TOKEN_FILE, a setting of callbridge itself",
		"${file:" + dir + "/./x/../callab}":      "the file belongs to CALLAB_TOKEN_FILE",
		"${file:" + link + "}":                   "the file belongs to CALLAB_TOKEN_FILE",
		"${file:" + store + "/password}":         "the file belongs to NATS_STORE_DIR",
		"${file:" + byDefault + "/password}":     "the file belongs to OTHER_DIR",
		"${HTTPS_PROXY}":                         "HTTPS_PROXY is a setting of callbridge itself",
		"${https_proxy}":                         "https_proxy is a setting of callbridge itself",
		"${file:/proc/self/environ}":             "a file of /proc is no secret",
		"${file:/proc/self/root" + token + "}":   "the file belongs to CALLAB_TOKEN_FILE",
		"${file:/proc/thread-self/../1/environ}": "a file of /proc is no secret",
		"${OWN}":                                 "",
		"${file:" + own + "}":                    "",
	} {
		for _, without := range []bool{false, true} {
			_, err := mapping.Parse("callbridge.yaml", fmt.Appendf(nil, secretConfig, `["`+reference+`"]`), mapping.Options{
				LookupEnv: func(name string) (string, bool) { value, ok := environment[name]; return value, ok },
				Reserved: []mapping.Setting{
					{Name: "CALLAB_TOKEN"}, {Name: "CALLAB_TOKEN_FILE"}, {Name: "NATS_PASSWORD"}, {Name: "NATS_STORE_DIR"},
					{Name: "OTHER_DIR", Default: byDefault}, {Name: "NATS_LISTEN", Default: "127.0.0.1:4222"},
				}, WithoutSecrets: without,
			})
			if want == "" && err != nil || want != "" && (err == nil || !strings.HasPrefix(err.Error(), "callbridge.yaml:3:55: sources.crm.verify.values: "+want)) {
				t.Errorf("%s, without secrets %t: got %v, want %s", reference, without, err, want)
			}
		}
	}
}

// TestSettingsHaveTheirDefaults: the file of NATS passwords is below a directory that is
// usually not set.
func TestSettingsHaveTheirDefaults(t *testing.T) {
	t.Parallel()
	type inner struct {
		Dir string `env:"DIR, default=data"`
	}
	got := mapping.Settings(struct {
		Token string `env:"TOKEN"`
		Inner inner
		List  string `env:"LIST, required, default=a,b"`
	}{})
	want := []mapping.Setting{{Name: "TOKEN"}, {Name: "DIR", Default: "data"}, {Name: "LIST", Default: "a,b"}}
	if !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}
