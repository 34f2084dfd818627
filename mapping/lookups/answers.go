package lookups

import (
	"slices"
	"strconv"
	"strings"

	"callbridge/mapping/config"
	"callbridge/mapping/field"
	"callbridge/mapping/payload"
)

// Meaning is what an answer of a CRM's API means, as the source says: see answers:
// in docs/lookup.md.
type Meaning string

// Meanings of an answer. Unsaid leaves the decision to the HTTP status.
const (
	Unsaid Meaning = ""
	// BadCredentials: the API does not accept our key. The source waits.
	BadCredentials Meaning = "credentials"
	// Forbidden: the key is accepted, but this record is not for it, like HTTP 403.
	Forbidden Meaning = "forbidden"
	// Wait: a rate limit or a passing fault, like HTTP 429.
	Wait Meaning = "wait"
	// Gone: the API has no such record, like HTTP 404.
	Gone Meaning = "gone"
	// Failed: another request would fail too, like HTTP 400.
	Failed Meaning = "failed"
)

// answer is one entry of answers:.
type answer struct {
	// statuses are the statuses to which it applies; empty for all.
	statuses []int
	// path and values say what has to be in the body; without values anything.
	path   *payload.Path
	values []string
	means  Meaning
}

func readAnswers(n config.Node) []answer {
	var all []answer
	for _, item := range n.Items() {
		keys, ok := item.Known(config.LookupAnswerKeys)
		if !ok {
			continue
		}
		all = append(all, readAnswer(keys))
	}
	return all
}

func readAnswer(keys config.Object) answer {
	var a answer
	if n, ok := keys.Get("status"); ok {
		for _, item := range n.Items() {
			status, err := strconv.Atoi(item.PlainText())
			if err != nil || status < 200 || status > 599 {
				item.Problem("must be 200 to 599", "for example 400")
			}
			a.statuses = append(a.statuses, status)
		}
	}
	if n, ok := keys.Get("path"); ok {
		if path, ok := field.ReadTreePath(n, n.PlainText()); ok {
			a.path = &path
		}
	}
	if n, ok := keys.Get("values"); ok {
		a.values = n.PlainTexts()
		if _, ok := keys.Get("path"); !ok {
			n.Problem(`needs "path"`, "say where the value is in the answer, for example error.code")
		}
	}
	if _, ok := keys.Get("means"); !ok {
		keys.At.Problem(`"means" is missing`, "for example credentials or wait")
		return a
	}
	a.means = Meaning(keys.OneOf("means"))
	if len(a.statuses) == 0 && a.path == nil {
		keys.At.Problem("says nothing about the answer", "add status or path")
	}
	return a
}

// Meaning returns what an answer means according to answers: of the source, the first
// entry that fits. The body is read only if an entry needs it.
func (q *Request) Meaning(status int, contentType string, body []byte) Meaning {
	var tree payload.Value
	isRead := false
	for i := range q.answers {
		a := &q.answers[i]
		if len(a.statuses) > 0 && !slices.Contains(a.statuses, status) {
			continue
		}
		if a.path != nil && !isRead {
			tree, isRead = decodeAnswer(contentType, body), true
		}
		if a.path == nil || a.holds(tree) {
			return a.means
		}
	}
	return Unsaid
}

// decodeAnswer returns nil for a body that cannot be read: no entry with a path
// fits it.
func decodeAnswer(contentType string, body []byte) payload.Value {
	if tree, err := payload.Decode(contentType, payload.Auto, body); err == nil {
		return tree
	}
	tree, err := payload.Decode("", payload.JSON, body)
	if err != nil {
		return nil
	}
	return tree
}

// holds reports whether one of the values is at the path.
func (a *answer) holds(tree payload.Value) bool {
	for _, found := range a.path.All(tree) {
		if !payload.Present(found) {
			continue
		}
		text, ok := payload.Text(found)
		if len(a.values) == 0 || ok && slices.ContainsFunc(a.values, func(v string) bool { return isValue(text, v) }) {
			return true
		}
	}
	return false
}

// isValue compares as text, and a number with a range such as 200-299.
func isValue(text, value string) bool {
	if text == value {
		return true
	}
	from, to, isRange := strings.Cut(value, "-")
	low, err1 := strconv.Atoi(from)
	high, err2 := strconv.Atoi(to)
	number, err3 := strconv.Atoi(text)
	return isRange && err1 == nil && err2 == nil && err3 == nil && low <= number && number <= high
}
