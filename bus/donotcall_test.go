package bus_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"callbridge/bus"
	"callbridge/bus/dnc"
	"callbridge/bus/personkey"
	"callbridge/bus/role"
	"callbridge/event"
	"callbridge/internal/testkit"
)

// person is a number that is put on the list.
const person = "+12025550142"

// withKey gives a configuration a person key of its own.
func withKey(t *testing.T, config bus.Config, letter string) bus.Config {
	t.Helper()
	config.PersonKeyFile = filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(config.PersonKeyFile, []byte(strings.Repeat(letter, 32)), 0o600); err != nil {
		t.Fatal(err)
	}
	return config
}

// readE164 reads only E.164.
func readE164(text string) (event.Phone, error) {
	if !event.IsE164(text) {
		return "", errors.New("it is no number")
	}
	return event.Phone(text), nil
}

// answering serves requests about people until the test ends.
func answering(t *testing.T, b *bus.Bus) {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	var serving sync.WaitGroup
	serving.Go(func() {
		if err := b.ServeDNC(ctx, readE164); err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(func() { stop(); serving.Wait() })
}

func ask(t *testing.T, config bus.Config, verb string, r dnc.Request) (answer dnc.Answer, err error) {
	t.Helper()
	err = bus.AskDNC(t.Context(), config, func(ctx context.Context, c dnc.Client) (err error) {
		answer, err = c.Ask(ctx, verb, r)
		return err
	})
	return answer, err
}

func forbidden(t *testing.T, b *bus.Bus, source string) bool {
	t.Helper()
	_, is, err := b.DoNotCall(t.Context(), person, dnc.Scope{Source: source, Route: "new-lead"})
	if err != nil {
		t.Fatal(err)
	}
	return is
}

// TestAPersonOnTheListIsKnownToEveryProcessAtOnce, on an external NATS with the documented
// users, until the last entry is removed.
func TestAPersonOnTheListIsKnownToEveryProcessAtOnce(t *testing.T) {
	t.Parallel()
	_, config := documented(t)
	config = withKey(t, config, "a")
	processes := []*bus.Bus{open(t, config), open(t, config)}
	for _, b := range processes {
		answering(t, b)
		if forbidden(t, b, "crm") {
			t.Error("forbidden from the beginning")
		}
	}
	operator := config
	operator.Auth.User = "administrator"
	var answer dnc.Answer
	testkit.Eventually(t, "a process answers", func() (is bool) {
		var err error
		answer, err = ask(t, operator, dnc.VerbAdd, dnc.Request{Numbers: []string{person}, Scope: dnc.Scope{Source: "crm"}, By: "ada", Why: "asked"})
		return err == nil
	})
	if !answer.Persons[0].Changed {
		t.Error("adding somebody changes nothing")
	}
	for _, b := range processes {
		if !forbidden(t, b, "crm") || forbidden(t, b, "shop") {
			t.Error("a process does not know the list")
		}
	}
	if answer, err := ask(t, operator, dnc.VerbAdd, dnc.Request{Numbers: []string{person}, Scope: dnc.Scope{Source: "crm"}}); err != nil || answer.Persons[0].Changed {
		t.Errorf("adding somebody again: %v, %v", answer, err)
	}
	if answer, err := ask(t, operator, dnc.VerbCheck, dnc.Request{Numbers: []string{person, "+12025550199"}}); err != nil ||
		len(answer.Persons[0].Entries) != 1 || answer.Persons[0].Entries[0].Why != "asked" || len(answer.Persons[1].Entries) != 0 {
		t.Errorf("check: %v, %v", answer, err)
	}
	if answer, err := ask(t, operator, dnc.VerbRemove, dnc.Request{Numbers: []string{person}, All: true}); err != nil || !answer.Persons[0].Changed {
		t.Errorf("remove: %v, %v", answer, err)
	}
	for _, b := range processes {
		if forbidden(t, b, "crm") {
			t.Error("forbidden after the removal")
		}
	}
}

// TestTheListNeedsItsKey: with another key, or none, no lookup would find an entry.
func TestTheListNeedsItsKey(t *testing.T) {
	t.Parallel()
	_, plain := remote(t, "")
	none, own, other := open(t, plain), open(t, withKey(t, plain, "a")), open(t, withKey(t, plain, "b"))
	if forbidden(t, none, "crm") || forbidden(t, other, "crm") {
		t.Error("forbidden from the beginning")
	}
	if _, err := none.DNC().Add(t.Context(), []string{person}, dnc.Entry{}); !errors.Is(err, personkey.ErrNoKey) {
		t.Errorf("added without a key: %v", err)
	}
	if _, err := own.DNC().Add(t.Context(), []string{person}, dnc.Entry{Since: time.Now()}); err != nil {
		t.Fatal(err)
	}
	for _, b := range []*bus.Bus{none, other} {
		if _, _, err := b.DoNotCall(t.Context(), "+12025550199", dnc.Scope{}); !errors.Is(err, dnc.ErrUnreadable) {
			t.Errorf("a process without the key of the list calls: %v", err)
		}
	}
	if _, err := other.DNC().Add(t.Context(), []string{person}, dnc.Entry{}); !errors.Is(err, personkey.ErrOtherKey) {
		t.Errorf("added with another key: %v", err)
	}
	refused(t, plain, "PERSON_KEY_FILE is not set, and the do-not-call list is not empty")
	refused(t, withKey(t, plain, "b"), "the person key is another one than that of the do-not-call list")
	short := withKey(t, plain, "a")
	if err := os.WriteFile(short.PersonKeyFile, []byte("short"), 0o600); err != nil {
		t.Fatal(err)
	}
	refused(t, short, "it has 5 bytes and needs at least 32 random ones")
}

// TestTheListSurvivesARestart of the embedded server, whose key is made once.
func TestTheListSurvivesARestart(t *testing.T) {
	t.Parallel()
	config := embedded(t)
	config.Embedded.SyncAlways = true
	b := open(t, config)
	if _, err := b.DNC().Add(t.Context(), []string{person}, dnc.Entry{Since: time.Now()}); err != nil {
		t.Fatal(err)
	}
	b.Close()
	b = open(t, config)
	if !forbidden(t, b, "crm") {
		t.Error("the list is forgotten")
	}
	b.Close()
	if err := os.Remove(filepath.Join(config.Embedded.Dir, personkey.FileName)); err != nil {
		t.Fatal(err)
	}
	refused(t, config, "put back the file of the person key")
}

// TestARequestIsDoneAsAWholeOrExplained.
func TestARequestIsDoneAsAWholeOrExplained(t *testing.T) {
	t.Parallel()
	config := embedded(t)
	b := open(t, config)
	operator := operating(b, config)
	if _, err := ask(t, operator, dnc.VerbAdd, dnc.Request{Numbers: []string{person}}); !errors.Is(err, dnc.ErrNoService) {
		t.Errorf("nobody answers: %v", err)
	}
	answering(t, b)
	testkit.Eventually(t, "the process answers", func() bool {
		_, err := ask(t, operator, dnc.VerbCheck, dnc.Request{Numbers: []string{person}})
		return err == nil
	})
	for want, r := range map[string]dnc.Request{
		"number 2 of 2 cannot be read, so nothing was done": {Numbers: []string{person, "Ada"}},
		"the request has 0 numbers":                         {},
		"until is not in the future":                        {Numbers: []string{person}, Until: time.Now().Add(-time.Hour)},
	} {
		if _, err := ask(t, operator, dnc.VerbAdd, r); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %s", err, want)
		}
	}
	m, err := user(t, b, role.Operator).Request("callbridge.dnc.add", []byte("nonsense"), 10*time.Second)
	if err != nil || !strings.Contains(string(m.Data), "the request cannot be read: write JSON") {
		t.Errorf("nonsense: %v, %v", m, err)
	}
	if forbidden(t, b, "crm") {
		t.Error("a request with an error was done in part")
	}
}

// TestAnAnswerReachesNoStream: the sender of a request chooses the subject of its answer.
func TestAnAnswerReachesNoStream(t *testing.T) {
	t.Parallel()
	config := embedded(t)
	b := open(t, config)
	answering(t, b)
	operator := user(t, b, role.Operator)
	data, _ := json.Marshal(dnc.Request{Numbers: []string{person}})
	testkit.Eventually(t, "the process answers", func() bool {
		_, err := operator.Request("callbridge.dnc.check", data, 5*time.Second)
		return err == nil
	})
	if err := operator.PublishRequest("callbridge.dnc.add", "callbridge.ledger.x", data); err != nil {
		t.Fatal(err)
	}
	if _, err := operator.Request("callbridge.dnc.check", data, 10*time.Second); err != nil {
		t.Fatal(err)
	}
	ledger, err := jetStreamOf(t, b).Stream(t.Context(), "CALLBRIDGE_LEDGER")
	if err != nil {
		t.Fatal(err)
	}
	if n := ledger.CachedInfo().State.Msgs; n != 0 || forbidden(t, b, "crm") {
		t.Errorf("%d answers are in the ledger", n)
	}
}

// TestALostListForbidsAllCalls until an operator acknowledges the loss, also right after
// the first person was added.
func TestALostListForbidsAllCalls(t *testing.T) {
	t.Parallel()
	config := embedded(t)
	b := open(t, config)
	reconciling(t, b)
	if _, err := b.DNC().Add(t.Context(), []string{person}, dnc.Entry{Since: time.Now()}); err != nil {
		t.Fatal(err)
	}
	deleteStreams(t, jetStreamOf(t, b), "DNC")
	testkit.Eventually(t, "the loss is shown", func() bool { return b.Intact(t.Context()) != nil })
	if _, _, err := b.DoNotCall(t.Context(), person, dnc.Scope{}); !errors.Is(err, dnc.ErrUnreadable) || !strings.Contains(err.Error(), "CALLBRIDGE_DNC was lost") {
		t.Errorf("with the stream lost: %v", err)
	}
	if _, err := bus.AcknowledgeLoss(t.Context(), operating(b, config), "ada@example", "imported again"); err != nil {
		t.Fatal(err)
	}
	testkit.Eventually(t, "calls are placed again", func() bool {
		_, is, err := b.DoNotCall(t.Context(), person, dnc.Scope{})
		return err == nil && !is
	})
}

func TestExport(t *testing.T) {
	t.Parallel()
	config := embedded(t)
	b := open(t, config)
	numbers := []string{}
	for i := range 2500 {
		numbers = append(numbers, fmt.Sprintf("+1202555%04d", i))
	}
	if _, err := b.DNC().Add(t.Context(), numbers, dnc.Entry{Since: time.Now()}); err != nil {
		t.Fatal(err)
	}
	if _, err := b.DNC().Remove(t.Context(), numbers[:100], dnc.Scope{}, true, dnc.Removal{}); err != nil {
		t.Fatal(err)
	}
	got := map[string]bool{}
	err := bus.ExportDNC(t.Context(), operating(b, config), func(p dnc.Person) error {
		got[p.Person] = true
		return nil
	})
	if err != nil || len(got) != 2400 || got[b.DNC().Key.Person(numbers[0])] || !got[b.DNC().Key.Person(numbers[100])] {
		t.Errorf("exported %d, %v", len(got), err)
	}
}

func BenchmarkDoNotCall(b *testing.B) {
	list := open(b, embedded(b))
	if _, err := list.DNC().Add(b.Context(), []string{person}, dnc.Entry{Since: time.Now()}); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if _, is, err := list.DoNotCall(b.Context(), "+12025550199", dnc.Scope{}); is || err != nil {
			b.Fatal(is, err)
		}
	}
}

// BenchmarkAMillionPeople measures a list of a million: run it with -benchtime 1x.
func BenchmarkAMillionPeople(b *testing.B) {
	const people, batch = 1_000_000, 1000
	config := embedded(b)
	config.Embedded.SyncAlways = true
	for b.Loop() {
		list := open(b, config)
		before, began := heap(), time.Now()
		for first := 0; first < people; first += batch {
			numbers := make([]string, batch)
			for i := range numbers {
				numbers[i] = fmt.Sprintf("+1202%07d", first+i)
			}
			if _, err := list.DNC().Add(b.Context(), numbers, dnc.Entry{By: "ada@example", Why: "imported", Since: time.Now()}); err != nil {
				b.Fatal(err)
			}
		}
		b.ReportMetric(time.Since(began).Seconds(), "import-s")
		b.ReportMetric((heap()-before)/people, "B/person-after-import")
		list.Close()
		before, began = heap(), time.Now()
		list = open(b, config)
		b.ReportMetric(time.Since(began).Seconds(), "start-s")
		if _, is, err := list.DoNotCall(b.Context(), "+12020999999", dnc.Scope{}); !is || err != nil {
			b.Fatal(is, err)
		}
		b.ReportMetric((heap()-before)/people, "B/person-after-start")
		list.Close()
	}
}

// heap is the live heap in bytes.
func heap() float64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return float64(m.HeapAlloc)
}

// TestAClosedConnectionIsTheReasonThatNoRequestsAreAnswered, and not what the subscription
// says of it: the process ends with the error.
func TestAClosedConnectionIsTheReasonThatNoRequestsAreAnswered(t *testing.T) {
	t.Parallel()
	b := open(t, embedded(t))
	b.Conn().Close()
	err := b.ServeDNC(t.Context(), func(string) (event.Phone, error) { return "", nil })
	if err == nil || !strings.Contains(err.Error(), "closed the connection for good") {
		t.Errorf("ended with %v", err)
	}
}
