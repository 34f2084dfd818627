package dispatch

import (
	"encoding/json"
	"strconv"
	"time"

	"callbridge/event"
)

// State of one call in the ledger. The zero State is a request that nobody has
// touched.
type State string

const (
	// Claimed: one process may send the call, within its write window.
	Claimed State = "claimed"
	// Free: certainly not sent; it may be claimed again after NotBefore.
	Free State = "free"
	// Unknown: perhaps sent. Callab's list decides.
	Unknown State = "unknown"

	// The rest is final.

	// Accepted: Callab has the call.
	Accepted State = "accepted"
	// Rejected: Callab refused it.
	Rejected State = "rejected"
	// Parked: perhaps sent, and not in Callab's list. A person decides.
	Parked State = "parked"
	// Failed: never sent, and tried often enough.
	Failed State = "failed"
)

// Record is what the ledger keeps of one call.
type Record struct {
	State State `json:"state"`
	// Attempt counts the claims.
	Attempt int `json:"attempt"`
	// Owner is the process that wrote the record, Nonce this very write: who
	// finds its nonce after a write whose answer was lost knows that it won.
	Owner string `json:"owner"`
	Nonce string `json:"nonce"`
	// Claimed is when the claim was taken, by the owner's clock.
	Claimed time.Time `json:"claimed,omitzero"`
	// NotBefore is when a free request may be claimed again.
	NotBefore time.Time `json:"not_before,omitzero"`
	// Reason and Detail are what the result will say.
	Reason event.Reason `json:"reason,omitempty"`
	Detail string       `json:"detail,omitempty"`
	// Call is Callab's answer: with it the result can be published again
	// after a crash.
	Call json.RawMessage `json:"call,omitempty"`
}

// encode is the JSON of the record. The usual one has no detail, and then no text
// in it needs an escape: states, reasons and ids are our own words.
func (r Record) encode() ([]byte, error) {
	if r.Detail != "" {
		return json.Marshal(r)
	}
	b := make([]byte, 0, roomBeside+len(r.Call))
	b = append(append(b, `{"state":"`...), r.State...)
	b = strconv.AppendInt(append(b, `","attempt":`...), int64(r.Attempt), 10)
	b = append(append(b, `,"owner":"`...), r.Owner...)
	b = append(append(append(b, `","nonce":"`...), r.Nonce...), '"')
	b = appendTime(b, `,"claimed":"`, r.Claimed)
	b = appendTime(b, `,"not_before":"`, r.NotBefore)
	if r.Reason != "" {
		b = append(append(append(b, `,"reason":"`...), r.Reason...), '"')
	}
	if len(r.Call) > 0 {
		b = append(append(b, `,"call":`...), r.Call...)
	}
	return append(b, '}'), nil
}

// roomBeside is what a record needs beside the call.
const roomBeside = 320

func appendTime(b []byte, before string, t time.Time) []byte {
	if t.IsZero() {
		return b
	}
	return append(t.AppendFormat(append(b, before...), time.RFC3339Nano), '"')
}

// outcome is the result that a final state stands for.
func (s State) outcome() (event.Outcome, bool) {
	switch s {
	case Accepted:
		return event.Accepted, true
	case Rejected:
		return event.Rejected, true
	case Parked:
		return event.Unknown, true
	case Failed:
		return event.Failed, true
	}
	return "", false
}
