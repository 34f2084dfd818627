// Package archive reads what the streams keep of events, requests and calls: single
// subjects by their id, and results by time. It changes nothing.
package archive

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/nats-io/nats.go/jetstream"

	"callbridge/bus/audit"
	"callbridge/bus/stream"
)

// TraceHeader is the header of a message that has its trace.
const TraceHeader = "traceparent"

// Message is one stored message.
type Message struct {
	Subject string
	Data    []byte
	// Trace is the trace context, or empty.
	Trace string
	// Sequence is the place in its stream.
	Sequence uint64
	// At is when it was stored, by the clock of the NATS server.
	At time.Time
}

// Token is a token of the subject after the prefix: 0 is the first one.
func (m Message) token(prefix string, n int) string {
	tokens := strings.Split(strings.TrimPrefix(m.Subject, prefix+"."), ".")
	if n >= len(tokens) {
		return ""
	}
	return tokens[n]
}

// Archive reads the streams of one prefix.
type Archive struct {
	js       jetstream.JetStream
	settings stream.Settings
}

// New makes an Archive. It asks the server nothing.
func New(js jetstream.JetStream, settings stream.Settings) Archive { return Archive{js, settings} }

// Request returns the stored request of an id, or false.
func (a Archive) Request(ctx context.Context, id uuid.UUID) (Message, bool, error) {
	return a.last(ctx, stream.Requests, "request.*."+id.String()+".ready")
}

// Closed returns the message that closes the request of an id without a call, or false.
func (a Archive) Closed(ctx context.Context, id uuid.UUID) (Message, bool, error) {
	return a.last(ctx, stream.Requests, "request.*."+id.String()+".closed")
}

// Pending returns the event of an id that waits, or has waited, for its lookup, or false.
func (a Archive) Pending(ctx context.Context, event uuid.UUID) (Message, bool, error) {
	return a.last(ctx, stream.Requests, "lookup.*."+event.String())
}

// Records returns all records of a request in the ledger, the oldest first.
func (a Archive) Records(ctx context.Context, id uuid.UUID) ([]Message, error) {
	return a.all(ctx, stream.Ledger, "ledger."+id.String())
}

// Results returns all results of a request, the oldest first.
func (a Archive) Results(ctx context.Context, id uuid.UUID) ([]Message, error) {
	results, err := a.all(ctx, stream.Results, "result.*.*."+id.String())
	if err != nil {
		return nil, err
	}
	ends, err := a.all(ctx, stream.Results, "result.ended.*."+id.String()+".*")
	results = append(results, ends...)
	slices.SortFunc(results, func(x, y Message) int { return cmp.Compare(x.Sequence, y.Sequence) })
	return results, err
}

// Acts calls fn with the acts of operators since a time, the oldest first, and stops at its
// error. An empty verb is all.
func (a Archive) Acts(ctx context.Context, verb string, since time.Time, fn func(audit.Entry) error) error {
	s, err := a.stream(ctx, stream.Audit)
	if err != nil {
		return err
	}
	return audit.Read(ctx, s, a.settings.Prefix+".audit", verb, since, fn)
}

// Source is the source that the subject of a request, a lookup or a result names.
func (a Archive) Source(m Message) string {
	if m.token(a.settings.Prefix, 0) == "result" {
		return m.token(a.settings.Prefix, 2)
	}
	return m.token(a.settings.Prefix, 1)
}

func (a Archive) stream(ctx context.Context, name string) (jetstream.Stream, error) {
	s, err := a.js.Stream(ctx, a.settings.Name(name))
	if err != nil {
		return nil, fmt.Errorf("read stream %s: %w", a.settings.Name(name), err)
	}
	return s, nil
}

// last returns the newest message whose subject matches, or false.
func (a Archive) last(ctx context.Context, name, subject string) (Message, bool, error) {
	s, err := a.stream(ctx, name)
	if err != nil {
		return Message{}, false, err
	}
	raw, err := s.GetLastMsgForSubject(ctx, a.settings.Prefix+"."+subject)
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		return Message{}, false, nil
	}
	if err != nil {
		return Message{}, false, fmt.Errorf("read %s: %w", subject, err)
	}
	return messageOf(raw), true, nil
}

// maxHistory bounds the messages of one subject that are read.
const maxHistory = 1000

// all returns the messages whose subject matches, the oldest first.
func (a Archive) all(ctx context.Context, name, subject string) (messages []Message, err error) {
	s, err := a.stream(ctx, name)
	if err != nil {
		return nil, err
	}
	for next := uint64(1); len(messages) < maxHistory; {
		raw, err := s.GetMsg(ctx, next, jetstream.WithGetMsgSubject(a.settings.Prefix+"."+subject))
		if errors.Is(err, jetstream.ErrMsgNotFound) {
			return messages, nil
		}
		if err != nil {
			return nil, fmt.Errorf("read %s: %w", subject, err)
		}
		messages = append(messages, messageOf(raw))
		next = raw.Sequence + 1
	}
	return messages, nil
}

func messageOf(raw *jetstream.RawStreamMsg) Message {
	return Message{Subject: raw.Subject, Data: raw.Data, Trace: raw.Header.Get(TraceHeader), Sequence: raw.Sequence, At: raw.Time}
}
