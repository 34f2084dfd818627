package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"slices"
	"strings"
	"sync"

	"callbridge/credential"
	"callbridge/mapping"
)

// load reads the file and makes the generation after old. A file of a secret that cannot
// be used any more keeps the secret that it had in old.
func (c *configuration) load(old generation) (*generation, error) {
	next := &generation{number: old.number + 1, secrets: credential.Files{}}
	return next, c.parse(next, func(path string) ([]byte, error) {
		if path != c.file {
			content, err := next.secrets.Read(path, old.secrets)
			if err == nil && c.faults.isRefused(path, content) {
				next.secrets[path] = old.secrets[path]
			}
			return next.secrets[path], err
		}
		text, err := os.ReadFile(path)
		next.text = text
		return text, err
	})
}

// withSecret makes the generation after old with another content of one file of a secret.
// callbridge.yaml is not read again: it may have a mistake now.
func (c *configuration) withSecret(old *generation, path string, content []byte) (*generation, error) {
	next := &generation{number: old.number + 1, text: old.text, secrets: maps.Clone(old.secrets)}
	next.secrets[path] = content
	return next, c.parse(next, func(path string) ([]byte, error) {
		if path == c.file {
			return next.text, nil
		}
		return next.secrets[path], nil
	})
}

func (c *configuration) parse(next *generation, read func(string) ([]byte, error)) (err error) {
	next.config, err = mapping.Load(c.file, mapping.Options{Reserved: mapping.Settings(settings{}), ReadFile: read})
	return err
}

// secretFaults says which files of secrets cannot be used now. Their earlier secrets stay
// in use.
type secretFaults struct {
	mu sync.Mutex
	// why is by path.
	why map[string]string
	// refused is the content with which the configuration is not valid, by path. It is
	// not tried again.
	refused map[string][]byte
}

// renewSecrets reads the files of the secrets and puts those that have changed into use.
func (c *configuration) renewSecrets(log *slog.Logger) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.faults.forget(c.now.Load().secrets)
	for _, path := range c.now.Load().secrets.Paths() {
		old := c.now.Load()
		content, err := credential.ReadFile(path)
		switch {
		case err != nil:
			c.faults.add(log, path, err, nil)
		case bytes.Equal(content, old.secrets[path]):
			c.faults.clear(path)
		case !c.faults.isRefused(path, content):
			next, err := c.withSecret(old, path, content)
			if err != nil {
				c.faults.add(log, path, fmt.Errorf("the new secret cannot be used: %w", err), content)
				continue
			}
			c.now.Store(next)
			c.faults.clear(path)
			log.Info("config.secret_renewed", "file", path, "config_generation", next.number)
		}
	}
}

// add records why a file cannot be used, and logs it once.
func (f *secretFaults) add(log *slog.Logger, path string, err error, refused []byte) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.why == nil {
		f.why, f.refused = map[string]string{}, map[string][]byte{}
	}
	f.refused[path] = refused
	if why := strings.ReplaceAll(err.Error(), "\n", "; "); f.why[path] != why {
		f.why[path] = why
		log.Error("config.secret_refused", "file", path, "error", err, "hint", "the previous secret stays in use")
	}
}

func (f *secretFaults) isRefused(path string, content []byte) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.refused[path] != nil && bytes.Equal(f.refused[path], content)
}

func (f *secretFaults) clear(path string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.why, path)
	delete(f.refused, path)
}

// forget removes files that the configuration does not name any more.
func (f *secretFaults) forget(named credential.Files) {
	f.mu.Lock()
	defer f.mu.Unlock()
	maps.DeleteFunc(f.why, func(path, _ string) bool { return named[path] == nil })
}

// secretsReady returns which secrets are not the newest, because their files cannot be
// used: those of callbridge.yaml and those of the environment.
func (c *configuration) secretsReady(others ...*credential.Secret) func(context.Context) error {
	return func(context.Context) error {
		c.faults.mu.Lock()
		why := slices.Sorted(maps.Values(c.faults.why))
		c.faults.mu.Unlock()
		for _, s := range others {
			if s != nil && s.Problem() != "" {
				why = append(why, s.Problem())
			}
		}
		if len(why) == 0 {
			return nil
		}
		return errors.New("previous secrets stay in use: " + strings.Join(why, "; "))
	}
}
