package outcome

import "slices"

// absences are the classes that say that no person was there. Another attempt may follow
// them, so they need a call in which no person can have spoken.
var absences = []Class{Voicemail, NoAnswer, Busy, Screened, ProviderFailed, InvalidNumber, Blocked, Cancelled}

// floor returns why a call cannot have a class, whatever a rule says; "" if it can.
func (c call) floor(class Class) string {
	personQuoted := c.answeredBy.Answer == Person && c.answeredBy.Kind == Quoted
	talk, contradicts := c.talked()
	bare := c.completed || slices.Contains(connected, c.howEnded.Answer)
	switch {
	case class == Unclassified:
		return ""
	case class == Reached && c.speech.person == 0 && !personQuoted:
		return "reached needs a turn of the person in the transcript, or an outcome of the agent that says so"
	case class == Reached:
		return ""
	case bare && c.answeredBy.Answer == Unknown && !slices.Contains(notConnected, c.howEnded.Answer):
		return "a call that has only ended says nothing about who answered"
	case class == Declined && !talk && c.speech.person == 0 && !personQuoted:
		return "declined needs time in which the parties could talk, or a word of the person"
	case class == Declined:
		return ""
	case !slices.Contains(absences, class):
		return "no rule gives this class"
	case c.speech.person > 0 || personQuoted:
		return "a person was there"
	case c.speech.unclear > 0:
		return "the transcript has a turn that may be a person's"
	case class == Voicemail && c.answeredBy.Answer != Machine, class == Screened && c.answeredBy.Answer != Screening:
		return "nothing in the call says that a machine answered"
	case (class == NoAnswer || class == Busy || c.howEnded.Answer == "not_dialled") && contradicts:
		return "call_duration says that the call was answered"
	}
	return ""
}

// notConnected are the ends of a call that was not answered.
var notConnected = []string{"no_answer", "busy", "declined", "invalid_number", "blocked", "cancelled", "failed", "not_dialled"}

// talked reports whether the call was answered for some time: call_duration above 0, and
// not started and ended at once. Contradicts is true if the duration speaks against a call
// that rang in vain: above 0, or unreadable.
func (c call) talked() (talked, contradicts bool) {
	seconds, _, unread := c.object.number("call_duration")
	started, hasStart := c.object.time("started_at")
	ended, hasEnd := c.object.time("ended_at")
	atOnce := hasStart && hasEnd && !started.Before(ended)
	return seconds > 0 && !atOnce, seconds > 0 || unread
}
