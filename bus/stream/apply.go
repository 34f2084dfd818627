package stream

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"callbridge/bus/difference"
)

// Actions of a step.
const (
	Make   = "make"
	Change = "change"
	Keep   = "keep"
)

// Step is what Apply does with one stream or consumer.
type Step struct {
	Stream string `json:"stream"`
	// Consumer is empty if the step is about the stream itself.
	Consumer string `json:"consumer,omitempty"`
	// Action is Make, Change or Keep.
	Action string `json:"action"`
	// Differences are the settings that change, such as "max_age = 168h0m0s, will be 336h0m0s".
	Differences []string `json:"differences,omitempty"`

	order    int
	stream   jetstream.StreamConfig
	consumer jetstream.ConsumerConfig
}

// Plan compares the server with the definitions and returns what Apply would do, in
// order. It changes nothing. Its error names everything that NATS cannot change, and
// a shorter age that would delete messages that are not done yet.
func (s Settings) Plan(ctx context.Context, js jetstream.JetStream) ([]Step, error) {
	var steps []Step
	var problems []error
	for _, want := range s.Streams() {
		step, err := s.planStream(ctx, js, want)
		steps, problems = append(steps, step), append(problems, err)
	}
	slices.SortStableFunc(steps, func(a, b Step) int { return cmp.Compare(a.order, b.order) })
	for _, want := range s.Consumers() {
		step, err := s.planConsumer(ctx, js, want)
		steps, problems = append(steps, step), append(problems, err)
	}
	if err := errors.Join(problems...); err != nil {
		return nil, err
	}
	return steps, nil
}

func (s Settings) planStream(ctx context.Context, js jetstream.JetStream, want jetstream.StreamConfig) (Step, error) {
	step := Step{Stream: want.Name, Action: Make, stream: want}
	found, err := js.Stream(ctx, want.Name)
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		return step, nil
	}
	if err != nil {
		return step, fmt.Errorf("read stream %s: %w", want.Name, err)
	}
	have := found.CachedInfo().Config
	step.Action, step.order = Keep, s.order(want, have)
	if step.Differences, err = difference.Changes(want, have); err != nil || step.Differences == nil {
		return step, err
	}
	step.Action, step.stream = Change, changed(want, have)
	if want.Name == s.Name(Requests) && shorter(want, have) {
		return step, s.checkWaiting(ctx, found, want.MaxAge)
	}
	return step, nil
}

// order puts the ledger first if its age grows, and last if it shrinks: a run that
// fails halfway leaves no request that NATS keeps longer than its record.
func (s Settings) order(want, have jetstream.StreamConfig) int {
	switch {
	case want.Name != s.Name(Ledger):
		return 0
	case shorter(want, have):
		return 1
	default:
		return -1
	}
}

// shorter reports whether the age becomes shorter; 0 is no limit.
func shorter(want, have jetstream.StreamConfig) bool {
	return have.MaxAge == 0 || want.MaxAge < have.MaxAge
}

// changed is the definition with the settings that it leaves to the administrator as
// they are.
func changed(want, have jetstream.StreamConfig) jetstream.StreamConfig {
	want.Placement, want.Metadata, want.Compression, want.FirstSeq = have.Placement, have.Metadata, have.Compression, have.FirstSeq
	// NATS does not take it back.
	want.DenyPurge = want.DenyPurge || have.DenyPurge
	want.SubjectDeleteMarkerTTL, want.MirrorDirect = have.SubjectDeleteMarkerTTL, have.MirrorDirect
	if have.MaxMsgSize >= difference.MaxPayloadBytes {
		want.MaxMsgSize = have.MaxMsgSize
	}
	want.Duplicates = max(want.Duplicates, min(have.Duplicates, want.MaxAge))
	return want
}

// checkWaiting fails if a message that is not done yet is older than an age.
func (s Settings) checkWaiting(ctx context.Context, requests jetstream.Stream, age time.Duration) error {
	for _, c := range s.Consumers() {
		consumer, err := requests.Consumer(ctx, c.Durable)
		if errors.Is(err, jetstream.ErrConsumerNotFound) {
			continue
		}
		if err != nil {
			return fmt.Errorf("read consumer %s: %w", c.Durable, err)
		}
		waited, err := Waited(ctx, requests, consumer.CachedInfo())
		if errors.Is(err, jetstream.ErrMsgNotFound) {
			continue
		}
		if err != nil {
			return fmt.Errorf("read the oldest message of consumer %s: %w", c.Durable, err)
		}
		if waited >= age {
			return fmt.Errorf("a message for consumer %s waits for %s, and with an age of %s NATS would delete it: let callbridge finish it first, or choose a longer RETENTION",
				c.Durable, waited.Round(time.Second), age)
		}
	}
	return nil
}

// Waited returns how long the oldest message of a consumer that is not done has been
// stored, by the server's clock. The error is jetstream.ErrMsgNotFound if all are done.
func Waited(ctx context.Context, requests jetstream.Stream, info *jetstream.ConsumerInfo) (time.Duration, error) {
	if info.NumPending == 0 && info.NumAckPending == 0 {
		return 0, jetstream.ErrMsgNotFound
	}
	// Every message up to the acknowledgement floor is done.
	oldest, err := requests.GetMsg(ctx, info.AckFloor.Stream+1, jetstream.WithGetMsgSubject(info.Config.FilterSubject))
	if err != nil {
		return 0, err
	}
	return max(info.TimeStamp.Sub(oldest.Time), 0), nil
}

func (s Settings) planConsumer(ctx context.Context, js jetstream.JetStream, want jetstream.ConsumerConfig) (Step, error) {
	step := Step{Stream: s.Name(Requests), Consumer: want.Durable, Action: Make, consumer: want}
	found, err := js.Consumer(ctx, step.Stream, want.Durable)
	if errors.Is(err, jetstream.ErrConsumerNotFound) || errors.Is(err, jetstream.ErrStreamNotFound) {
		return step, nil
	}
	if err != nil {
		return step, fmt.Errorf("read consumer %s: %w", want.Durable, err)
	}
	have := found.CachedInfo().Config
	step.Action = Keep
	if step.Differences = difference.Consumer(want, have); step.Differences == nil {
		return step, nil
	}
	step.Action = Change
	if have.AckPolicy != want.AckPolicy {
		return step, fmt.Errorf("consumer %s is there with ack_policy = %v, and NATS cannot change that: stop every callbridge, delete the consumer and apply again; what it has delivered is then delivered again, and the ledger prevents a second call",
			want.Durable, have.AckPolicy)
	}
	return step, nil
}

// Apply does one step of a plan.
func (s Step) Apply(ctx context.Context, js jetstream.JetStream) error {
	var err error
	switch {
	case s.Action == Keep:
	case s.Consumer != "":
		_, err = js.CreateOrUpdateConsumer(ctx, s.Stream, s.consumer)
	case s.Action == Make:
		_, err = js.CreateStream(ctx, denyPurge(s.stream))
	default:
		_, err = js.UpdateStream(ctx, s.stream)
	}
	if err != nil {
		return fmt.Errorf("%s %s: %w", s.Action, s.Name(), err)
	}
	return nil
}

// Name is what the step is about, such as "stream CALLBRIDGE_LEDGER".
func (s Step) Name() string {
	if s.Consumer != "" {
		return "consumer " + s.Consumer + " of " + s.Stream
	}
	return "stream " + s.Stream
}
