// Package outcome reads what became of a call from Callab's call object (GET
// /calls/{id}). It is pure: a call object and rules in, a Report out.
//
// A provider answers with one word, and "completed" may be a conversation, a voicemail
// or silence. So three answers are kept apart, each with its evidence: how the call
// ended, what answered, and what the agent achieved. The rules of callbridge.yaml make
// one class of them, and floors bound what a rule may say.
//
//   - outcome.go: the Report, and one evaluation
//   - object.go: the fields of a call object, of whatever type they are
//   - word.go: words and spoken text in one spelling
//   - transcript.go: the turns of a transcript, and whose they are
//   - answer.go: the three answers, opt_out and callback_at
//   - floor.go: what no rule may say
//   - load.go: outcomes: of callbridge.yaml, and the tables of callab.yaml
//   - value.go: the names that rules use
//
// It must not import the bus or callab, and reads no clock.
package outcome

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"time"

	"callbridge/mapping/rule"
)

// Class is what became of a call, of a closed set.
type Class string

// Classes. Unresolved is given by no rule: it is for a call whose end was not seen.
const (
	Reached        Class = "reached"
	Voicemail      Class = "voicemail"
	NoAnswer       Class = "no_answer"
	Busy           Class = "busy"
	Declined       Class = "declined"
	Screened       Class = "screened"
	InvalidNumber  Class = "invalid_number"
	Blocked        Class = "blocked"
	ProviderFailed Class = "provider_failed"
	Cancelled      Class = "cancelled"
	Unclassified   Class = "unclassified"
	Unresolved     Class = "unresolved"
)

// Classes returns every class.
func Classes() []Class {
	return []Class{Reached, Voicemail, NoAnswer, Busy, Declined, Screened, InvalidNumber, Blocked,
		ProviderFailed, Cancelled, Unclassified, Unresolved}
}

// Kind says how an answer is known.
type Kind string

// Kinds of evidence.
const (
	// Quoted: a field of the call object says it in these words.
	Quoted Kind = "quoted"
	// Derived: it follows from other values, such as a turn of the transcript.
	Derived Kind = "derived"
	// Absent: no value says it, or the value cannot be read.
	Absent Kind = "absent"
)

// Evidence is where an answer comes from.
type Evidence struct {
	Kind Kind `json:"kind"`
	// Path is the field of the call object, such as disconnect_reason or
	// transcript[3]; "" if there is none.
	Path string `json:"path,omitempty"`
	// Value is what the field says: one line of at most 160 characters, telephone
	// numbers masked.
	Value string `json:"value,omitempty"`
}

// Finding is one answer with its evidence.
type Finding struct {
	// Answer is a word of a closed set; see the constants of each answer.
	Answer string `json:"answer"`
	Evidence
}

// Values of AnsweredBy.
const (
	Person    = "person"
	Machine   = "voicemail"
	Screening = "screening"
	Menu      = "ivr"
	Nobody    = "nobody"
	Unknown   = "unknown"
)

// Answers to "did the person ask not to be called again".
const (
	Yes = "yes"
	No  = "no"
	// Unclear: the field has a value that is neither yes nor no.
	Unclear = "unclear"
)

// Status is the word of call_status.
type Status struct {
	Finding
	// Known is false for a word that is in no table, and for a missing one.
	Known bool `json:"known"`
	// Final is true if the word is known and no other follows it.
	Final bool `json:"final"`
}

// Callback is when the person asked to be called.
type Callback struct {
	// At is nil if the person named no time, or none that can be read.
	At *time.Time `json:"at,omitempty"`
	Evidence
}

// Analysis is what Callab adds after the call: transcript, outcomes, task.
type Analysis struct {
	// Present is true if the agent's outcomes or the task's status are there.
	Present bool `json:"present"`
	// Digest is equal for two objects whose analysis is equal: 32 hex digits.
	Digest string `json:"digest"`
}

// Report is what one call object says.
type Report struct {
	Class  Class  `json:"class"`
	Status Status `json:"status"`
	// HowEnded is one of Ends, AnsweredBy one of person, voicemail, screening, ivr,
	// nobody, unknown, and Task one of done, not_done, unknown.
	HowEnded   Finding `json:"how_ended"`
	AnsweredBy Finding `json:"answered_by"`
	Task       Finding `json:"task"`
	// OptOut is yes, no or unclear. Unclear permits no further attempt.
	OptOut     Finding  `json:"opt_out"`
	CallbackAt Callback `json:"callback_at"`
	// RetryAt is when Callab itself will call again; nil if it does not say so.
	RetryAt  *time.Time `json:"retry_at,omitempty"`
	Analysis Analysis   `json:"analysis"`
	// Rule names the rule that matched: its name, or its path in the file; "" if none.
	Rule string `json:"rule,omitempty"`
	// Floor says why the class of that rule does not hold; "" if it holds.
	Floor string `json:"floor,omitempty"`
	// Problem says why the object cannot be read; "" if it can.
	Problem string `json:"problem,omitempty"`
}

// Final reports whether the call has ended: its status is known and final.
func (r Report) Final() bool { return r.Status.Final }

// Evaluate returns what a call object says. An object that cannot be read is
// unclassified and not final.
func (r *Rules) Evaluate(raw json.RawMessage) Report {
	o, err := parse(raw)
	if err != nil {
		return unreadable(err)
	}
	c := r.read(o)
	report := Report{
		Class: Unclassified, Status: c.status, HowEnded: c.howEnded, AnsweredBy: c.answeredBy, Task: c.task,
		OptOut: c.optOut, CallbackAt: c.callbackAt, Analysis: o.analysis(),
	}
	if at, ok := o.time("retry_at"); ok {
		report.RetryAt = &at
	}
	if !c.status.Final {
		return report
	}
	class, name := r.match(c)
	report.Class, report.Rule = class, name
	if why := c.floor(class); why != "" {
		report.Class, report.Floor = Unclassified, why
	}
	return report
}

// match returns the class and the name of the first rule that holds. A rule that
// depends on a value that is missing does not hold.
func (r *Rules) match(c call) (Class, string) {
	for _, candidate := range r.rules {
		verdict, _, err := candidate.when.Evaluate(c)
		if err == nil && verdict == rule.Match {
			return candidate.class, candidate.name
		}
	}
	return Unclassified, ""
}

func unreadable(err error) Report {
	absent := Finding{Answer: Unknown, Evidence: Evidence{Kind: Absent}}
	return Report{
		Class: Unclassified, Problem: err.Error(), Status: Status{Finding: absent},
		HowEnded: absent, AnsweredBy: absent, Task: absent,
		OptOut:     Finding{Answer: Unclear, Evidence: Evidence{Kind: Absent}},
		CallbackAt: Callback{Evidence: Evidence{Kind: Absent}},
	}
}

// Abandon returns the report of a call whose end was not seen: class unresolved, the
// answers of the last object that was read, and why. Last is the zero Report if none was.
func Abandon(last Report, why string) Report {
	if last.Class == "" {
		last = unreadable(errors.New("no call object was read"))
	}
	last.Class, last.Rule, last.Floor = Unresolved, "", why
	return last
}

// SettleTime is how long after a call's end its analysis counts as settled, whatever is
// missing: Callab documents no bound, and others need two to three minutes.
const SettleTime = 5 * time.Minute

// Settled reports whether the analysis of an ended call will not change any more: two
// looks in a row that are equal and not empty, or SettleTime since the end was seen.
func Settled(before, now Report, sinceEnd time.Duration) bool {
	if !now.Final() {
		return false
	}
	same := before.Final() && before.Analysis == now.Analysis
	return same && now.Analysis.Present || sinceEnd >= SettleTime
}

// analysisFields are the fields that Callab fills in after a call.
var analysisFields = []string{"transcript", "transcript_object", "transcript_language", "call_feedback", "analysis_sentiment",
	"agent_task_status", "agent_task_feedback", "agent_post_call_outcomes"}

func (o object) analysis() Analysis {
	values := map[string]any{}
	for _, name := range analysisFields {
		if value := o[name]; !isEmpty(value) {
			values[name] = value
		}
	}
	// Maps are encoded in the order of their keys, so equal values have equal digests.
	encoded, err := json.Marshal(values)
	if err != nil {
		return Analysis{}
	}
	sum := sha256.Sum256(encoded)
	return Analysis{
		Present: values["agent_post_call_outcomes"] != nil || values["agent_task_status"] != nil,
		Digest:  hex.EncodeToString(sum[:16]),
	}
}
