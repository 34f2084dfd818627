package lookup

import (
	"sync"
	"time"
)

// maxAnswerBytes bounds the answers that are kept for others, all together.
// Past it each event asks for itself.
const maxAnswerBytes = 32 << 20

// answerLife is longer than any event waits for others (coalesce, a minute at
// most).
const answerLife = 2 * time.Minute

// answers lets events that ask the same share one answer. An answer is only
// for events that came in before the question left: what happened later is not
// in it.
type answers struct {
	mu      sync.Mutex
	kept    map[string]answered
	flights map[string]bool
	bytes   int
}

func newAnswers() *answers {
	return &answers{kept: map[string]answered{}, flights: map[string]bool{}}
}

// get returns an answer that holds what the event is about.
func (a *answers) get(object string, received time.Time) (answered, bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	answer, ok := a.kept[object]
	answer.took = 0
	return answer, ok && received.Before(answer.asked)
}

// begin reports whether nobody else is asking just now; then end has to follow.
func (a *answers) begin(object string) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.flights[object] {
		return false
	}
	a.flights[object] = true
	return true
}

func (a *answers) end(object string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.flights, object)
}

// put keeps an answer for the events that came in before it was asked for, and
// drops those that all such events have had their turn for.
func (a *answers) put(object string, answer answered) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for name, old := range a.kept {
		if name == object || answer.asked.Sub(old.asked) > answerLife {
			a.bytes -= len(old.body)
			delete(a.kept, name)
		}
	}
	if a.bytes+len(answer.body) <= maxAnswerBytes {
		a.bytes += len(answer.body)
		a.kept[object] = answer
	}
}
