package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"reflect"
	"regexp"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/sethvargo/go-envconfig"

	"callbridge/bus"
	"callbridge/callab"
	"callbridge/credential"
	"callbridge/dispatch"
	"callbridge/span"
	"callbridge/untrusted"
)

// settings are the environment variables, each with its name and default. A test compares
// them with the README's table.
type settings struct {
	HTTPAddr string `env:"HTTP_ADDR, default=:8080"`
	// Certificate and key of the public listener: both are set, or none.
	HTTPTLSCert        string   `env:"HTTP_TLS_CERT"`
	HTTPTLSKey         string   `env:"HTTP_TLS_KEY"`
	HTTPTrustedProxies []string `env:"HTTP_TRUSTED_PROXIES"`
	HTTPProxyHeader    string   `env:"HTTP_PROXY_HEADER, default=X-Forwarded-For"`
	AdminAddr          string   `env:"ADMIN_ADDR, default=127.0.0.1:8081"`
	AdminPassword      string   `env:"ADMIN_PASSWORD"`
	AdminPasswordFile  string   `env:"ADMIN_PASSWORD_FILE"`
	AdminPProf         bool     `env:"ADMIN_PPROF, default=false"`
	ConfigFile         string   `env:"CONFIG_FILE, default=callbridge.yaml"`
	// TZDataFile is read by useZoneData, for every command.
	TZDataFile string `env:"TZDATA_FILE"`
	// DNCFile has numbers that must not be called.
	DNCFile       string        `env:"DNC_FILE"`
	DNCFileMaxAge time.Duration `env:"DNC_FILE_MAX_AGE, default=0s"`
	PersonKeyFile string        `env:"PERSON_KEY_FILE"`
	Retention     time.Duration `env:"RETENTION, default=168h"`
	LogLevel      logLevel      `env:"LOG_LEVEL, default=info"`
	LogFormat     string        `env:"LOG_FORMAT, default=json"`
	NATS          natsSettings
	Callab        callabSettings
	Dial          dialSettings
	Follow        followSettings
	OTel          span.Settings
	// restoredFrom is --restored-from of serve.
	restoredFrom time.Time
}

// logLevel is a slog.Level whose parse error lists the levels.
type logLevel slog.Level

// UnmarshalText implements encoding.TextUnmarshaler.
func (l *logLevel) UnmarshalText(text []byte) error {
	if err := (*slog.Level)(l).UnmarshalText(text); err != nil {
		return fmt.Errorf("%q is none of debug, info, warn, error", text)
	}
	return nil
}

type natsSettings struct {
	URL          string `env:"NATS_URL"`
	Creds        string `env:"NATS_CREDS"`
	NKeySeedFile string `env:"NATS_NKEY_SEED_FILE"`
	User         string `env:"NATS_USER"`
	Password     string `env:"NATS_PASSWORD"`
	PasswordFile string `env:"NATS_PASSWORD_FILE"`
	Token        string `env:"NATS_TOKEN"`
	TokenFile    string `env:"NATS_TOKEN_FILE"`
	TLSCA        string `env:"NATS_TLS_CA"`
	TLSCert      string `env:"NATS_TLS_CERT"`
	TLSKey       string `env:"NATS_TLS_KEY"`
	Domain       string `env:"NATS_DOMAIN"`
	// Wait is how long the start waits for a remote NATS that is not ready.
	Wait          time.Duration `env:"NATS_WAIT, default=1m"`
	Manage        bool          `env:"NATS_MANAGE, default=true"`
	StoreDir      string        `env:"NATS_STORE_DIR, default=data"`
	StoreEpoch    string        `env:"NATS_STORE_EPOCH"`
	MaxStore      int64         `env:"NATS_MAX_STORE, default=0"`
	Listen        string        `env:"NATS_LISTEN, default=127.0.0.1:4222"`
	Sync          string        `env:"NATS_SYNC, default=always"`
	Replicas      int           `env:"NATS_REPLICAS, default=1"`
	SubjectPrefix string        `env:"NATS_SUBJECT_PREFIX, default=callbridge"`
}

type callabSettings struct {
	URL       string        `env:"CALLAB_URL, default=https://api.callab.ai/v1"`
	Token     string        `env:"CALLAB_TOKEN"`
	TokenFile string        `env:"CALLAB_TOKEN_FILE"`
	Endpoint  string        `env:"CALLAB_ENDPOINT, default=calls"`
	Timeout   time.Duration `env:"CALLAB_TIMEOUT, default=15s"`
	Idle      time.Duration `env:"CALLAB_IDLE, default=75s"`
}

type dialSettings struct {
	Concurrency int           `env:"DIAL_CONCURRENCY, default=8"`
	Rate        float64       `env:"DIAL_RATE, default=5"`
	Unknown     string        `env:"DIAL_UNKNOWN, default=park"`
	Attempts    int           `env:"DIAL_ATTEMPTS, default=24"`
	WriteWindow time.Duration `env:"DIAL_WRITE_WINDOW, default=5s"`
	ClaimAge    time.Duration `env:"DIAL_CLAIM_AGE, default=120s"`
	Settle      time.Duration `env:"DIAL_SETTLE, default=60s"`
	AckWait     time.Duration `env:"DIAL_ACK_WAIT, default=30s"`
}

type followSettings struct {
	Follow string        `env:"FOLLOW, default=off"`
	Rate   float64       `env:"FOLLOW_RATE, default=2"`
	GiveUp time.Duration `env:"FOLLOW_GIVE_UP, default=4h"`
}

// maxGiveUp is far below the shortest RETENTION: the results that say which calls are open
// must be stored until the last look.
const maxGiveUp = 24 * time.Hour

// minRetention is a day more than the three days for which some CRMs repeat a webhook
// (Close, Attio, Stripe).
const minRetention = 96 * time.Hour

// subjectPrefix matches what NATS accepts in a subject and, without the dots, in the name
// of a stream.
var subjectPrefix = regexp.MustCompile(`^[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*$`)

func loadSettings(ctx context.Context, lookup envconfig.Lookuper) (settings, error) {
	var s settings
	if err := envconfig.ProcessWith(ctx, &envconfig.Config{Target: &s, Lookuper: lookup}); err != nil {
		return s, named(err)
	}
	return s, s.validate()
}

// validate reports all unusable settings at once. A variable that is set to the empty
// string is an error, because it would silently mean zero.
func (s settings) validate() error {
	var errs []error
	require := func(ok bool, format string, v ...any) {
		if !ok {
			errs = append(errs, fmt.Errorf(format, v...))
		}
	}
	require(s.HTTPAddr != "", "HTTP_ADDR is empty: set it to host:port, such as :8080")
	require((s.HTTPTLSCert == "") == (s.HTTPTLSKey == ""), "HTTP_TLS_CERT and HTTP_TLS_KEY belong together: set both or none")
	for _, proxy := range s.HTTPTrustedProxies {
		require(isAddress(proxy), "HTTP_TRUSTED_PROXIES: %q is neither an address nor a network such as 10.0.0.0/8", proxy)
	}
	require(s.HTTPProxyHeader == "X-Forwarded-For" || s.HTTPProxyHeader == "X-Real-IP", "HTTP_PROXY_HEADER %q is neither X-Forwarded-For nor X-Real-IP", s.HTTPProxyHeader)
	require(s.AdminPassword == "" || s.AdminPasswordFile == "", "ADMIN_PASSWORD and ADMIN_PASSWORD_FILE are both set: keep one")
	require(s.ConfigFile != "", "CONFIG_FILE is empty: set it to the path of callbridge.yaml")
	require(s.Retention >= minRetention, "RETENTION %s is too short: CRMs repeat webhooks for 72h, so it must be at least %s", s.Retention, minRetention)
	require(s.DNCFileMaxAge >= 0, "DNC_FILE_MAX_AGE %s is below zero: set how old DNC_FILE may be, 0 for any age", s.DNCFileMaxAge)
	require(s.DNCFileMaxAge == 0 || s.DNCFile != "", "DNC_FILE_MAX_AGE is set and DNC_FILE is not: set both or none")
	require(s.Follow.Follow == "on" || s.Follow.Follow == "off", "FOLLOW %q is neither on nor off", s.Follow.Follow)
	require(s.Follow.Rate > 0 && s.Follow.Rate <= 1000, "FOLLOW_RATE %g is not between 0 and 1000: set the requests a second", s.Follow.Rate)
	require(s.Follow.GiveUp >= 10*time.Minute && s.Follow.GiveUp <= maxGiveUp, "FOLLOW_GIVE_UP %s is not between 10m and %s", s.Follow.GiveUp, maxGiveUp)
	require(s.LogFormat == "json" || s.LogFormat == "text", "LOG_FORMAT %q is neither json nor text", s.LogFormat)
	require(s.NATS.Sync == "always" || s.NATS.Sync == "interval", "NATS_SYNC %q is neither always nor interval", s.NATS.Sync)
	require(s.NATS.Replicas == 1 || s.NATS.Replicas == 3 || s.NATS.Replicas == 5, "NATS_REPLICAS %d is none of 1, 3, 5", s.NATS.Replicas)
	require(s.NATS.Replicas == 1 || s.NATS.URL != "", "NATS_REPLICAS %d needs a cluster: set NATS_URL", s.NATS.Replicas)
	require(subjectPrefix.MatchString(s.NATS.SubjectPrefix), "NATS_SUBJECT_PREFIX %q cannot be used: write letters, digits, - and _, in parts divided by dots", s.NATS.SubjectPrefix)
	require(s.NATS.URL != "" || s.NATS.StoreDir != "", "NATS_STORE_DIR is empty: the embedded NATS needs a directory")
	require(s.NATS.Manage || s.NATS.URL != "", "NATS_MANAGE=false is for a remote NATS: set NATS_URL")
	require(s.NATS.Password == "" || s.NATS.PasswordFile == "", "NATS_PASSWORD and NATS_PASSWORD_FILE are both set: keep one")
	require(s.NATS.PasswordFile == "" || s.NATS.URL != "", "NATS_PASSWORD_FILE is for a remote NATS: set NATS_URL")
	require(s.NATS.Wait >= 0, "NATS_WAIT %s is below zero: set how long the start waits for NATS, 0 for not at all", s.NATS.Wait)
	require(s.NATS.Token == "" || s.NATS.TokenFile == "", "NATS_TOKEN and NATS_TOKEN_FILE are both set: keep one")
	require(s.Callab.Token == "" || s.Callab.TokenFile == "", "CALLAB_TOKEN and CALLAB_TOKEN_FILE are both set: keep one")
	require(s.Callab.Endpoint == "calls" || s.Callab.Endpoint == "make-call", "CALLAB_ENDPOINT %q is neither calls nor make-call", s.Callab.Endpoint)
	require(s.Dial.Unknown == "park" || s.Dial.Unknown == "redial", "DIAL_UNKNOWN %q is neither park nor redial", s.Dial.Unknown)
	if err := s.dispatch().Validate(s.Dial.AckWait); err != nil {
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

func isAddress(text string) bool {
	_, asAddress := netip.ParseAddr(text)
	_, asNetwork := netip.ParsePrefix(text)
	return asAddress == nil || asNetwork == nil
}

func (s settings) dispatch() dispatch.Config {
	return dispatch.Config{
		Concurrency: s.Dial.Concurrency, Rate: s.Dial.Rate, Attempts: s.Dial.Attempts,
		MakeCall: s.Callab.Endpoint == "make-call", Redial: s.Dial.Unknown == "redial",
		WriteWindow: s.Dial.WriteWindow, CallTimeout: s.Callab.Timeout, APIIdle: s.Callab.Idle,
		ClaimAge: s.Dial.ClaimAge, Settle: s.Dial.Settle,
	}
}

func (s settings) bus(log *slog.Logger, registry prometheus.Registerer) bus.Config {
	n := s.NATS
	return bus.Config{
		URL: n.URL, Prefix: n.SubjectPrefix, Replicas: n.Replicas, Retention: s.Retention,
		Domain: n.Domain, CheckOnly: !n.Manage, AckWait: s.Dial.AckWait, Wait: n.Wait, PersonKeyFile: s.PersonKeyFile, Log: log, Registry: registry,
		Auth: bus.Auth{
			CredsFile: n.Creds, NKeySeedFile: n.NKeySeedFile, User: n.User, Password: n.Password, PasswordFile: n.PasswordFile,
			Token: n.Token, TokenFile: n.TokenFile,
			CAFile: n.TLSCA, CertFile: n.TLSCert, KeyFile: n.TLSKey,
		},
		Memory: bus.Memory{File: n.StoreEpoch, RestoredFrom: s.restoredFrom, Version: version()},
		Embedded: bus.Embedded{
			Dir: n.StoreDir, Listen: n.Listen, User: n.User, Password: n.Password, CertFile: n.TLSCert, KeyFile: n.TLSKey,
			SyncAlways: n.Sync == "always", MaxStoreBytes: n.MaxStore,
		},
	}
}

func (s settings) logger(w *os.File) *slog.Logger {
	options := &slog.HandlerOptions{Level: slog.Level(s.LogLevel)}
	if logsJSON(s.LogFormat) {
		return untrusted.NewLogger(slog.NewJSONHandler(w, options))
	}
	return untrusted.NewLogger(slog.NewTextHandler(w, options))
}

// logsJSON reports whether a LOG_FORMAT, also one that was not checked, means JSON.
func logsJSON(format string) bool { return format != "text" }

// variable is one environment variable, as the tags of settings declare it. Field is the
// prefix of envconfig's errors about it.
type variable struct{ Field, Name, Default string }

// variables lists the variables of settings in the order of their declaration.
func variables() []variable { return variablesOf(reflect.TypeFor[settings](), "") }

func variablesOf(t reflect.Type, prefix string) []variable {
	var all []variable
	for f := range t.Fields() {
		if !f.IsExported() {
			continue
		}
		tag, ok := f.Tag.Lookup("env")
		if !ok {
			all = append(all, variablesOf(f.Type, prefix+f.Name+": ")...)
			continue
		}
		name, fallback, _ := strings.Cut(tag, ", default=")
		all = append(all, variable{prefix + f.Name + ": ", name, fallback})
	}
	return all
}

// named replaces the field name in an error of envconfig with the variable's name.
func named(err error) error {
	for _, v := range variables() {
		if rest, ok := strings.CutPrefix(err.Error(), v.Field); ok {
			return fmt.Errorf("%s cannot be read: %s", v.Name, rest)
		}
	}
	return fmt.Errorf("read environment: %w", err)
}

// token is what reads Callab's token. It fails without one, because Callab would refuse
// every call.
func (s callabSettings) token(log *slog.Logger) (*credential.Secret, error) {
	if s.TokenFile == "" && strings.TrimSpace(s.Token) == "" {
		return nil, errors.New("CALLAB_TOKEN is not set: put Callab's API key there, or the path of a file that holds it into CALLAB_TOKEN_FILE")
	}
	return credential.New("CALLAB_TOKEN", s.Token, s.TokenFile, callab.CheckToken, log)
}

// adminPassword returns the password of the admin listener, nil if there is none.
func (s settings) adminPassword(log *slog.Logger) (*credential.Secret, error) {
	if s.AdminAddr == "" || s.AdminPasswordFile == "" && s.AdminPassword == "" {
		return nil, nil
	}
	return credential.New("ADMIN_PASSWORD", s.AdminPassword, s.AdminPasswordFile, nil, log)
}
