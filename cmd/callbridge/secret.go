package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"strings"

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
			if err == nil && c.faults.IsRefused(path, content) {
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
	if err == nil {
		err = next.config.Within(c.longest)
	}
	return err
}

// renewSecrets reads the files of the secrets and puts those that have changed into use. A
// new content counts when two reads in a row find it: a file may be read while it is written.
func (c *configuration) renewSecrets(log *slog.Logger) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.faults.Forget(c.now.Load().secrets)
	before := c.lastRead
	c.lastRead = credential.Files{}
	for _, path := range c.now.Load().secrets.Paths() {
		old := c.now.Load()
		content, err := credential.ReadFile(path)
		c.lastRead[path] = content
		switch {
		case err != nil:
			c.faults.Add(log, path, err, nil)
		case bytes.Equal(content, old.secrets[path]):
			c.faults.Clear(path)
		case !bytes.Equal(content, before[path]):
		case !c.faults.IsRefused(path, content):
			next, err := c.withSecret(old, path, content)
			if err != nil {
				c.faults.Add(log, path, fmt.Errorf("the new secret cannot be used: %w", err), content)
				continue
			}
			c.now.Store(next)
			c.faults.Clear(path)
			log.Info("config.secret_renewed", "file", path, "config_generation", next.number)
		}
	}
}

// secretsReady returns which secrets are not the newest, because their files cannot be
// used: those of callbridge.yaml and those of the environment.
func (c *configuration) secretsReady(others ...*credential.Secret) func(context.Context) error {
	return func(context.Context) error {
		why := c.faults.Problems()
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
