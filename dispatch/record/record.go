// Package record is what the ledger stores about one request: its state, and what the step
// of that state needs. It is pure: package dispatch reads and writes the ledger.
package record

import (
	"encoding/json"
	"slices"
	"strings"
	"time"

	"callbridge/event"
	"callbridge/untrusted"
)

// State of a request in the ledger.
type State string

const (
	// None is the state of a request that has no record yet.
	None State = ""
	// Claimed: one process may send the call, within its write window.
	Claimed State = "claimed"
	// Free: certainly not placed; it may be claimed again after NotBefore.
	Free State = "free"
	// Unknown: the call may have been sent. Callab's list decides. Unknown is not
	// the outcome unknown: that is Parked.
	Unknown State = "unknown"
	// Waiting: certainly not placed, and not to be placed now. It is judged again at
	// Until.
	Waiting State = "waiting"

	// Unreadable stands for a record that is garbage or has a state that this version
	// does not know. It is never written.
	Unreadable = State("unreadable")

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

// open are the states in which a request still has something to do.
var open = []State{Claimed, Free, Unknown, Waiting, Unreadable}

// outcomes maps each final state to the outcome of its result.
var outcomes = map[State]event.Outcome{
	Accepted: event.Accepted,
	Rejected: event.Rejected,
	Skipped:  event.Skipped,
	Parked:   event.Unknown,
	Failed:   event.Failed,
}

// Outcome returns the outcome of a final state, or "".
func (s State) Outcome() event.Outcome { return outcomes[s] }

// IsFinal reports whether no state follows.
func (s State) IsFinal() bool { return s.Outcome() != "" }

// Of returns the final state that leads to an outcome, or None.
func Of(outcome event.Outcome) State {
	for state, of := range outcomes {
		if of == outcome {
			return state
		}
	}
	return None
}

// States returns all states that a record can have, and Unreadable.
func States() []State {
	all := slices.Clone(open)
	for s := range outcomes {
		all = append(all, s)
	}
	return all
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
	// Until is when a waiting request is judged again, by the clock of the NATS server;
	// zero: when something changes, such as a stop without an end.
	Until time.Time `json:"until,omitzero"`
	// Due is when a waiting request is taken up at the latest: a little after Until, and
	// not after the last moment at which a call makes sense.
	Due time.Time `json:"due,omitzero"`
	// Acked: the message of the request is acknowledged, or is about to be. NATS does not
	// deliver it again: the process that waits for it or the sweep takes it up.
	Acked bool `json:"acked,omitzero"`
	// Refused is when Callab last refused our credentials for this request.
	Refused time.Time `json:"refused,omitzero"`
	// Park: an unknown call is not dialled again, whatever DIAL_UNKNOWN says.
	Park bool `json:"park,omitzero"`
	// Reason and Detail go into the result.
	Reason event.Reason `json:"reason,omitzero"`
	Detail string       `json:"detail,omitzero"`
	// Unsent: no attempt may have placed a call, but for the claimed one.
	Unsent bool `json:"unsent,omitzero"`
	// Gates are what the gates found that did not let the call pass.
	Gates []event.Gate `json:"gates,omitzero"`
	// Config is the hash of the configuration that refused the request.
	Config string `json:"config,omitzero"`
	// Call is Callab's answer. The result can be published from it again
	// after a crash.
	Call json.RawMessage `json:"call,omitzero"`
}

// WaitFor sets how long a free request waits.
func (r *Record) WaitFor(d time.Duration) {
	r.NotBefore, r.WaitMS = time.Now().Add(d), (d + time.Millisecond - 1).Milliseconds()
}

// MaxWait bounds how long a free request waits.
const MaxWait = time.Hour

// Wait is how long a free request waits after it was stored: at most MaxWait.
func (r Record) Wait() time.Duration {
	return min(max(time.Duration(r.WaitMS)*time.Millisecond, 0), MaxWait)
}

// SameWait reports whether both are the same wait, so that nothing new is to be said.
func (r Record) SameWait(other Record) bool {
	return r.State == Waiting && other.State == Waiting && r.Reason == other.Reason && r.Until.Equal(other.Until)
}

// Read decodes a record. One that cannot be understood is Unreadable: it must not
// count as no record, or the call would be dialled again. The cause is then in Detail.
func Read(data []byte) Record {
	var r Record
	cause := ""
	switch err := event.Unmarshal(data, &r); {
	case err != nil:
		cause = "is no JSON of callbridge"
	case r.State == None:
		cause = "has no state"
	case !isKnown(r.State):
		cause = foreignState + untrusted.Cut(untrusted.Line(string(r.State)), maxState)
	default:
		return r
	}
	return Record{State: Unreadable, Attempt: max(r.Attempt, 0), Source: r.Source, Nonce: r.Nonce, Detail: cause}
}

const (
	// foreignState begins the detail of a record whose state may be that of a newer version.
	foreignState = "has the unknown state "
	// maxState is how many characters of such a state are kept.
	maxState = 256
)

// IsForeign reports whether a record may be that of a newer version.
func (r Record) IsForeign() bool {
	return r.State == Unreadable && strings.HasPrefix(r.Detail, foreignState)
}

func isKnown(s State) bool { return s.IsFinal() || s != Unreadable && slices.Contains(open, s) }
