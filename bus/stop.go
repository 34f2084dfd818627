package bus

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"callbridge/bus/audit"
	"callbridge/bus/control"
	"callbridge/bus/loss"
	"callbridge/bus/role"
	"callbridge/bus/stream"
	"callbridge/internal/wait"
)

const (
	// watchInterval is how often WatchStops reads what is stopped.
	watchInterval = 300 * time.Millisecond
	// watchTimeout bounds one such read.
	watchTimeout = 2 * time.Second
	// controlTimeout bounds a command that stops or resumes.
	controlTimeout = 10 * time.Second
)

// forbids are the full names of the streams that forbid calls.
func (c Config) forbids() (names []string) {
	for _, s := range c.settings().Forbidding() {
		names = append(names, s.Name)
	}
	return names
}

func (c Config) audits(js jetstream.JetStream) audit.Log {
	return audit.Log{JS: js, Prefix: c.Prefix + ".audit"}
}

func (c Config) controls(js jetstream.JetStream) control.Store {
	return control.Store{JS: js, Stream: c.settings().Name(stream.Control), Subject: c.Prefix + ".control"}
}

// Stopped returns the stops that cover a call now, read from the leader of the stream. An
// error means that no call may be placed.
func (b *Bus) Stopped(ctx context.Context, call control.Scope) ([]control.Stop, error) {
	d, err := b.readStops(ctx)
	if err != nil {
		return nil, err
	}
	return d.Covering(call, time.Now()), nil
}

// StopSource stops a source by itself, unless it is stopped already, and returns when that
// is on the disk.
func (b *Bus) StopSource(ctx context.Context, s control.Stop) error {
	d, err := b.config.controls(b.js).StopIfNone(ctx, s)
	if err != nil {
		return fmt.Errorf("stop source %s: %w", s.Source, err)
	}
	b.stopped.Set(d)
	return b.server.Flush(ctx, stream.Control)
}

// Resumed is when calls were last resumed, as far as this process knows.
func (b *Bus) Resumed() time.Time { return b.stopped.Document().Resumed.At }

func (b *Bus) readStops(ctx context.Context) (control.Document, error) {
	if err := b.remembered(ctx); err != nil {
		return control.Document{}, fmt.Errorf("%w: %w", control.ErrUnreadable, err)
	}
	d, revision, err := b.config.controls(b.js).ReadFrom(ctx, b.control)
	if err != nil {
		return d, err
	}
	b.stopped.Set(d)
	if revision > 0 {
		err = b.loss.Used(ctx, b.streamName(stream.Control))
	}
	return d, err
}

// remembered returns why what forbids calls may be missing, or nil.
func (b *Bus) remembered(ctx context.Context) error {
	record, err := b.loss.Record(ctx)
	if err != nil {
		return err
	}
	p, lost := record.Of(b.config.forbids()...)
	if !lost {
		return nil
	}
	// A stream with persons may have been made again, with another key.
	b.dncList.Forget()
	b.memory.Forget()
	return forgotten(p)
}

// forgotten is the error of a stream that forbids calls and has lost messages.
func forgotten(p loss.Problem) error {
	return fmt.Errorf("%s was %s at %s, so that what forbids calls may be missing; restore it or enter it again, then run `callbridge streams acknowledge --why TEXT`",
		p.Stream, p.Kind, p.At.UTC().Format(time.RFC3339))
}

// WatchStops reads what is stopped until ctx ends, for what is shown of it and for what need
// not be exact: a claim asks Stopped. It logs every change, and calls changed after it.
func (b *Bus) WatchStops(ctx context.Context, changed func()) {
	last, resumed := fmt.Sprint([]control.Stop{}), time.Time{}
	for {
		reading, cancel := context.WithTimeout(ctx, watchTimeout)
		d, err := b.readStops(reading)
		cancel()
		now := "error"
		if err == nil {
			now = fmt.Sprint(d.Active(time.Now()))
			// The command that wrote it did not wait for the disk.
			err = errors.Join(b.server.Flush(ctx, stream.Control), b.server.Flush(ctx, stream.Audit))
		}
		if now != last && ctx.Err() == nil && b.conn.IsConnected() {
			b.logStops(d, err)
			changed()
			last = now
		} else if err == nil && !d.Resumed.At.Equal(resumed) {
			changed() // a stop has begun and ended since
		}
		if err == nil {
			resumed = d.Resumed.At
		}
		if wait.For(ctx, watchInterval) != nil {
			return
		}
	}
}

func (b *Bus) logStops(d control.Document, err error) {
	active := d.Active(time.Now())
	switch {
	case err != nil:
		b.config.Log.Error("calls.held", "error", err)
	case len(active) > 0:
		for _, s := range active {
			b.config.Log.Warn("calls.stopped", "what", s.Scope.String(), "by", s.By, "why", s.Why, "since", s.Since, "until", s.Until)
		}
	case !d.Resumed.At.IsZero():
		b.config.Log.Info("calls.resumed", "by", d.Resumed.By, "why", d.Resumed.Why, "at", d.Resumed.At)
	}
}

// KnownStop is Stopped by what WatchStops or a claim last read.
func (b *Bus) KnownStop(call control.Scope) (control.Stop, bool) {
	return b.stopped.Document().Stopped(call, time.Now())
}

// AllStopped reports whether everything is stopped, by what WatchStops or a claim last read.
func (b *Bus) AllStopped() bool { return b.stopped.Document().StopsAll(time.Now()) }

// Stops returns the stops that are active, as WatchStops or a claim last read them.
func (b *Bus) Stops() []control.Stop { return b.stopped.Document().Active(time.Now()) }

// Share is the share of the dial rate at which calls may be placed now.
func (b *Bus) Share() float64 { return b.stopped.Document().Share(time.Now()) }

// acting connects for a command of an operator: to
// config.URL, or to the embedded server of a process on this machine.
func acting(ctx context.Context, config Config, name string, fn func(context.Context, Config, jetstream.JetStream) error) error {
	ctx, cancel := context.WithTimeout(ctx, controlTimeout)
	defer cancel()
	config, err := config.localAs(role.Operator)
	if err != nil {
		return err
	}
	return client(ctx, config, name, role.Operator, func(ctx context.Context, js jetstream.JetStream) error {
		return missingStream(fn(ctx, config, js))
	})
}

// missingStream says what makes a stream that is not there.
func missingStream(err error) error {
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		return fmt.Errorf("%w; start `callbridge serve` of this version, or run `callbridge streams apply`", err)
	}
	return err
}

// Stop adds a stop and returns all that are active. It needs the role operator; the error
// is ErrUnreachable if no server answers.
func Stop(ctx context.Context, config Config, s control.Stop) (active []control.Stop, err error) {
	err = acting(ctx, config, "callbridge stop", func(ctx context.Context, config Config, js jetstream.JetStream) error {
		d, err := config.controls(js).Stop(ctx, s)
		if err != nil {
			return err
		}
		active = d.Active(s.Since)
		return config.audits(js).Write(ctx, audit.Entry{At: s.Since, Verb: audit.Stop, By: s.By, Why: s.Why, What: s.Scope.String()})
	})
	return active, err
}

// Resume ends the stop of a scope, or all, and returns what it has ended. The zero scope
// ends the only stop. It needs the role operator.
func Resume(ctx context.Context, config Config, scope control.Scope, all bool, r control.Resume) (ended []control.Stop, err error) {
	err = acting(ctx, config, "callbridge resume", func(ctx context.Context, config Config, js jetstream.JetStream) (err error) {
		if ended, err = config.controls(js).Resume(ctx, scope, all, r); err != nil {
			return err
		}
		var what []string
		for _, s := range ended {
			what = append(what, s.Scope.String())
		}
		return config.audits(js).Write(ctx, audit.Entry{At: r.At, Verb: audit.Resume, By: r.By, Why: r.Why, What: strings.Join(what, "; ")})
	})
	return ended, err
}

// ReadStops returns the stops that are active. It needs the role reader.
func ReadStops(ctx context.Context, config Config) (active []control.Stop, err error) {
	ctx, cancel := context.WithTimeout(ctx, controlTimeout)
	defer cancel()
	if config, err = config.localAs(role.Reader); err != nil {
		return nil, err
	}
	err = client(ctx, config, "callbridge stop list", role.Reader, func(ctx context.Context, js jetstream.JetStream) error {
		d, _, err := config.controls(js).Read(ctx)
		active = d.Active(time.Now())
		return missingStream(err)
	})
	return active, err
}
