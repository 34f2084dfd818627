// Package loss knows whether NATS has lost messages that callbridge relies on. It
// remembers when each stream was made and its last sequence, in a stream of its own and
// in a file, and compares: a stream that was made again has lost its messages, and one
// whose sequence is lower than remembered was restored from a copy.
// docs/decisions/0018-loss-and-restore.md gives the reasons.
package loss

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// Mark is what is remembered of a stream.
type Mark struct {
	// Created is when the stream was made.
	Created time.Time `json:"created"`
	// Last is the highest sequence that the stream is known to have had.
	Last uint64 `json:"last"`
}

// seen is what a server says about a stream now.
type seen struct {
	Mark
	// oldest is when the oldest message was stored; zero if there is none.
	oldest time.Time
}

// Kind is what happened to a stream.
type Kind string

const (
	// intact: nothing is missing.
	intact Kind = ""
	// Lost: the stream was made again, and is without its messages.
	Lost Kind = "lost"
	// Restored: the stream is that of an earlier time.
	Restored Kind = "restored"
)

// compare decides what happened to a stream since it was remembered. A stream that is
// restored may have a new creation time: its messages are then older than itself.
func compare(m Mark, now seen) Kind {
	newer := now.Created.After(m.Created)
	copied := newer && !now.oldest.IsZero() && now.oldest.Before(now.Created)
	switch {
	case m.Last == 0:
		return intact // there was nothing to lose
	case newer && !copied:
		return Lost
	case now.Last < m.Last, now.Created.Before(m.Created):
		return Restored
	}
	return intact
}

// Problem is a loss that a person has to know of.
type Problem struct {
	// At is when it was found.
	At     time.Time `json:"at"`
	Stream string    `json:"stream"`
	Kind   Kind      `json:"kind"`
}

// Acknowledgement says that a person knows of the problems until a time.
type Acknowledgement struct {
	// Until is the time of the newest problem that is acknowledged.
	Until time.Time `json:"until"`
	// At, By and Why are when, by whom and why it was acknowledged.
	At  time.Time `json:"at"`
	By  string    `json:"by"`
	Why string    `json:"why"`
}

// Record is all that is remembered. Two records of the same streams are merged by
// taking the later value of each field.
type Record struct {
	// Marks by the full name of the stream.
	Marks map[string]Mark `json:"marks"`
	// Lost is when requests or the ledger were last found to be made again.
	Lost time.Time `json:"lost,omitzero"`
	// Restored is when requests or the ledger were last found to be of an earlier time,
	// Ledger when that was the ledger.
	Restored time.Time `json:"restored,omitzero"`
	Ledger   time.Time `json:"ledger,omitzero"`
	// Problems are those that are not acknowledged, oldest first.
	Problems     []Problem       `json:"problems,omitempty"`
	Acknowledged Acknowledgement `json:"acknowledged,omitzero"`
	// Told is the time that was last given as that of a restored copy.
	Told time.Time `json:"told,omitzero"`
}

// maxProblems bounds the problems of a record. The newest are kept.
const maxProblems = 32

// merge returns what two records know together.
func merge(a, b Record) Record {
	m := Record{
		Marks: maps.Clone(a.Marks), Lost: later(a.Lost, b.Lost), Restored: later(a.Restored, b.Restored),
		Ledger: later(a.Ledger, b.Ledger), Told: later(a.Told, b.Told), Acknowledged: a.Acknowledged,
	}
	if m.Marks == nil {
		m.Marks = map[string]Mark{}
	}
	for name, mark := range b.Marks {
		m.Marks[name] = laterMark(m.Marks[name], mark)
	}
	if b.Acknowledged.Until.After(m.Acknowledged.Until) {
		m.Acknowledged = b.Acknowledged
	}
	m.Problems = open(append(slices.Clone(a.Problems), b.Problems...), m.Acknowledged)
	return m
}

// open returns the problems that are not acknowledged, each once, oldest first.
func open(problems []Problem, acknowledged Acknowledgement) []Problem {
	problems = slices.DeleteFunc(problems, func(p Problem) bool { return !p.At.After(acknowledged.Until) })
	slices.SortFunc(problems, func(a, b Problem) int {
		return cmp.Or(a.At.Compare(b.At), strings.Compare(a.Stream, b.Stream), strings.Compare(string(a.Kind), string(b.Kind)))
	})
	problems = slices.CompactFunc(problems, func(a, b Problem) bool {
		return a.At.Equal(b.At) && a.Stream == b.Stream && a.Kind == b.Kind
	})
	return problems[max(0, len(problems)-maxProblems):]
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

func laterMark(a, b Mark) Mark {
	if a.Created.Equal(b.Created) {
		return Mark{Created: a.Created, Last: max(a.Last, b.Last)}
	}
	if b.Created.After(a.Created) {
		return b
	}
	return a
}

// note adds what happened to a stream.
func (r *Record) note(p Problem, dialled, ledger bool) {
	r.Problems = append(r.Problems, p)
	switch {
	case !dialled:
	case p.Kind == Lost:
		r.Lost = later(r.Lost, p.At)
	default:
		r.Restored = later(r.Restored, p.At)
		if ledger {
			r.Ledger = later(r.Ledger, p.At)
		}
	}
}

// equal reports whether two records say the same.
func (r Record) equal(o Record) bool {
	return maps.EqualFunc(r.Marks, o.Marks, func(a, b Mark) bool { return a.Created.Equal(b.Created) && a.Last == b.Last }) &&
		r.sameState(o)
}

// sameState is equal without the marks.
func (r Record) sameState(o Record) bool {
	return r.Lost.Equal(o.Lost) && r.Restored.Equal(o.Restored) && r.Ledger.Equal(o.Ledger) && r.Told.Equal(o.Told) &&
		r.Acknowledged.Until.Equal(o.Acknowledged.Until) &&
		slices.EqualFunc(r.Problems, o.Problems, func(a, b Problem) bool {
			return a.At.Equal(b.At) && a.Stream == b.Stream && a.Kind == b.Kind
		})
}

// Text says what the open problems are and what to do, or is empty.
func (r Record) Text() string {
	if len(r.Problems) == 0 {
		return ""
	}
	var all []string
	for _, p := range r.Problems {
		text := p.Stream + " was made again and is without its messages"
		if p.Kind == Restored {
			text = p.Stream + " is that of an earlier time"
		}
		all = append(all, fmt.Sprintf("%s (found at %s)", text, p.At.UTC().Format(time.RFC3339)))
	}
	return "NATS has lost messages: " + strings.Join(all, "; ") +
		"; what was accepted before is not simply dialled again: read docs/operations.md (\"Streams were lost\"), then run `callbridge streams acknowledge --why TEXT`"
}

// Of returns the newest problem of one of the streams that is not acknowledged.
func (r Record) Of(streams ...string) (Problem, bool) {
	for _, p := range slices.Backward(r.Problems) {
		if slices.Contains(streams, p.Stream) {
			return p, true
		}
	}
	return Problem{}, false
}

// Treatment is what a loss means for a request.
type Treatment int

const (
	// Dial: the request is not concerned.
	Dial Treatment = iota
	// SearchFirst: its call may have been placed, and the record of it is lost. It is
	// looked for in Callab's list, and what is not found is treated as an unknown call.
	SearchFirst
	// Hold: as SearchFirst, but what is not found is left to a person.
	Hold
)

// Treat decides what the losses mean for a request that has not ended. since is the
// earliest time that is known of it or its event; recorded is when its ledger record was
// stored, zero if it has none.
func (r Record) Treat(since, recorded time.Time) Treatment {
	switch {
	case since.Before(r.Lost) && !r.Ledger.After(r.Lost):
		return Hold
	case since.Before(later(r.Restored, r.Lost)) && recorded.Before(later(r.Restored, r.Lost)):
		return SearchFirst
	}
	return Dial
}
