// Package difference compares streams and consumers of a NATS server with what
// callbridge needs.
package difference

import (
	"fmt"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

const (
	// UnlimitedPerSubject is more messages than a subject of requests or results
	// ever has. With any limit nats-server keeps the stream in blocks of 4 MB
	// instead of 8 MB (server/stream.go, autoTuneFileStorageBlockSize), and
	// allocating the larger ones delays publishes.
	UnlimitedPerSubject = 1 << 20
	// MaxPayloadBytes is enough for the largest webhook (1 MiB) within its request.
	MaxPayloadBytes = 8 << 20
)

// setting is one setting of a stream that the promises of callbridge depend on.
type setting struct {
	name       string
	want, have any
	// fixed: nats-server does not change this setting of an existing stream, at least
	// not in this direction.
	fixed bool
}

// Stream names the first setting that the promises of callbridge depend
// on and that differs. Others, such as description and placement, are free.
func Stream(want, have jetstream.StreamConfig) error {
	for _, s := range append(promised(want, Migrated(want, have)), foreign(have)...) {
		if s.want == s.have {
			continue
		}
		if s.fixed {
			return s.cannotChange(want.Name)
		}
		return fmt.Errorf("stream %s is there with %s = %v, and callbridge needs %v: change it with `nats stream edit %s`, or set RETENTION, NATS_REPLICAS or NATS_SUBJECT_PREFIX to fit",
			want.Name, s.name, s.have, s.want, want.Name)
	}
	return nil
}

func (s setting) cannotChange(stream string) error {
	return fmt.Errorf("stream %s is there with %s = %v, callbridge needs %v, and NATS cannot change that: stop every callbridge and move the stream as docs/nats.md says (\"Move a stream\"), or set another NATS_SUBJECT_PREFIX",
		stream, s.name, s.have, s.want)
}

// Changes names all settings that differ, each with what it will be, and nil if none
// does. The error names the first one that NATS cannot change.
func Changes(want, have jetstream.StreamConfig) (all []string, err error) {
	for _, s := range append(promised(want, have), foreign(have)...) {
		switch {
		case s.want == s.have:
		case s.fixed:
			return nil, s.cannotChange(want.Name)
		default:
			all = append(all, fmt.Sprintf("%s = %v, will be %v", s.name, s.have, s.want))
		}
	}
	return all, nil
}

// promised are the settings that a definition sets.
func promised(want, have jetstream.StreamConfig) []setting {
	return []setting{
		{"allow_msg_schedules", want.AllowMsgSchedules, have.AllowMsgSchedules, have.AllowMsgSchedules},
		{"allow_rollup_hdrs", want.AllowRollup, have.AllowRollup, false},
		{"subjects", strings.Join(want.Subjects, ","), strings.Join(have.Subjects, ","), false},
		{"retention", want.Retention, have.Retention, true},
		{"storage", want.Storage, have.Storage, true},
		{"discard", want.Discard, have.Discard, false},
		{"max_age", want.MaxAge, have.MaxAge, false},
		{"duplicate_window", want.Duplicates, window(want, have), false},
		{"num_replicas", max(1, want.Replicas), max(1, have.Replicas), false},
		{"max_msgs_per_subject", perSubject(want), perSubject(have), false},
		{"max_msgs", max(0, want.MaxMsgs), max(0, have.MaxMsgs), false},
		{"allow_msg_ttl", want.AllowMsgTTL, have.AllowMsgTTL, have.AllowMsgTTL},
		{"deny_delete", want.DenyDelete, have.DenyDelete, have.DenyDelete},
		{"deny_purge", want.DenyPurge, want.DenyPurge && have.DenyPurge, false},
		{"allow_direct", want.AllowDirect, have.AllowDirect, false},
	}
}

// foreign are the settings that no definition sets, and with which NATS would drop,
// refuse, redirect or add messages.
func foreign(have jetstream.StreamConfig) []setting {
	return []setting{
		{"sealed", false, have.Sealed, true},
		{"no_ack", false, have.NoAck, false},
		{"max_bytes", int64(0), max(0, have.MaxBytes), false},
		{"max_msg_size", int32(0), messageLimit(have), false},
		{"max_consumers", 0, max(0, have.MaxConsumers), true},
		{"discard_new_per_subject", false, have.DiscardNewPerSubject, false},
		{"mirror", false, have.Mirror != nil, true},
		{"sources", 0, len(have.Sources), false},
		{"subject_transform", false, have.SubjectTransform != nil, false},
		{"republish", false, have.RePublish != nil, false},
		{"allow_msg_counter", false, have.AllowMsgCounter, true},
		{"allow_atomic", false, have.AllowAtomicPublish, false},
		{"allow_batched", false, have.AllowBatchPublish, false},
		{"persist_mode", jetstream.DefaultPersistMode, have.PersistMode, true},
		{"consumer_limits", jetstream.StreamConsumerLimits{}, have.ConsumerLimits, false},
	}
}

// window is the duplicate window of a stream, or that of its definition if it is not
// longer or the definition leaves it to the server.
func window(want, have jetstream.StreamConfig) time.Duration {
	if want.Duplicates == 0 {
		return 0
	}
	return max(want.Duplicates, have.Duplicates)
}

// messageLimit is the limit of a message's size, or 0 if every message of callbridge
// fits.
func messageLimit(c jetstream.StreamConfig) int32 {
	if c.MaxMsgSize < 0 || c.MaxMsgSize >= MaxPayloadBytes {
		return 0
	}
	return c.MaxMsgSize
}

// perSubject is the limit of messages per subject, or 0 for none.
func perSubject(c jetstream.StreamConfig) int64 {
	if c.MaxMsgsPerSubject < 0 || c.MaxMsgsPerSubject >= UnlimitedPerSubject {
		return 0
	}
	return c.MaxMsgsPerSubject
}

// earlierPerSubject is how many records of a request earlier versions kept in the
// ledger.
const earlierPerSubject = 16

// Migrated is a stream without the limit per subject that earlier versions gave to the
// ledger. The limit may stay until every process has this version.
func Migrated(want, have jetstream.StreamConfig) jetstream.StreamConfig {
	if want.DenyDelete && have.MaxMsgsPerSubject >= earlierPerSubject {
		have.MaxMsgsPerSubject = want.MaxMsgsPerSubject
	}
	return have
}

// Consumer names all settings of a consumer that differ.
func Consumer(want, have jetstream.ConsumerConfig) (all []string) {
	if want.AckWait != have.AckWait {
		all = append(all, consumerText(want, setting{name: "ack_wait", want: want.AckWait, have: have.AckWait}))
	}
	return append(all, Delivery(want, have)...)
}

// Delivery names the settings of a consumer that differ and that decide which messages
// are delivered. The time until a redelivery is not among them: while processes are
// replaced, it may be that of another one.
func Delivery(want, have jetstream.ConsumerConfig) (all []string) {
	for _, s := range []setting{
		{"filter_subject", want.FilterSubject, have.FilterSubject, false},
		{"filter_subjects", 0, len(have.FilterSubjects), false},
		{"deliver_policy", want.DeliverPolicy, have.DeliverPolicy, true},
		{"replay_policy", want.ReplayPolicy, have.ReplayPolicy, true},
		{"deliver_subject", "", have.DeliverSubject, true},
		{"ack_policy", want.AckPolicy, have.AckPolicy, true},
		{"max_deliver", want.MaxDeliver, have.MaxDeliver, false},
		{"max_ack_pending", want.MaxAckPending, have.MaxAckPending, false},
		{"backoff", 0, len(have.BackOff), false},
		{"headers_only", false, have.HeadersOnly, false},
		{"inactive_threshold", time.Duration(0), have.InactiveThreshold, false},
		{"max_batch", 0, max(0, have.MaxRequestBatch), false},
		{"max_expires", time.Duration(0), have.MaxRequestExpires, false},
		{"max_bytes", 0, max(0, have.MaxRequestMaxBytes), false},
		{"max_waiting", defaultWaiting, max(defaultWaiting, have.MaxWaiting), false},
		{"mem_storage", false, have.MemoryStorage, true},
		{"priority_policy", jetstream.PriorityPolicyNone, have.PriorityPolicy, false},
	} {
		if s.want != s.have {
			all = append(all, consumerText(want, s))
		}
	}
	return all
}

// defaultWaiting is how many pull requests nats-server keeps for a consumer.
const defaultWaiting = 512

func consumerText(want jetstream.ConsumerConfig, s setting) string {
	do := "change it with `nats consumer edit`"
	if s.fixed {
		do = "NATS cannot change that: stop every callbridge, and make the consumer again"
	}
	return fmt.Sprintf("consumer %s is there with %s = %v, and callbridge needs %v: %s", want.Durable, s.name, s.have, s.want, do)
}
