package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"os/signal"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"callbridge/bus"
	"callbridge/credential"
	"callbridge/dispatch/waiting"
	"callbridge/event"
	"callbridge/mapping"
	"callbridge/policy"
	"callbridge/zonedata"
)

// configuration is callbridge.yaml with its reloads. A reload replaces the whole mapping at
// once, so that each webhook is mapped by one generation.
type configuration struct {
	file string
	now  atomic.Pointer[generation]
	// longest is how long a request may wait.
	longest time.Duration

	mu     sync.Mutex // one reload at a time
	loaded os.FileInfo
	faults credential.Faults
	// lastRead is what renewSecrets found in the files of the secrets.
	lastRead credential.Files
}

// generation is a valid configuration; the first has number 1.
type generation struct {
	number int
	config *mapping.Config
	// text is that of the file, secrets what the files that it names contained.
	text    []byte
	secrets credential.Files
}

// fixed returns a configuration without a file, which is never reloaded.
func fixed(config *mapping.Config) *configuration {
	c := &configuration{}
	c.now.Store(&generation{number: 1, config: config})
	return c
}

// loadConfiguration loads the first generation.
func loadConfiguration(file string, longest time.Duration) (*configuration, error) {
	c := &configuration{file: file, longest: longest}
	first, err := c.load(generation{})
	if err != nil {
		return nil, withoutFile(err)
	}
	c.now.Store(first)
	c.loaded, _ = os.Stat(file)
	return c, nil
}

func (c *configuration) current() *mapping.Config { return c.now.Load().config }

// generation is the number of the configuration in force.
func (c *configuration) generation() int { return c.now.Load().number }

// permits judges a request by the configuration in force, and records its hash in a
// request that it refuses.
func (c *configuration) permits(r *event.Request) (event.Outcome, event.Reason, string) {
	config := c.current()
	outcome, reason, detail := config.Permits(r)
	if outcome != "" {
		r.Config = config.Hash()
	}
	return outcome, reason, detail
}

// policy returns what holds for a request by the configuration in force.
func (c *configuration) policy(r *event.Request) (policy.Policy, policy.Facts) {
	return c.current().Policy(r)
}

// info is added to the answer of /readyz.
func (c *configuration) info() map[string]any {
	now := c.now.Load()
	return map[string]any{
		"version": version(), "config_generation": now.number, "config_hash": now.config.Hash(),
		"zone_data": zonedata.Version(), "zone_data_old": zonedata.IsOld(time.Now()),
	}
}

// watchEvery is the interval at which the file is checked for changes. It is polled because
// file watchers miss renames and files that are mounted into a container.
const watchEvery = 2 * time.Second

// watch reloads on SIGHUP and when the file has changed, until ctx ends.
func (c *configuration) watch(ctx context.Context, log *slog.Logger, registry prometheus.Registerer) {
	reloads := c.register(registry)
	if c.file == "" {
		return
	}
	hangup := make(chan os.Signal, 1)
	signal.Notify(hangup, syscall.SIGHUP)
	defer signal.Stop(hangup)
	tick := time.NewTicker(watchEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-hangup:
			c.reload(log, reloads)
		case <-tick.C:
			if c.changed() {
				c.reload(log, reloads)
			}
			c.renewSecrets(log)
		}
	}
}

func (c *configuration) changed() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	info, err := os.Stat(c.file)
	if err != nil {
		return false
	}
	before := c.loaded
	c.loaded = info
	return before == nil || !os.SameFile(before, info) || before.ModTime() != info.ModTime() || before.Size() != info.Size()
}

// reload replaces the configuration, or keeps it and logs why the file cannot be used.
func (c *configuration) reload(log *slog.Logger, reloads *prometheus.CounterVec) {
	c.mu.Lock()
	defer c.mu.Unlock()
	old := c.now.Load()
	next, err := c.load(*old)
	if err != nil {
		reloads.WithLabelValues("refused").Inc()
		log.Error("config.reload_refused", "file", c.file, "error", err,
			"config_generation", old.number, "config_hash", old.config.Hash(), "hint", "the previous configuration stays in use")
		return
	}
	c.now.Store(next)
	reloads.WithLabelValues("taken").Inc()
	log.Info("config.reloaded", "file", c.file, "config_generation", next.number, "config_hash", next.config.Hash(), "replaced_hash", old.config.Hash())
	logWarnings(log, next.config)
}

func (c *configuration) register(registry prometheus.Registerer) *prometheus.CounterVec {
	reloads := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "callbridge_config_reloads_total", Help: "Reloads of the configuration, by result: taken or refused.",
	}, []string{"result"})
	reloads.WithLabelValues("taken")
	reloads.WithLabelValues("refused")
	registry.MustRegister(reloads, prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "callbridge_config_generation", Help: "Number of configurations loaded since the start, the first included.",
	}, func() float64 { return float64(c.now.Load().number) }))
	return reloads
}

// routes are the configured routes with their sources.
func (c *configuration) routes() (all []bus.RouteOf) {
	for _, route := range c.current().Routes() {
		for _, source := range route.Sources {
			all = append(all, bus.RouteOf{Source: source, Route: route.Name})
		}
	}
	return all
}

func logWarnings(log *slog.Logger, config *mapping.Config) {
	for _, w := range config.Warnings() {
		log.Warn("config.warning", "problem", w.Error())
	}
}

// loadConfig loads a configuration for a command, with the RETENTION of serve.
func loadConfig(file string, o mapping.Options) (*mapping.Config, error) {
	config, err := mapping.Load(file, o)
	if kept, unset := time.ParseDuration(cmp.Or(os.Getenv("RETENTION"), "168h")); err == nil && unset == nil {
		err = config.Within(waiting.Patience(kept))
	}
	return config, withoutFile(err)
}

// loadFile loads a configuration for a command that needs no secrets, and returns its name.
func loadFile(file string) (*mapping.Config, string, error) {
	file = configFile(nonEmpty(file))
	config, err := loadConfig(file, mapping.Options{WithoutSecrets: true})
	return config, file, err
}

// withoutFile adds to the error of a file that does not exist where to get one.
func withoutFile(err error) error {
	if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return fmt.Errorf("%w: begin with the example that the README names, or set CONFIG_FILE", err)
}

// configFile returns the first argument, or the file that serve would use.
func configFile(args []string) string {
	if len(args) > 0 {
		return args[0]
	}
	if file := os.Getenv("CONFIG_FILE"); file != "" {
		return file
	}
	return "callbridge.yaml"
}

func nonEmpty(s string) []string {
	if s == "" {
		return nil
	}
	return []string{s}
}

func sourceNames(c *mapping.Config) string {
	var names []string
	for _, s := range c.Sources() {
		names = append(names, s.Name())
	}
	return strings.Join(names, ", ")
}
