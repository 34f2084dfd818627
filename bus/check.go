package bus

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/nats-io/nats.go/jetstream"
)

// check reports all that is missing or different where callbridge may not make
// it, in one line.
func (b *Bus) check(ctx context.Context) error {
	var found []string
	for _, want := range b.streams() {
		have, err := b.openStream(ctx, want.Name)
		switch {
		case errors.Is(err, jetstream.ErrStreamNotFound):
			found = append(found, "stream "+want.Name+" is missing")
			continue
		case err != nil:
			return fmt.Errorf("read stream %s: %w", want.Name, err)
		}
		if err := contradiction(want, have.CachedInfo().Config); err != nil {
			found = append(found, err.Error())
		}
	}
	for _, want := range b.consumers() {
		have, err := b.js.Consumer(ctx, b.stream("requests"), want.Durable)
		switch {
		case errors.Is(err, jetstream.ErrConsumerNotFound), errors.Is(err, jetstream.ErrStreamNotFound):
			found = append(found, "consumer "+want.Durable+" is missing")
		case err != nil:
			return fmt.Errorf("read consumer %s: %w", want.Durable, err)
		default:
			found = append(found, consumerDifferences(want, have.CachedInfo().Config)...)
		}
	}
	if found == nil {
		return nil
	}
	return fmt.Errorf("NATS_MANAGE=false, and NATS is not ready for callbridge: %s; `callbridge streams` prints how to make what is missing", strings.Join(found, "; "))
}

func consumerDifferences(want, have jetstream.ConsumerConfig) (all []string) {
	for _, s := range []struct {
		name       string
		want, have any
	}{
		{"filter_subject", want.FilterSubject, have.FilterSubject},
		{"ack_policy", want.AckPolicy, have.AckPolicy},
		{"ack_wait", want.AckWait, have.AckWait},
		{"max_deliver", want.MaxDeliver, have.MaxDeliver},
		{"max_ack_pending", want.MaxAckPending, have.MaxAckPending},
	} {
		if s.want != s.have {
			all = append(all, fmt.Sprintf("consumer %s is there with %s = %v, and callbridge needs %v", want.Durable, s.name, s.have, s.want))
		}
	}
	return all
}

// contradiction names the first setting in which a stream differs from what
// the promises need. Description, placement and the like are the owner's.
func contradiction(want, have jetstream.StreamConfig) error {
	for _, s := range []struct {
		name       string
		want, have any
	}{
		{"subjects", strings.Join(want.Subjects, ","), strings.Join(have.Subjects, ",")},
		{"retention", want.Retention, have.Retention},
		{"storage", want.Storage, have.Storage},
		{"discard", want.Discard, have.Discard},
		{"max_age", want.MaxAge, have.MaxAge},
		{"num_replicas", max(1, want.Replicas), max(1, have.Replicas)},
		{"max_msgs_per_subject", perSubject(want), perSubject(have)},
		{"max_msgs", int64(0), max(0, have.MaxMsgs)},
		{"allow_msg_schedules", want.AllowMsgSchedules, have.AllowMsgSchedules},
		{"allow_msg_ttl", want.AllowMsgTTL, have.AllowMsgTTL},
		{"deny_delete", want.DenyDelete, have.DenyDelete},
		{"allow_direct", want.AllowDirect, have.AllowDirect},
	} {
		if s.want != s.have {
			return fmt.Errorf("stream %s is there with %s = %v, and callbridge needs %v: change it with `nats stream edit %s`, or set RETENTION, NATS_REPLICAS or NATS_SUBJECT_PREFIX to fit",
				want.Name, s.name, s.have, s.want, want.Name)
		}
	}
	return nil
}

// perSubject is how many messages of a subject a stream keeps; 0 where that is no
// limit.
func perSubject(c jetstream.StreamConfig) int64 {
	if c.MaxMsgsPerSubject < 0 || c.MaxMsgsPerSubject >= plenty {
		return 0
	}
	return c.MaxMsgsPerSubject
}
