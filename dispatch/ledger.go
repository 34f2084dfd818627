package dispatch

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"callbridge/bus"
	"callbridge/event"
	"callbridge/untrusted"
)

// State of a request in the ledger.
type State string

const (
	// none is the state of a request that has no record yet.
	none State = ""
	// Claimed: one process may send the call, within its write window.
	Claimed State = "claimed"
	// Free: certainly not placed; it may be claimed again after NotBefore.
	Free State = "free"
	// Unknown: the call may have been sent. Callab's list decides. Unknown is not
	// the outcome unknown: that is Parked.
	Unknown State = "unknown"

	// unreadable stands for a record that is garbage or has a state that this version
	// does not know. It is never written.
	unreadable = State("unreadable")

	// The following states are final.

	// Accepted: Callab has the call.
	Accepted State = "accepted"
	// Rejected: Callab refused the call, or its number may not be dialled.
	Rejected State = "rejected"
	// Skipped: the route in force does not dial the number.
	Skipped State = "skipped"
	// Parked: the call may have been sent, and Callab's list does not show
	// it. A person decides.
	Parked State = "parked"
	// Failed: no attempt placed the call, and all attempts are used up.
	Failed State = "failed"
)

// openStates are the states in which a request still has something to do.
var openStates = []State{Claimed, Free, Unknown, unreadable}

// outcomes maps each final state to the outcome of its result.
var outcomes = map[State]event.Outcome{
	Accepted: event.Accepted,
	Rejected: event.Rejected,
	Skipped:  event.Skipped,
	Parked:   event.Unknown,
	Failed:   event.Failed,
}

// Record is what the ledger stores about one request.
type Record struct {
	State State `json:"state"`
	// Attempt counts the claims, without those whose create call was refused
	// because of our credentials.
	Attempt int `json:"attempt"`
	// Source is that of the request. A request of another source with the same id is
	// refused.
	Source string `json:"source,omitzero"`
	// Owner is the instance of the process that wrote the record.
	Owner string `json:"owner"`
	// Nonce identifies this write. A process that reads its own nonce back
	// after a lost acknowledgement knows that the write was stored.
	Nonce string `json:"nonce"`
	// Claimed is when the claim was taken, by the owner's clock.
	Claimed time.Time `json:"claimed,omitzero"`
	// NotBefore is when a free request may be claimed again, by the owner's clock. It
	// is for people and for earlier versions: WaitMS counts.
	NotBefore time.Time `json:"not_before,omitzero"`
	// WaitMS is how long after it was stored a free request may be claimed again, in
	// milliseconds.
	WaitMS int64 `json:"wait_ms,omitzero"`
	// Refused is when Callab last refused our credentials for this request.
	Refused time.Time `json:"refused,omitzero"`
	// Park: an unknown call is not dialled again, whatever DIAL_UNKNOWN says.
	Park bool `json:"park,omitzero"`
	// Reason and Detail go into the result.
	Reason event.Reason `json:"reason,omitzero"`
	Detail string       `json:"detail,omitzero"`
	// Config is the hash of the configuration that refused the request.
	Config string `json:"config,omitzero"`
	// Call is Callab's answer. The result can be published from it again
	// after a crash.
	Call json.RawMessage `json:"call,omitzero"`
}

// waitFor sets how long a free request waits.
func (r *Record) waitFor(d time.Duration) {
	r.NotBefore, r.WaitMS = time.Now().Add(d), (d + time.Millisecond - 1).Milliseconds()
}

// wait is how long a free request waits after it was stored: at most maxRetryAfter.
func (r Record) wait() time.Duration {
	return min(max(time.Duration(r.WaitMS)*time.Millisecond, 0), maxRetryAfter)
}

// ledgerTimeout limits one read or write of the ledger.
const ledgerTimeout = 4 * time.Second

// entry is a record with its revision in the ledger. The zero entry is that of
// a request without a record.
type entry struct {
	Record
	revision uint64
	stored   time.Time
	// fresh: this delivery wrote the record; it was not read.
	fresh bool
}

// load reads the newest entry of a request.
func (d *Dispatcher) load(ctx context.Context, id uuid.UUID) (entry, error) {
	if ledgerOff {
		return entry{}, nil
	}
	ctx, cancel := context.WithTimeout(ctx, ledgerTimeout)
	defer cancel()
	got, err := d.ledger.Get(ctx, id)
	if err != nil || got.Revision == 0 {
		return entry{}, err
	}
	return entry{Record: readRecord(got.Data), revision: got.Revision, stored: got.Stored}, nil
}

// readRecord decodes a record. One that cannot be understood is unreadable: it must not
// count as no record, or the call would be dialled again. State is then in Detail.
func readRecord(data []byte) Record {
	var r Record
	cause := ""
	switch err := event.Unmarshal(data, &r); {
	case err != nil:
		cause = "is no JSON of callbridge"
	case r.State == none:
		cause = "has no state"
	case !isKnown(r.State):
		cause = foreignState + untrusted.Cut(untrusted.Line(string(r.State)), maxKept)
	default:
		return r
	}
	return Record{State: unreadable, Attempt: max(r.Attempt, 0), Source: r.Source, Nonce: r.Nonce, Detail: cause}
}

// foreignState begins the detail of a record whose state may be that of a newer version.
const foreignState = "has the unknown state "

// isForeign reports whether a record may be that of a newer version.
func (r Record) isForeign() bool {
	return r.State == unreadable && strings.HasPrefix(r.Detail, foreignState)
}

func isKnown(s State) bool {
	_, final := outcomes[s]
	return final || s != unreadable && slices.Contains(openStates, s)
}

// compareAndSet writes the next record of a request if over is still its newest
// entry; otherwise it returns bus.ErrConflict. If the acknowledgement is lost,
// the record is read back: only its own nonce proves that it was stored.
func (d *Dispatcher) compareAndSet(ctx context.Context, r request, next Record, over entry) (entry, error) {
	if ledgerOff {
		return entry{Record: next, stored: time.Now(), fresh: true}, nil
	}
	next.Source, next.Owner, next.Nonce = r.Event.Source, d.instance, uuid.NewString()
	data, err := event.Marshal(next)
	if err != nil {
		return entry{}, fmt.Errorf("encode ledger %s: %w", r.ID, err)
	}
	limited, cancel := context.WithTimeout(ctx, ledgerTimeout)
	defer cancel()
	revision, err := d.ledger.Put(limited, r.ID, data, over.revision)
	if err == nil {
		return entry{Record: next, revision: revision, stored: time.Now(), fresh: true}, nil
	}
	if errors.Is(err, bus.ErrConflict) {
		return entry{}, err
	}
	// A record that is perhaps not on the disk must not be acted on, even if
	// it can be read.
	if !errors.Is(err, bus.ErrNotDurable) {
		if found, loadErr := d.load(ctx, r.ID); loadErr == nil && found.Nonce == next.Nonce {
			return found, nil
		}
	}
	// A claim in a ledger that has lost records is no proof that no call was sent.
	if next.State == Claimed && !errors.Is(err, bus.ErrLost) {
		d.unusedClaims.Store(next.Nonce, true)
	}
	return entry{}, fmt.Errorf("ledger write in doubt: %w", err)
}

// age is the time since an entry was stored, without the local clock, which may be
// wrong and may jump: by the monotonic clock for an entry that was just written, and else
// by the clock of the NATS server.
func (d *Dispatcher) age(ctx context.Context, e entry) (time.Duration, error) {
	if e.fresh {
		return time.Since(e.stored), nil
	}
	ctx, cancel := context.WithTimeout(ctx, ledgerTimeout)
	defer cancel()
	now, err := d.ledger.Now(ctx)
	if err != nil {
		return 0, err
	}
	return now.Sub(e.stored), nil
}
