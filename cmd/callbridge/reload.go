package main

import (
	"context"
	"log/slog"
	"os"
	"os/signal"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"callbridge/mapping"
)

// configuration is callbridge.yaml as it is in force. It is swapped whole: a
// webhook is mapped by one generation or by the next, never by halves.
type configuration struct {
	file string
	now  atomic.Pointer[generation]

	mu   sync.Mutex // one reload at a time
	seen os.FileInfo
}

// generation is one configuration that was valid, counted from 1.
type generation struct {
	number int
	config *mapping.Config
}

// fixed is a configuration that does not change.
func fixed(config *mapping.Config) *configuration {
	c := &configuration{}
	c.now.Store(&generation{1, config})
	return c
}

// loadConfiguration reads the file for the first time.
func loadConfiguration(file string) (*configuration, error) {
	config, err := loadConfig(file, mapping.Options{})
	if err != nil {
		return nil, err
	}
	c := fixed(config)
	c.file = file
	c.seen, _ = os.Stat(file)
	return c, nil
}

func (c *configuration) current() *mapping.Config { return c.now.Load().config }

// info is what /readyz tells.
func (c *configuration) info() map[string]any {
	now := c.now.Load()
	return map[string]any{"version": version(), "config_generation": now.number, "config_hash": now.config.Hash()}
}

// watchEvery is how often the file is looked at. A file that is mounted into a
// container sends no signal, and a rename escapes most file watchers.
const watchEvery = 2 * time.Second

// watch reloads on SIGHUP, and when the file has changed, until ctx ends.
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
	was := c.seen
	c.seen = info
	return was == nil || !os.SameFile(was, info) || was.ModTime() != info.ModTime() || was.Size() != info.Size()
}

// reload takes the file into force, or says why the old one stays.
func (c *configuration) reload(log *slog.Logger, reloads *prometheus.CounterVec) {
	c.mu.Lock()
	defer c.mu.Unlock()
	old := c.now.Load()
	config, err := mapping.Load(c.file, mapping.Options{})
	if err != nil {
		reloads.WithLabelValues("refused").Inc()
		log.Error("config.reload_refused", "file", c.file, "error", err,
			"config_generation", old.number, "config_hash", old.config.Hash(), "hint", "the old configuration stays in force")
		return
	}
	next := &generation{old.number + 1, config}
	c.now.Store(next)
	reloads.WithLabelValues("taken").Inc()
	log.Info("config.reloaded", "file", c.file, "config_generation", next.number, "config_hash", config.Hash(), "replaced_hash", old.config.Hash())
	logWarnings(log, config)
}

func (c *configuration) register(registry prometheus.Registerer) *prometheus.CounterVec {
	reloads := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "callbridge_config_reloads_total", Help: "Reloads of the configuration, by whether it was taken or refused.",
	}, []string{"result"})
	reloads.WithLabelValues("taken")
	reloads.WithLabelValues("refused")
	registry.MustRegister(reloads, prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "callbridge_config_generation", Help: "How often a configuration was taken into force, the first included.",
	}, func() float64 { return float64(c.now.Load().number) }))
	return reloads
}

func logWarnings(log *slog.Logger, config *mapping.Config) {
	for _, w := range config.Warnings() {
		log.Warn("config.warning", "problem", w.Error())
	}
}
