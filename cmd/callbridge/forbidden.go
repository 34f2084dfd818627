package main

import (
	"context"
	"log/slog"

	"callbridge/cmd/callbridge/numberfile"
	"callbridge/event"
)

// forbidden reads DNC_FILE, if it is set. Webhooks are taken also while it cannot be read.
func (s settings) forbidden(log *slog.Logger) *numberfile.File {
	if s.DNCFile == "" {
		return nil
	}
	return numberfile.New(s.DNCFile, s.DNCFileMaxAge, log)
}

// forbiddenReady fails while no call is placed because of DNC_FILE.
func (p *process) forbiddenReady(context.Context) error {
	if p.forbidden == nil {
		return nil
	}
	return p.forbidden.Problem()
}

// readPerson reads a number of a request of another service about the do-not-call list.
func readPerson(text string) (event.Phone, error) { return numberfile.Parse(text, "") }
