package outcome

import (
	"maps"
	"slices"
	"strings"
	"time"
)

// Ends are the answers to "how did the call end".
var Ends = []string{
	"completed", "hung_up", "person_hung_up", "agent_hung_up", "transferred", "silence", "time_limit",
	"no_answer", "busy", "declined", "invalid_number", "blocked", "cancelled", "failed", "not_dialled", Unknown,
}

// connected are the ends that do not say whether a person answered: a voicemail, a person and
// silence end like this.
var connected = []string{"completed", "hung_up", "person_hung_up", "agent_hung_up", "transferred", "silence", "time_limit"}

// call is a call object with its answers: what rules and floors see.
type call struct {
	object     object
	outcomes   map[string]string
	speech     speech
	status     Status
	howEnded   Finding
	answeredBy Finding
	task       Finding
	optOut     Finding
	callbackAt Callback
	// completed is set if call_status says only that the call is over.
	completed bool
}

func (r *Rules) read(o object) call {
	c := call{object: o, outcomes: o.texts("agent_post_call_outcomes")}
	c.speech = phraseTable().hear(o.turns())
	c.status = r.status(o)
	c.completed = r.how[o.word("call_status")] == "completed"
	c.howEnded = r.howEnded(o)
	if name, value, there := c.quoted(r.quotes["answered_by"]); there && r.answers[word(value)] == "" {
		c.speech.count(Unclear, turn{path: name, text: value}) // perhaps a person
	}
	c.answeredBy = r.answeredBy(c)
	c.task = r.taskOf(o)
	c.optOut = r.optOut(c)
	c.callbackAt = r.callbackAt(c)
	return c
}

// status returns the word of call_status. A word that is in no table is never final, nor
// is a missing one.
func (r *Rules) status(o object) Status {
	w := o.word("call_status")
	if w == "" {
		return Status{Finding: Finding{Answer: Unknown, Evidence: Evidence{Kind: Absent}}}
	}
	found := Finding{Answer: w, Evidence: quote(Quoted, "call_status", o.text("call_status"))}
	state, known := r.statuses[w]
	if !known {
		found.Answer = Unknown
	}
	return Status{Finding: found, Known: known, Final: state == "final"}
}

// howEnded reads disconnect_reason, and call_status if there is no reason. A reason that
// is in no table is not replaced by the status, which knows less.
func (r *Rules) howEnded(o object) Finding {
	for _, field := range []string{"disconnect_reason", "call_status"} {
		if isEmpty(o[field]) {
			continue
		}
		if how, known := r.how[o.word(field)]; known {
			return Finding{how, quote(Quoted, field, o.text(field))}
		}
		return Finding{Unknown, quote(Absent, field, o.text(field))}
	}
	return Finding{Unknown, Evidence{Kind: Absent}}
}

// answeredBy asks the agent's own outcome first, then the words of Callab for machines,
// then the transcript, then the end of a call that was not taken.
func (r *Rules) answeredBy(c call) Finding {
	unread := Evidence{Kind: Absent}
	if name, value, there := c.quoted(r.quotes["answered_by"]); there {
		if who := r.answers[word(value)]; who != "" && who != Unknown {
			return Finding{who, quote(Quoted, name, value)}
		}
		unread = quote(Absent, name, value)
	}
	for _, field := range []string{"disconnect_reason", "call_status"} {
		if who, known := r.machines[c.object.word(field)]; known {
			return Finding{who, quote(Quoted, field, c.object.text(field))}
		}
	}
	for _, who := range []string{Person, Machine, Screening, Menu} {
		if evidence, heard := c.speech.first[who]; heard {
			return Finding{who, evidence}
		}
	}
	if c.speech.unclear == 0 && slices.Contains([]string{"no_answer", "busy", "not_dialled"}, c.howEnded.Answer) {
		return Finding{Nobody, Evidence{Derived, c.howEnded.Path, c.howEnded.Value}}
	}
	return Finding{Unknown, unread}
}

// quoted returns the first outcome of these names that has a value.
func (c call) quoted(names []string) (path, value string, there bool) {
	for _, name := range names {
		if value := c.outcomes[name]; value != "" {
			return "agent_post_call_outcomes." + name, value, true
		}
	}
	return "", "", false
}

// taskOf reads agent_task_status. It is Callab's judgement of the agent, and no proof that
// a person was there: voicemails have completed tasks.
func (r *Rules) taskOf(o object) Finding {
	if isEmpty(o["agent_task_status"]) {
		return Finding{Unknown, Evidence{Kind: Absent}}
	}
	said := o.text("agent_task_status")
	if answer, known := r.tasks[word(said)]; known {
		return Finding{answer, quote(Quoted, "agent_task_status", said)}
	}
	return Finding{Unknown, quote(Absent, "agent_task_status", said)}
}

// optOutWords are parts of words that mean an opt-out wherever they are: a disposition such
// as CUSTOM_DNC counts as it is, before any rule.
var optOutWords = []string{"dnc", "do_not_call", "do_not_contact", "opt_out", "optout", "opted_out", "unsubscribe", "unsubscribed"}

// optOut looks for an opt-out in every field that may have one. An opt-out that is found is
// not outweighed by a "no" elsewhere. A missing value is not one.
func (r *Rules) optOut(c call) Finding {
	unclear, denied := Evidence{Kind: Absent}, Evidence{Kind: Absent}
	for _, name := range slices.Sorted(maps.Keys(c.outcomes)) {
		value := c.outcomes[name]
		evidence := quote(Quoted, "agent_post_call_outcomes."+name, value)
		isFlag := slices.Contains(r.quotes["opt_out"], name)
		switch answer := r.flags[word(value)]; {
		case saysOptOut(value), isFlag && (answer == Yes || phraseTable().optOut.in(spoken(value)) != ""):
			return Finding{Yes, evidence}
		case isFlag && answer == No:
			denied = evidence
		case isFlag && value != "":
			unclear = Evidence{Absent, evidence.Path, evidence.Value}
		}
	}
	for _, field := range []string{"call_status", "disconnect_reason", "agent_task_status"} {
		if saysOptOut(c.object.text(field)) {
			return Finding{Yes, quote(Derived, field, c.object.text(field))}
		}
	}
	switch {
	case c.speech.optOut.Kind != Absent:
		return Finding{Yes, c.speech.optOut}
	case unclear.Path != "":
		return Finding{Unclear, unclear}
	}
	return Finding{No, denied}
}

// saysOptOut reports whether a word has a part that means an opt-out, and none that denies
// it.
func saysOptOut(text string) bool {
	w := "_" + word(text) + "_"
	for _, part := range optOutWords {
		if rest := strings.ReplaceAll(w, "_"+part+"_", "_"); rest != w {
			denies := func(no string) bool { return strings.Contains(rest, "_"+no+"_") }
			return !slices.ContainsFunc([]string{"no", "not", "non", "never", "without", "didnt", "hasnt", "false"}, denies)
		}
	}
	return false
}

// callbackLayouts have an offset: without one, "15:00" is a time in a zone that is not known.
var callbackLayouts = []string{time.RFC3339Nano, "2006-01-02T15:04Z07:00", "2006-01-02 15:04:05Z07:00", "2006-01-02 15:04Z07:00"}

// maxCallback bounds how long after a call its callback can be.
const maxCallback = 366 * 24 * time.Hour

// callbackAt reads the time of a callback: RFC 3339, after the call and within a year.
func (r *Rules) callbackAt(c call) Callback {
	path, value, there := c.quoted(r.quotes["callback_at"])
	if !there {
		return Callback{Evidence: Evidence{Kind: Absent}}
	}
	for _, layout := range callbackLayouts {
		at, err := time.Parse(layout, value)
		if err != nil {
			continue
		}
		end, known := c.object.end()
		if !known || at.Before(end) || at.After(end.Add(maxCallback)) {
			break
		}
		return Callback{At: &at, Evidence: Evidence{Quoted, path, value}} // a date looks like a number to quote
	}
	return Callback{Evidence: quote(Absent, path, value)}
}
