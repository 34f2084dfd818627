package outcome

import (
	"strings"
	"sync"
	"time"

	"callbridge/mapping/rule"
)

// names are what rules may use, with their types: fields of the call object, and the
// answers that are read from them.
var names = []struct{ name, kind string }{
	{"call_status", "word"}, {"disconnect_reason", "word"}, {"agent_task_status", "word"},
	{"analysis_sentiment", "word"}, {"call_direction", "word"}, {"call_provider", "word"}, {"transcript_language", "word"},
	{"transcript", "string"}, {"agent_task_feedback", "string"}, {"call_feedback", "string"}, {"notes", "string"},
	{"campaign_id", "string"}, {"ai_agent_id", "string"}, {"workspace_id", "string"},
	{"call_duration", "number"}, {"call_rating", "number"}, {"latency", "number"}, {"is_test", "bool"},
	{"created_at", "time"}, {"started_at", "time"}, {"ended_at", "time"}, {"retry_at", "time"},
	{"agent_post_call_outcomes", "map"}, {"metadata", "map"}, {"agent_dynamic_variables", "map"},
	{"how_ended", "word"}, {"answered_by", "word"}, {"task", "word"}, {"opt_out", "word"},
	{"person_turns", "number"}, {"voicemail_turns", "number"}, {"screening_turns", "number"},
	{"ivr_turns", "number"}, {"unclear_turns", "number"}, {"person_said", "string"},
}

func typeOf(name string) string {
	for _, n := range names {
		if n.name == name {
			return n.kind
		}
	}
	return ""
}

// environment declares the names to CEL, once: it takes a millisecond.
var environment = sync.OnceValue(func() *rule.Environment {
	all := make([]string, len(names))
	for i, n := range names {
		all[i] = n.name
	}
	e, err := rule.NewEnvironment(all, typeOf)
	if err != nil {
		panic("outcome: " + err.Error()) // the names are those above
	}
	return e.Fixed()
})

// RuleValue implements rule.Values.
func (c call) RuleValue(name string) (value any, missing bool) {
	if value, is := c.answer(name); is {
		return value, false
	}
	switch typeOf(name) {
	case "word":
		value = c.object.word(name)
	case "string":
		value = c.object.text(name)
	case "number":
		if number, ok, _ := c.object.number(name); ok {
			return number, false
		}
	case "bool":
		if is, ok := c.object[name].(bool); ok {
			return is, false
		}
	case "time":
		if at, ok := c.object.time(name); ok {
			return at, false
		}
	case "map":
		return c.object.texts(name), false
	}
	if text, ok := value.(string); ok && text != "" {
		return text, false
	}
	return nil, isEmpty(c.object[name])
}

// answer returns a value that is read from several fields.
func (c call) answer(name string) (value any, is bool) {
	switch name {
	case "how_ended":
		return c.howEnded.Answer, true
	case "answered_by":
		return c.answeredBy.Answer, true
	case "task":
		return c.task.Answer, true
	case "opt_out":
		return c.optOut.Answer, true
	case "person_turns":
		return float64(c.speech.person), true
	case "voicemail_turns":
		return float64(c.speech.voicemail), true
	case "screening_turns":
		return float64(c.speech.screening), true
	case "ivr_turns":
		return float64(c.speech.menu), true
	case "unclear_turns":
		return float64(c.speech.unclear), true
	case "person_said":
		return strings.TrimSpace(c.speech.said), true
	case "agent_post_call_outcomes":
		return c.outcomes, true
	}
	return nil, false
}

// Received implements rule.Values: the end of the call, for days_since.
func (c call) Received() time.Time {
	at, _ := c.object.end()
	return at
}
