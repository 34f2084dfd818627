package bus

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"callbridge/bus/audit"
	"callbridge/bus/dnc"
	"callbridge/bus/people"
	"callbridge/bus/personkey"
	"callbridge/bus/role"
	"callbridge/bus/stream"
	"callbridge/event"
)

// personKey reads the person key. With the embedded server it is made at the first start.
func (c Config) personKey() (personkey.Key, error) {
	switch {
	case c.PersonKeyFile != "":
		key, err := personkey.Read(c.PersonKeyFile)
		if err != nil {
			return key, fmt.Errorf("PERSON_KEY_FILE: %w", err)
		}
		return key, nil
	case c.URL == "":
		return personkey.Ensure(c.Embedded.Dir)
	}
	return personkey.Key{}, nil
}

// checkRenewed is the age at which the check value of a stream that deletes by age is
// written again: long before it is deleted.
const checkRenewed = 30 * 24 * time.Hour

// openPersons opens the do-not-call list and the memory of calls, and refuses the streams of
// another person key.
func (b *Bus) openPersons(ctx context.Context) error {
	key, err := b.config.personKey()
	if err != nil {
		return err
	}
	keyed := func(in jetstream.Stream, prefix, content string) personkey.Keyed {
		return personkey.Keyed{
			JS: b.js, Stream: in, CheckSubject: prefix + ".key", Content: content, Key: key,
			Used: func(ctx context.Context) error { return b.loss.Used(ctx, in.CachedInfo().Config.Name) },
		}
	}
	list, calls := b.config.Prefix+".dnc", b.config.Prefix+".person"
	b.dncList = &dnc.List{
		Keyed: keyed(b.dnc, list, "the do-not-call list"), Prefix: list,
		Flush: func(ctx context.Context) error { return b.server.Flush(ctx, stream.DNC) },
	}
	b.memory = &people.Memory{
		Keyed: keyed(b.called, calls, "the memory of calls"), Prefix: calls, Intact: b.remembered,
		Flush: func(ctx context.Context) error { return b.server.Flush(ctx, stream.People) },
	}
	b.memory.Renew = checkRenewed
	_, err = b.dncList.Match(ctx)
	if err == nil {
		_, err = b.memory.Match(ctx)
	}
	return err
}

// Memory is when each person was called.
func (b *Bus) Memory() *people.Memory { return b.memory }

// DoNotCall returns the entry that forbids a call now, read from the leader of the stream.
// An error means that no call may be placed.
func (b *Bus) DoNotCall(ctx context.Context, number event.Phone, call dnc.Scope) (dnc.Entry, bool, error) {
	if err := b.remembered(ctx); err != nil {
		return dnc.Entry{}, false, fmt.Errorf("%w: %w", dnc.ErrUnreadable, err)
	}
	return b.dncList.Forbids(ctx, number.Reveal(), call)
}

// DNC is the do-not-call list.
func (b *Bus) DNC() *dnc.List { return b.dncList }

// ServeDNC answers requests about the do-not-call list until ctx ends.
func (b *Bus) ServeDNC(ctx context.Context, parse dnc.Parse) error {
	write := func(ctx context.Context, e audit.Entry) error {
		if err := b.config.audits(b.js).Write(ctx, e); err != nil {
			return err
		}
		return b.server.Flush(ctx, stream.Audit)
	}
	err := dnc.Service{List: b.dncList, Parse: parse, Audit: write, Log: b.config.Log}.Serve(ctx, b.conn)
	if errors.Is(err, nats.ErrConnectionClosed) {
		return b.Watch(ctx) // it knows why
	}
	return err
}

// AskDNC connects for requests about the do-not-call list, which a running callbridge
// answers. It needs the role operator; the error is ErrUnreachable if no
// server answers.
func AskDNC(ctx context.Context, config Config, fn func(context.Context, dnc.Client) error) error {
	config, err := config.localAs(role.Operator)
	if err != nil {
		return err
	}
	return client(ctx, config, "callbridge dnc", role.Operator, func(ctx context.Context, js jetstream.JetStream) error {
		return fn(ctx, dnc.Client{Conn: js.Conn(), JS: js, Prefix: config.Prefix + ".dnc"})
	})
}

// ExportDNC calls fn with every person of the do-not-call list, and stops at its error.
// It needs the role operator; the error is ErrUnreachable if no server answers.
func ExportDNC(ctx context.Context, config Config, fn func(dnc.Person) error) error {
	config, err := config.localAs(role.Operator)
	if err != nil {
		return err
	}
	return client(ctx, config, "callbridge dnc export", role.Operator, func(ctx context.Context, js jetstream.JetStream) error {
		found, err := js.Stream(ctx, config.settings().Name(stream.DNC))
		if err != nil {
			return missingStream(err)
		}
		return dnc.Export(ctx, found, config.Prefix+".dnc", fn)
	})
}
