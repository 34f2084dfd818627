package callabsim

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"net/http"
	"slices"
	"time"
)

// Life lets each call run through queued, ringing, in-progress and an end. The state of a
// call depends only on its fate and its age, so a clock that jumps shows what a slow one
// would.
type Life struct {
	// Fates are those of calls by number, before the magic numbers. Calls to other
	// numbers take the fates of Script in their order, and then Default.
	Fates  map[string]Fate
	Script []Fate
	// Default is Reached if empty.
	Default Fate
	// Queue, Ring and Talk are how long a call is queued (default 1 s), rings (8 s)
	// and lasts (60 s).
	Queue, Ring, Talk time.Duration
	// Speed divides these times and those of the fates; 1 if zero. The clock stays as it
	// is, since a call must not be from the future.
	Speed float64
}

// LifeAt returns a Life at a speed, or nil, which is none, unless the speed is above 0.
func LifeAt(speed float64) *Life {
	if !(speed > 0) || math.IsInf(speed, 0) {
		return nil
	}
	return &Life{Speed: speed}
}

// Fate is what becomes of a call.
type Fate string

// Fates.
const (
	// Reached: a person talks; transcript and outcomes are there at the end.
	Reached Fate = "reached"
	// Quoted: reached, and the outcomes have answered_by, opt_out and callback_at.
	Quoted Fate = "quoted"
	// Voicemail ends as completed with a finished task; only the transcript shows it.
	Voicemail Fate = "voicemail"
	// NoAnswer rings twice as long and ends as no-answer.
	NoAnswer Fate = "no-answer"
	// Busy ends as busy when it would ring.
	Busy Fate = "busy"
	// Declined ends as declined after 0 s, with equal start and end.
	Declined Fate = "declined"
	// Failed ends before it is dialled.
	Failed Fate = "failed"
	// Stuck stays in-progress.
	Stuck Fate = "stuck"
	// Regress ends as Reached does; from 30 s to 2 min after it, it is ringing again.
	Regress Fate = "regress"
	// LateAnalysis is Reached with transcript and outcomes 3 min after the end.
	LateAnalysis Fate = "late-analysis"
	// RetryAt is NoAnswer with a retry_at of Callab an hour later.
	RetryAt Fate = "retry-at"
	// UnknownWord ends with a status that is not documented.
	UnknownWord Fate = "unknown-word"
	// Gone is not found from the moment it would ring.
	Gone Fate = "gone"
	// Screening is answered by the assistant of a telephone, and no person comes.
	Screening Fate = "screening"
	// OptOut is Reached with an opt-out in the transcript only.
	OptOut Fate = "opt-out"
)

// Fates returns every fate, in the order of the magic numbers.
func Fates() []Fate {
	return []Fate{Reached, Quoted, Voicemail, NoAnswer, Busy, Declined, Failed, Stuck, Regress, LateAnalysis,
		RetryAt, UnknownWord, Gone, Screening, OptOut}
}

// firstFate is the last part of the number +1 202 555 0170, whose fate is the first one.
const firstFate = 170

// magicFate returns the fate of a number from +12025550170 on.
func magicFate(number string) Fate {
	for i, fate := range Fates() {
		if number == fmt.Sprintf("+12025550%d", firstFate+i) {
			return fate
		}
	}
	return ""
}

// withDefaults returns a copy with the defaults filled in. It panics on an unknown fate,
// which is a mistake in a test.
func (l Life) withDefaults() *Life {
	l.Default = cmp.Or(l.Default, Reached)
	l.Queue = cmp.Or(l.Queue, time.Second)
	l.Ring = cmp.Or(l.Ring, 8*time.Second)
	l.Talk = cmp.Or(l.Talk, time.Minute)
	l.Speed = cmp.Or(l.Speed, 1)
	all := append(slices.Clone(l.Script), l.Default)
	for _, fate := range l.Fates {
		all = append(all, fate)
	}
	for _, fate := range all {
		if !slices.Contains(Fates(), fate) {
			panic("callabsim: no fate " + string(fate))
		}
	}
	return &l
}

// nextFate returns the fate of a new call. It needs mu.
func (s *Sim) nextFate(number string) Fate {
	life := s.options.Life
	fate := cmp.Or(s.fates[number], life.Fates[number])
	if fate == "" && s.options.MagicNumbers {
		fate = magicFate(number)
	}
	if fate == "" && len(s.script) > 0 {
		fate, s.script = s.script[0], s.script[1:]
	}
	return cmp.Or(fate, life.Default)
}

// begin returns a call as it is when it is placed.
func (l *Life) begin(c Call) Call {
	c.CallStatus = "queued"
	return c
}

// scaled is a duration at the speed of the life.
func (l *Life) scaled(d time.Duration) time.Duration { return time.Duration(float64(d) / l.Speed) }

// at returns the state of a call at a time.
func (l *Life) at(c Call, now time.Time) Call {
	rings := c.CreatedAt.Add(l.scaled(l.Queue))
	answered := rings.Add(l.scaled(l.Ring))
	switch {
	case now.Before(rings):
		return c
	case c.fate == Failed:
		return c.over(rings, "failed", "concurrency_limit_reached")
	case c.fate == Busy:
		return c.over(rings, "busy", "user-busy")
	}
	c.CallStatus, c.UpdatedAt = "ringing", rings
	if c.fate == NoAnswer || c.fate == RetryAt {
		return l.unanswered(c, rings, now)
	}
	if now.Before(answered) {
		return c
	}
	if c.fate == Declined {
		c.StartedAt = &answered
		return c.over(answered, "declined", "declined-by-callee")
	}
	c.CallStatus, c.StartedAt, c.UpdatedAt = "in-progress", &answered, answered
	ended := answered.Add(l.scaled(l.Talk))
	if c.fate == Stuck || now.Before(ended) {
		return c
	}
	return l.ended(c, ended, now)
}

// isGone reports whether a call is not found any more.
func (c Call) isGone() bool { return c.fate == Gone && c.CallStatus != "queued" }

// over returns a call that ended without an answer.
func (c Call) over(at time.Time, status, reason string) Call {
	c.CallStatus, c.DisconnectReason = status, reason
	c.EndedAt, c.UpdatedAt = &at, at
	return c
}

func (l *Life) unanswered(c Call, rings, now time.Time) Call {
	ended := rings.Add(l.scaled(2 * l.Ring))
	if now.Before(ended) {
		return c
	}
	c = c.over(ended, "no-answer", "")
	if c.fate == RetryAt {
		again := ended.Add(l.scaled(time.Hour))
		c.RetryAt = &again
	}
	return c
}

// What the parties say.
const (
	spokenByMachine  = "User: Hi, you have reached Ada. Please leave a message after the tone.\nAgent: Hello, this is a message about your request. Goodbye."
	spokenByScreener = "User: Hi, if you record your name and reason for calling, I'll see if this person is available.\n" +
		"Agent: This is Example, about your request.\nUser: Thank you. Goodbye."
	spokenAgainstCalls = "Agent: Hello, is this a good time?\nUser: No. Don't call me again.\nAgent: All right. Goodbye."
)

// ended returns a call that was answered and has ended.
func (l *Life) ended(c Call, at, now time.Time) Call {
	open := c
	c = c.ended(at, l.Talk)
	switch c.fate {
	case Voicemail:
		c = c.saying(spokenByMachine)
	case Screening:
		c = c.saying(spokenByScreener)
	case OptOut:
		c = c.saying(spokenAgainstCalls)
	case UnknownWord:
		c.CallStatus = "wrapped-up"
	case Quoted:
		later := at.Add(24 * time.Hour).UTC().Format(time.RFC3339)
		c.AgentPostCallOutcomes["answered_by"], c.AgentPostCallOutcomes["opt_out"] = "person", "no"
		c.AgentPostCallOutcomes["callback_at"] = later
	case Regress:
		from, until := at.Add(l.scaled(30*time.Second)), at.Add(l.scaled(2*time.Minute))
		if !now.Before(from) && now.Before(until) {
			open.CallStatus, open.UpdatedAt = "ringing", from
			return open
		}
		if !now.Before(until) {
			c.UpdatedAt = until
		}
	case LateAnalysis:
		analysed := at.Add(l.scaled(3 * time.Minute))
		if now.Before(analysed) {
			return c.unanalysed(open)
		}
		c.UpdatedAt = analysed
	}
	return c
}

// saying returns a call with another transcript, and without the outcomes of a talk.
func (c Call) saying(text string) Call {
	c.Transcript = &text
	c.TranscriptObject = nil
	delete(c.AgentPostCallOutcomes, "interested")
	return c
}

// unanalysed returns an ended call without what is added after it. Before is the call
// before its end.
func (c Call) unanalysed(before Call) Call {
	c.Transcript, c.TranscriptObject, c.TranscriptLanguage, c.RecordURL = nil, nil, nil, nil
	c.AnalysisSentiment, c.AgentTaskStatus = "", ""
	c.AgentPostCallOutcomes = before.AgentPostCallOutcomes
	return c
}

// SetFate sets the fate of later calls to a number. It panics if the simulator has no
// Life or the fate does not exist, which is a mistake in a test.
func (s *Sim) SetFate(number string, fate Fate) {
	if err := s.changeFate(number, fate); err != nil {
		panic("callabsim: " + err.Error())
	}
}

func (s *Sim) changeFate(number string, fate Fate) error {
	switch {
	case s.options.Life == nil:
		return fmt.Errorf("calls have no life: start the simulator with one")
	case !slices.Contains(Fates(), fate):
		return fmt.Errorf("fate %q is none of %v", fate, Fates())
	case number == "":
		return fmt.Errorf("call_to is missing")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fates[number] = fate
	return nil
}

func (s *Sim) setFate(w http.ResponseWriter, r *http.Request) {
	x := &exchange{w: w, r: r}
	var wanted struct {
		CallTo string `json:"call_to"`
		Fate   Fate   `json:"fate"`
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBodyBytes))
	if err == nil {
		err = json.Unmarshal(body, &wanted)
	}
	if err == nil {
		err = s.changeFate(wanted.CallTo, wanted.Fate)
	}
	if err != nil {
		x.refuse(http.StatusBadRequest, err.Error())
		return
	}
	x.ok(wanted)
}
