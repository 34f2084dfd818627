package outcome

import (
	"fmt"
	"regexp"
	"strings"
)

// speaker is whose turn it is.
type speaker int

const (
	otherSpeaker speaker = iota // a label that says neither
	agentSpeaker
	calleeSpeaker
	noSpeaker // a note of the system, such as a tool call
)

// turn is what one side says until the other one speaks.
type turn struct {
	speaker speaker
	text    string
	// path is its place in the call object: transcript[3] is the third turn.
	path string
}

// maxTurns bounds a transcript. What follows counts as part of the last turn.
const maxTurns = 5000

// labels are the names of speakers, as words.
var labels = map[string]speaker{
	"agent": agentSpeaker, "ai": agentSpeaker, "ai_agent": agentSpeaker, "ai_assistant": agentSpeaker, "assistant": agentSpeaker,
	"bot": agentSpeaker, "model": agentSpeaker, "voice_agent": agentSpeaker, "virtual_assistant": agentSpeaker, "callab": agentSpeaker,
	"user": calleeSpeaker, "human": calleeSpeaker, "customer": calleeSpeaker, "callee": calleeSpeaker, "contact": calleeSpeaker,
	"client": calleeSpeaker, "lead": calleeSpeaker, "person": calleeSpeaker, "prospect": calleeSpeaker, "recipient": calleeSpeaker,
	"guest": calleeSpeaker, "patient": calleeSpeaker,
	"system": noSpeaker, "tool": noSpeaker, "function": noSpeaker, "tool_call": noSpeaker, "tool_result": noSpeaker,
}

// turns returns the turns of a call. There are two fields of them, and the shape of
// transcript_object is not documented: the one with more turns of the callee counts.
// Unread is true if one of the fields has a value and neither has a turn.
func (o object) turns() (all []turn, unread bool) {
	structured := structuredTurns(o["transcript_object"], "transcript_object")
	written := structuredTurns(o["transcript"], "transcript")
	if text := o.text("transcript"); text != "" {
		written = writtenTurns(text)
	}
	all = structured
	if callees(written) > callees(structured) || len(structured) == 0 {
		all = written
	}
	return all, len(all) == 0 && !(isEmpty(o["transcript"]) && hasNoTurns(o["transcript_object"]))
}

// hasNoTurns reports whether a structured transcript is empty: {} or {"turns": []}.
func hasNoTurns(value any) bool {
	members, ok := value.(map[string]any)
	if !ok {
		return isEmpty(value)
	}
	for _, member := range members {
		if !isEmpty(member) {
			return false
		}
	}
	return true
}

func callees(turns []turn) (n int) {
	for _, t := range turns {
		if t.speaker == calleeSpeaker {
			n++
		}
	}
	return n
}

// line is "User: Hello", perhaps with the time before it.
var line = regexp.MustCompile(`^\s*(?:[\[(]?[0-9]{1,2}(?::[0-9]{2}){1,2}(?:\.[0-9]+)?[\])]?\s*[-–]?\s*)?\**([\p{L}][\p{L}\p{N} _-]{0,30})\**\s*:\**(\s*)(.*)$`)

// writtenTurns reads a transcript of lines such as "User: Hello". A line without a label
// goes on with the turn before it.
func writtenTurns(text string) []turn {
	var turns []turn
	var said strings.Builder // of the last turn
	end := func() {
		if len(turns) > 0 {
			turns[len(turns)-1].text = strings.TrimSpace(said.String())
		}
		said.Reset()
	}
	for written := range strings.Lines(text) {
		label, rest := labelOf(strings.TrimSpace(written))
		if (label != nil || len(turns) == 0 && rest != "") && len(turns) < maxTurns {
			end()
			t := turn{path: fmt.Sprintf("transcript[%d]", len(turns)+1)}
			if label != nil {
				t.speaker = *label
			}
			turns = append(turns, t)
		}
		said.WriteString(" " + rest)
	}
	end()
	return turns
}

// labelOf returns the speaker of a line, nil if it has no label, and the rest of the line.
func labelOf(written string) (*speaker, string) {
	found := line.FindStringSubmatch(written)
	if found == nil {
		return nil, written
	}
	who, known := labels[word(found[1])]
	if !known && found[2] == "" && found[3] != "" {
		return nil, written // a colon in a sentence, such as https://…
	}
	return &who, strings.TrimSpace(found[3])
}

// structuredTurns reads a list of {"role": …, "content": …} or of lines, or an object with
// one member that is such a list.
func structuredTurns(value any, path string) []turn {
	if members, ok := value.(map[string]any); ok {
		for _, name := range []string{"turns", "messages", "utterances", "segments", "items", "entries", "transcript", "conversation"} {
			if list, ok := members[name].([]any); ok {
				return structuredTurns(list, path+"."+name)
			}
		}
		return nil
	}
	list, _ := value.([]any)
	var turns []turn
	for i, item := range list {
		if len(turns) == maxTurns {
			break
		}
		at := fmt.Sprintf("%s[%d]", path, i+1)
		switch v := item.(type) {
		case string:
			for _, t := range writtenTurns(v) {
				turns = append(turns, turn{t.speaker, t.text, at})
			}
		case map[string]any:
			if text, ok := firstText(v, "content", "text", "message", "utterance", "words"); ok {
				label, _ := firstText(v, "role", "speaker", "from", "name", "participant")
				turns = append(turns, turn{labels[word(label)], text, at})
			}
		}
	}
	return turns
}

// firstText returns the first member that is a text, or a list of words.
func firstText(members map[string]any, names ...string) (string, bool) {
	for _, name := range names {
		switch v := members[name].(type) {
		case string:
			return strings.TrimSpace(v), true
		case []any:
			var words []string
			for _, item := range v {
				inner, _ := item.(map[string]any)
				if text, ok := firstScalar(item, inner["word"], inner["text"]); ok {
					words = append(words, text)
				}
			}
			if words != nil {
				return strings.Join(words, " "), true
			}
		}
	}
	return "", false
}

func firstScalar(values ...any) (string, bool) {
	for _, value := range values {
		if text, ok := scalar(value); ok {
			return text, true
		}
	}
	return "", false
}

// speech is what is in the turns that are not the agent's, as counts of turns.
type speech struct {
	person, voicemail, screening, menu int
	// unclear turns may be a person's: after a machine has spoken, without a label of a
	// speaker, or not understood.
	unclear int
	// evidence of the first turn of each.
	first map[string]Evidence
	// said is what the person said, for rules; the form of spoken.
	said string
	// optOut is the first turn that asks not to be called again.
	optOut Evidence
}

// hear sorts the turns. A machine is known by its phrases. All that the callee's side says
// until the agent answers is one greeting, so a turn next to a machine's is the machine's.
func (p *phrasebook) hear(turns []turn, unread bool) speech {
	s := speech{first: map[string]Evidence{}, optOut: Evidence{Kind: Absent}}
	if unread {
		s.unclear++
	}
	var said strings.Builder
	machine := ""
	for len(turns) > 0 {
		n := 1
		for n < len(turns) && (turns[0].speaker != agentSpeaker) == (turns[n].speaker != agentSpeaker) {
			n++
		}
		block := turns[:n]
		turns = turns[n:]
		p.noteOptOut(&s, block)
		if block[0].speaker == agentSpeaker {
			continue
		}
		kind := p.machineIn(block)
		if kind != "" && (kind != Unclear || s.person == 0) {
			machine = kind
			s.doubt(&said)
			s.count(kind, block[0])
			continue
		}
		for _, t := range block {
			kind := p.kindOf(t, machine != "")
			if kind == Person {
				machine = "" // what follows is a conversation
				said.WriteString(strings.TrimSpace(spoken(t.text)) + " ")
			}
			s.count(kind, t)
		}
	}
	s.said = strings.TrimSpace(said.String())
	return s
}

// greetingTurns is how many turns a machine's greeting can have before its phrase: "Hi,
// this is Ada." is a person's turn until "Leave a message" follows.
const greetingTurns = 2

// doubt makes the few turns before a machine's unclear. Said is what they said.
func (s *speech) doubt(said *strings.Builder) {
	if s.person == 0 || s.person > greetingTurns {
		return
	}
	s.unclear += s.person
	s.person = 0
	s.first[Unclear] = s.first[Person]
	delete(s.first, Person)
	said.Reset()
}

func (s *speech) count(kind string, t turn) {
	switch kind {
	case Person:
		s.person++
	case Machine:
		s.voicemail++
	case Screening:
		s.screening++
	case Menu:
		s.menu++
	case Unclear:
		s.unclear++
	default:
		return
	}
	if _, there := s.first[kind]; !there {
		s.first[kind] = quote(Derived, t.path, t.text)
	}
}

// machineIn returns the machine that speaks in a block of turns, unclear for what a machine
// and a person may say, or "".
func (p *phrasebook) machineIn(block []turn) string {
	var text strings.Builder
	for _, t := range block {
		if t.speaker != noSpeaker {
			text.WriteString(t.text + " ")
		}
	}
	heard := spoken(text.String())
	maybe := p.maybeVoicemail.countIn(heard)
	// A greeting asks nothing: "Shall I put you through to his voicemail?" is a person's.
	asks := strings.ContainsAny(text.String(), "?？¿")
	switch {
	case p.screening.in(heard) != "":
		return Screening
	case p.voicemail.in(heard) != "" && asks:
		return Unclear
	case p.voicemail.in(heard) != "", maybe > 2 && !asks:
		return Machine
	case p.menu.in(heard) != "":
		return Menu
	case maybe > 0, p.maybeScreening.in(heard) != "":
		return Unclear
	}
	return ""
}

// brackets are sounds in brackets: [beep], (silence), *music*. Their length is bounded, since
// each bracket that is not closed would otherwise be searched to the end of the text.
var brackets = regexp.MustCompile(`\[[^\]]{0,40}\]|\([^)]{0,40}\)|<[^>]{0,40}>|\*[^*]{0,40}\*`)

// kindOf returns whose a turn is: person, unclear, or "" for silence and notes.
// AfterMachine is true once a machine has spoken and no person since.
func (p *phrasebook) kindOf(t turn, afterMachine bool) string {
	unheard := false
	text := spoken(brackets.ReplaceAllStringFunc(t.text, func(sound string) string {
		unheard = unheard || p.noise.in(spoken(sound)) == ""
		return " "
	}))
	isSilence := text == " " || p.noise.are(text)
	switch {
	case t.speaker == noSpeaker, isSilence && !unheard:
		return ""
	case t.speaker == otherSpeaker, isSilence, p.unclear.are(text):
		return Unclear
	case !afterMachine, p.pickup.begin(text):
		return Person
	case p.closing.are(text):
		return ""
	}
	return Unclear
}

// noteOptOut looks for a turn that asks for no further call: in what the callee's side
// says, machines included, and in the agent's promise to obey.
func (p *phrasebook) noteOptOut(s *speech, block []turn) {
	for _, t := range block {
		list := p.optOut
		if t.speaker == agentSpeaker {
			list = p.promise
		}
		if s.optOut.Kind == Absent && t.speaker != noSpeaker && list.in(spoken(t.text)) != "" {
			s.optOut = quote(Derived, t.path, t.text)
		}
	}
}
