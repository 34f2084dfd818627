package main

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/sethvargo/go-envconfig"

	"callbridge/internal/testkit"
)

func TestDefaultsAreValid(t *testing.T) {
	t.Parallel()
	if _, err := loadSettings(t.Context(), envconfig.MapLookuper(nil)); err != nil {
		t.Errorf("the defaults: %v", err)
	}
}

func TestUnusableSettingsAreNamed(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		env  map[string]string
		want []string
	}{
		"short retention":  {map[string]string{"RETENTION": "24h"}, []string{"RETENTION 24h0m0s is too short", "96h"}},
		"empty durations":  {map[string]string{"CALLAB_TIMEOUT": "", "DIAL_SETTLE": ""}, []string{"CALLAB_TIMEOUT must be above zero", "DIAL_SETTLE must be above zero"}},
		"not a duration":   {map[string]string{"RETENTION": "a week"}, []string{"RETENTION"}},
		"both tokens":      {map[string]string{"CALLAB_TOKEN": "x", "CALLAB_TOKEN_FILE": "y"}, []string{"keep one"}},
		"unknown choices":  {map[string]string{"NATS_SYNC": "never", "DIAL_UNKNOWN": "maybe", "CALLAB_ENDPOINT": "call", "LOG_FORMAT": "xml"}, []string{"NATS_SYNC", "DIAL_UNKNOWN", "CALLAB_ENDPOINT", "LOG_FORMAT"}},
		"both NATS tokens": {map[string]string{"NATS_TOKEN": "x", "NATS_TOKEN_FILE": "y"}, []string{"NATS_TOKEN_FILE are both set"}},
		"NATS passwords":   {map[string]string{"NATS_PASSWORD": "x", "NATS_PASSWORD_FILE": "y"}, []string{"NATS_PASSWORD_FILE are both set", "NATS_PASSWORD_FILE is for a remote NATS"}},
		"waits too short":  {map[string]string{"NATS_WAIT": "-1s"}, []string{"NATS_WAIT -1s is below zero"}},
		"managed by none":  {map[string]string{"NATS_MANAGE": "false"}, []string{"NATS_MANAGE=false is for a remote NATS"}},
		"replicas alone":   {map[string]string{"NATS_REPLICAS": "3"}, []string{"NATS_REPLICAS 3 needs a cluster"}},
		"contradictions":   {map[string]string{"DIAL_CLAIM_AGE": "30s"}, []string{"DIAL_CLAIM_AGE 30s", "CALLAB_TIMEOUT"}},
		"half of TLS":      {map[string]string{"HTTP_TLS_CERT": "tls.crt"}, []string{"HTTP_TLS_KEY belong together"}},
		"no proxy":         {map[string]string{"HTTP_TRUSTED_PROXIES": "10.0.0.0/8,proxy.example.com"}, []string{`"proxy.example.com" is neither`}},
		"no such header":   {map[string]string{"HTTP_PROXY_HEADER": "Forwarded"}, []string{`HTTP_PROXY_HEADER "Forwarded" is neither X-Forwarded-For nor X-Real-IP`}},
		"both passwords":   {map[string]string{"ADMIN_PASSWORD": "x", "ADMIN_PASSWORD_FILE": "y"}, []string{"ADMIN_PASSWORD_FILE are both set"}},
		"no subject":       {map[string]string{"NATS_SUBJECT_PREFIX": "call bridge"}, []string{`NATS_SUBJECT_PREFIX "call bridge" cannot be used`}},
		"no such level":    {map[string]string{"LOG_LEVEL": "verbose"}, []string{`LOG_LEVEL cannot be read: "verbose" is none of debug, info, warn, error`}},
		"nothing to serve": {map[string]string{"HTTP_ADDR": "", "CONFIG_FILE": ""}, []string{"HTTP_ADDR", "CONFIG_FILE"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := loadSettings(t.Context(), envconfig.MapLookuper(c.env))
			if err == nil {
				t.Fatal("accepted")
			}
			for _, want := range c.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("error %q does not say %q", err, want)
				}
			}
		})
	}
}

func TestTokenThatCannotWorkStopsTheStart(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{"": "is not set", " ": "is not set", "Bearer hush": `begins with "Bearer"`, "hu sh": "a blank or a line break"} {
		_, err := callabSettings{Token: text}.token(nil)
		if err == nil || !strings.HasPrefix(err.Error(), "CALLAB_TOKEN") || !strings.Contains(err.Error(), want) {
			t.Errorf("token %q: %v, want %q", text, err, want)
		}
	}
	for text, want := range map[string]string{"\n": "is empty", "Bearer hush\n": `begins with "Bearer"`, "hush\nhush\n": "a blank or a line break"} {
		_, err := callabSettings{TokenFile: testkit.File(t, "token", text)}.token(nil)
		if err == nil || !strings.HasPrefix(err.Error(), "CALLAB_TOKEN_FILE") || !strings.Contains(err.Error(), want) {
			t.Errorf("file %q: %v, want %q", text, err, want)
		}
	}
}

func TestReadmeListsEveryVariable(t *testing.T) {
	t.Parallel()
	var want, got []string
	for _, v := range variables() {
		if strings.HasPrefix(v.Name, "OTEL_") {
			// Their meaning is OpenTelemetry's; a sentence is enough.
			if !strings.Contains(testkit.Read(t, "README.md"), "`"+v.Name) {
				t.Errorf("the README does not name %s", v.Name)
			}
			continue
		}
		want = append(want, v.Name+"="+v.Default)
	}
	row := regexp.MustCompile("(?m)^\\| `([A-Z_]+)` \\| (?:`([^`]*)`)? ?\\|")
	for _, m := range row.FindAllStringSubmatch(testkit.Read(t, "README.md"), -1) {
		got = append(got, m[1]+"="+m[2])
	}
	slices.Sort(want)
	slices.Sort(got)
	if !slices.Equal(got, want) {
		t.Errorf("the README tells\n%s\nand the code has\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}
