package embedded

import (
	"fmt"

	"github.com/nats-io/nats-server/v2/server"
)

// room is how much the store keeps and may keep, in bytes.
type room struct {
	// used is what the messages of all streams take.
	used int64
	// limit is NATS_MAX_STORE, or what the disk has room for if that is less.
	limit int64
	// free is what the disk has room for besides.
	free int64
	// reserved is what accepted webhooks need until they are done.
	reserved int64
}

const (
	// intakePercent of the limit is for webhooks and for what they need until they are
	// done. The rest is for requests of other services, further attempts and results
	// that are larger than expected.
	intakePercent = 90
	// restartPercent of the limit, or restartBytes if that is less, must be free on the
	// disk before a process that has stopped writing ends: the next one would stop at
	// once. It is not much, because nothing is dialled before.
	restartPercent = 5
	restartBytes   = 64 << 20
	// recordBytes is what the ledger's records of one request take, with the answers
	// of Callab.
	recordBytes = 8 << 10
)

// reservation is what unfinished requests need besides themselves: a result contains
// the event and the call, and an event that waits for its lookup is stored again with
// what was found.
func reservation(requests, bytes int64) int64 { return 2*bytes + requests*recordBytes }

// accepts reports whether webhooks of that size and number can be stored and finished.
func (r room) accepts(taken taken) bool {
	return r.used+r.reserved+taken.bytes+reservation(taken.events, taken.bytes) <= r.limit/100*intakePercent
}

// takesRestart reports whether a new process could write.
func (r room) takesRestart() bool { return r.free >= min(r.limit/100*restartPercent, restartBytes) }

func (r room) String() string {
	return fmt.Sprintf("%.1f of %.1f MB are used, and accepted events need %.1f MB more", mb(r.used), mb(r.limit), mb(r.reserved))
}

func mb(bytes int64) float64 { return float64(bytes) / (1 << 20) }

// taken are webhooks that were accepted and may not be measured yet.
type taken struct{ events, bytes int64 }

func (t taken) plus(o taken) taken { return taken{t.events + o.events, t.bytes + o.bytes} }

// measure asks the server and the disk.
func (s *Server) measure() (room, error) {
	info, err := s.server.Jsz(&server.JSzOptions{Accounts: true, Streams: true, Consumer: true})
	if err != nil {
		return room{}, fmt.Errorf("measure the store: %w", err)
	}
	r := room{used: int64(info.Store), limit: info.Config.MaxStore, free: info.Config.MaxStore}
	if free, err := freeDisk(s.config.Dir); err == nil {
		r.limit, r.free = min(r.limit, r.used+free), free
	}
	for _, account := range info.AccountDetails {
		for _, stream := range account.Streams {
			r.reserved += s.reserved(stream)
		}
	}
	return r, nil
}

// reserved is what the unfinished messages of the stream of requests need. Their sizes
// are not known one by one: the average counts.
func (s *Server) reserved(stream server.StreamDetail) int64 {
	if stream.Name != s.requests || stream.State.Msgs == 0 {
		return 0
	}
	var open uint64
	for _, c := range stream.Consumer {
		open += c.NumPending + uint64(c.NumAckPending)
	}
	average := stream.State.Bytes/stream.State.Msgs + 1
	return reservation(int64(open), int64(open*average))
}
