package dnc

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"regexp"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"callbridge/bus/audit"
	"callbridge/bus/personkey"
	"callbridge/event"
)

// Verbs of requests, each the end of its subject.
const (
	VerbAdd    = "add"
	VerbRemove = "remove"
	VerbCheck  = "check"
)

// MaxNumbers is the most numbers that one request may have.
const MaxNumbers = 1000

// Request is what other services ask, as JSON on <prefix>.dnc.add, .remove and .check.
type Request struct {
	// Numbers are as people write them, with a country code: "+1 202 555 0142".
	Numbers []string `json:"numbers,omitempty"`
	// Listed are entries that Export has returned, in place of Numbers, Scope and Until, and
	// Key is the check value of their key. Of add.
	Listed []Listed `json:"listed,omitempty"`
	Key    string   `json:"key,omitempty"`
	Scope
	// Until ends the entry by itself; zero never does. Of add.
	Until time.Time `json:"until,omitzero"`
	// All takes every entry of the persons away, whatever its scope. Of remove.
	All bool `json:"all,omitempty"`
	// By is the person or service that says so, Why the reason.
	By  string `json:"by,omitempty"`
	Why string `json:"why,omitempty"`
}

// what is the scope of a request in words.
func (r Request) what() string {
	switch {
	case len(r.Listed) > 0:
		return "as exported"
	case r.All:
		return "every entry"
	}
	return r.Scope.String()
}

// Answer has one Status for each number or entry, in their order, or an error; then nothing, or
// only a part, was done, and the request can be repeated.
type Answer struct {
	Error   string   `json:"error,omitempty"`
	Persons []Status `json:"persons,omitempty"`
}

// Status is what became of one number.
type Status struct {
	// Changed: the person was added, or an entry was removed.
	Changed bool `json:"changed,omitempty"`
	// Entries are why the person must not be called, of check.
	Entries []Entry `json:"entries,omitempty"`
	// Person is the name that Key.Person gives, of check; empty without a key.
	Person string `json:"person,omitempty"`
}

// Parse reads a number as people write it.
type Parse func(string) (event.Phone, error)

const (
	// queue is the group of processes of which one answers a request.
	queue = "dnc"
	// requestTimeout bounds one request.
	requestTimeout = 30 * time.Second
	// requestsAtOnce is how many requests a process answers at the same time.
	requestsAtOnce = 8
	// requestsWaiting is how many requests may wait in a process. Others are dropped, and
	// their senders get no answer.
	requestsWaiting = 1024
	// inboxPrefix begins the subjects to which requests are answered.
	inboxPrefix = "_INBOX"
)

// Service answers requests about a list.
type Service struct {
	List  *List
	Parse Parse
	// Audit writes an audit entry, and returns when it is on the disk.
	Audit func(context.Context, audit.Entry) error
	Log   *slog.Logger
}

// Serve answers requests until ctx ends, together with other processes. Requests that this
// process has received by then are answered before it returns.
func (s Service) Serve(ctx context.Context, conn *nats.Conn) error {
	requests := make(chan *nats.Msg, requestsWaiting)
	var subscriptions []*nats.Subscription
	for _, verb := range []string{VerbAdd, VerbRemove, VerbCheck} {
		subscription, err := conn.ChanQueueSubscribe(s.List.Prefix+"."+verb, queue, requests)
		if err != nil {
			return fmt.Errorf("answer requests on %s.%s: %w", s.List.Prefix, verb, err)
		}
		subscriptions = append(subscriptions, subscription)
	}
	unsubscribed := make(chan struct{})
	var workers sync.WaitGroup
	for range requestsAtOnce {
		workers.Go(func() { s.work(context.WithoutCancel(ctx), requests, unsubscribed) })
	}
	<-ctx.Done()
	for _, subscription := range subscriptions {
		_ = subscription.Unsubscribe()
	}
	close(unsubscribed)
	workers.Wait()
	return nil
}

// work answers requests until no more can come and none waits.
func (s Service) work(ctx context.Context, requests <-chan *nats.Msg, unsubscribed <-chan struct{}) {
	for {
		select {
		case m := <-requests:
			s.reply(ctx, m)
			continue
		default:
		}
		select {
		case m := <-requests:
			s.reply(ctx, m)
		case <-unsubscribed:
			return
		}
	}
}

func (s Service) reply(ctx context.Context, m *nats.Msg) {
	verb := strings.TrimPrefix(m.Subject, s.List.Prefix+".")
	// The server lets this process answer wherever the sender has asked for it: also on
	// a subject of a stream, to which the sender may not publish.
	if !strings.HasPrefix(m.Reply, inboxPrefix) {
		s.Log.Warn("dnc.refused", "verb", verb, "error", "the request has no reply subject that begins with "+inboxPrefix)
		return
	}
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	answer, err := s.answer(ctx, verb, m.Data)
	if err != nil {
		answer = Answer{Error: err.Error()}
		s.Log.Warn("dnc.failed", "verb", verb, "error", err)
	}
	data, err := json.Marshal(answer)
	if err == nil {
		err = m.Respond(data)
	}
	if err != nil {
		s.Log.Warn("dnc.unanswered", "verb", verb, "error", err)
	}
}

func (s Service) answer(ctx context.Context, verb string, data []byte) (Answer, error) {
	var r Request
	if err := json.Unmarshal(data, &r); err != nil {
		return Answer{}, errors.New(`the request cannot be read: write JSON such as {"numbers":["+12025550142"],"why":"asked by e-mail","by":"ada"}`)
	}
	now := time.Now().UTC()
	if len(r.Listed) > 0 {
		changed, err := s.addListed(ctx, verb, r)
		return s.done(ctx, verb, r, now, nil, changed, err)
	}
	numbers, err := s.parse(r.Numbers)
	if err != nil {
		return Answer{}, err
	}
	if verb == VerbCheck {
		return s.check(ctx, numbers)
	}
	var changed []bool
	if verb == VerbAdd {
		if !r.Until.IsZero() && !r.Until.After(now) {
			return Answer{}, errors.New("until is not in the future: leave it out for an entry without an end")
		}
		changed, err = s.List.Add(ctx, numbers, Entry{Scope: r.Scope, By: r.By, Why: r.Why, Since: now, Until: r.Until})
	} else {
		changed, err = s.List.Remove(ctx, numbers, r.Scope, r.All, Removal{By: r.By, Why: r.Why, At: now})
	}
	return s.done(ctx, verb, r, now, numbers, changed, err)
}

var person = regexp.MustCompile(`^[0-9a-f]{32}$`)

// IsPerson reports whether a text has the form of a name that Key.Person gives.
func IsPerson(text string) bool { return person.MatchString(text) }

// addListed adds entries that Export has returned. A list with another key would not find
// their people.
func (s Service) addListed(ctx context.Context, verb string, r Request) ([]bool, error) {
	switch {
	case verb != VerbAdd || len(r.Numbers) > 0:
		return nil, errors.New(`"listed" is only for add, in place of "numbers"`)
	case len(r.Listed) > MaxNumbers:
		return nil, fmt.Errorf("the request has %d entries: write 1 to %d into \"listed\"", len(r.Listed), MaxNumbers)
	case s.List.Key.IsZero() || r.Key != s.List.Key.Check():
		return nil, fmt.Errorf("%w than that of the exported entries, so that nobody would be found: use the person key from before, or import a file of numbers", personkey.ErrOtherKey)
	}
	for i, l := range r.Listed {
		if !IsPerson(l.Person) || l.Since.IsZero() {
			return nil, fmt.Errorf("entry %d of %d has no person or no time, so nothing was done", i+1, len(r.Listed))
		}
	}
	return s.List.AddListed(ctx, r.Listed)
}

// done logs a change, writes it to the audit stream and answers.
func (s Service) done(ctx context.Context, verb string, r Request, at time.Time, numbers []string, changed []bool, err error) (Answer, error) {
	if err != nil {
		return Answer{}, err
	}
	s.log(verb, r, numbers, changed)
	e := audit.Entry{At: at, Verb: audit.DNCAdd, By: r.By, Why: r.Why, What: r.what(), Asked: len(changed)}
	if verb == VerbRemove {
		e.Verb = audit.DNCRemove
	}
	for i, c := range changed {
		switch {
		case !c:
		case len(r.Listed) > 0:
			e.Persons = append(e.Persons, r.Listed[i].Person)
		default:
			e.Persons = append(e.Persons, s.List.Key.Person(numbers[i]))
		}
	}
	if err := s.Audit(ctx, e); err != nil {
		return Answer{}, err
	}
	answer := Answer{Persons: make([]Status, len(changed))}
	for i, c := range changed {
		answer.Persons[i].Changed = c
	}
	return answer, nil
}

func (s Service) log(verb string, r Request, numbers []string, changed []bool) {
	n := 0
	for _, c := range changed {
		if c {
			n++
		}
	}
	attributes := []any{"verb", verb, "scope", r.what(), "by", r.By, "why", r.Why, "numbers", len(changed), "changed", n}
	if len(numbers) == 1 {
		attributes = append(attributes, "number", event.Phone(numbers[0]))
	}
	s.Log.Info("dnc.changed", attributes...)
}

// parse reads all numbers, or none: a number that cannot be read is not forgotten in a
// list of others.
func (s Service) parse(texts []string) ([]string, error) {
	if len(texts) == 0 || len(texts) > MaxNumbers {
		return nil, fmt.Errorf("the request has %d numbers: write 1 to %d into \"numbers\"", len(texts), MaxNumbers)
	}
	numbers := make([]string, len(texts))
	for i, text := range texts {
		number, err := s.Parse(text)
		if err != nil {
			return nil, fmt.Errorf("number %d of %d cannot be read, so nothing was done: %w", i+1, len(texts), err)
		}
		numbers[i] = number.Reveal()
	}
	return numbers, nil
}

func (s Service) check(ctx context.Context, numbers []string) (Answer, error) {
	answer := Answer{Persons: make([]Status, len(numbers))}
	now := time.Now()
	for i, number := range numbers {
		d, _, err := s.List.Read(ctx, number)
		if err != nil {
			return Answer{}, err
		}
		answer.Persons[i].Entries = d.Active(now)
		if !s.List.Key.IsZero() {
			answer.Persons[i].Person = s.List.Key.Person(number)
		}
	}
	return answer, s.List.Flush(ctx)
}

// Client asks a service.
type Client struct {
	Conn *nats.Conn
	JS   jetstream.JetStream
	// Prefix of the subjects, such as "callbridge.dnc".
	Prefix string
}

// ErrNoService: no callbridge process answers.
var ErrNoService = errors.New("no callbridge process answers: it needs a running `callbridge serve` on this NATS, which has the person key")

// Ask sends a request and returns the answer, which has a Status for each number.
func (c Client) Ask(ctx context.Context, verb string, r Request) (Answer, error) {
	data, err := json.Marshal(r)
	if err != nil {
		return Answer{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	m, err := c.Conn.RequestWithContext(ctx, c.Prefix+"."+verb, data)
	if errors.Is(err, nats.ErrNoResponders) {
		return Answer{}, ErrNoService
	}
	if err != nil {
		return Answer{}, fmt.Errorf("ask callbridge on %s.%s: %w", c.Prefix, verb, err)
	}
	var answer Answer
	if err := json.Unmarshal(m.Data, &answer); err != nil {
		return Answer{}, fmt.Errorf("read the answer of callbridge: %w", err)
	}
	if answer.Error == "" && len(answer.Persons) != len(r.Numbers)+len(r.Listed) {
		answer.Error = "it does not answer for every number"
	}
	if answer.Error != "" {
		return Answer{}, fmt.Errorf("callbridge: %s", answer.Error)
	}
	return answer, nil
}
