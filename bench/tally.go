package main

import (
	"context"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// tally is what became of webhooks that were accepted.
type tally struct {
	// lost have neither a call nor a result.
	lost int
	// doubled were called more than once.
	doubled int
	// left have no call and a result that says so: perhaps sent, for a person.
	left int
	// silent were called and have no result.
	silent int
}

func (t tally) String() string {
	text := fmt.Sprintf("%d / %d", t.lost, t.doubled)
	if t.left > 0 {
		text += fmt.Sprintf(" (%d left to a person)", t.left)
	}
	if t.silent > 0 {
		text += fmt.Sprintf(" (%d without a result)", t.silent)
	}
	return text
}

// tally counts calls at the API and results on the bus.
func (r *running) tally(a *api, accepted []int) (t tally, err error) {
	results, err := r.resultsOf()
	if err != nil {
		return t, err
	}
	for _, n := range accepted {
		calls, told := a.calls[n].Load(), results[n]
		switch {
		case calls > 1:
			t.doubled++
		case calls == 0 && told:
			t.left++
		case calls == 0:
			t.lost++
		case !told:
			t.silent++
		}
	}
	return t, nil
}

// resultsOf reads which webhooks have a result.
func (r *running) resultsOf() (map[int]bool, error) {
	conn, err := nats.Connect(r.nats)
	if err != nil {
		return nil, fmt.Errorf("connect to the NATS of %s: %w", r.children[0].name, err)
	}
	defer conn.Close()
	js, err := jetstream.New(conn)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	consumer, err := js.OrderedConsumer(ctx, r.results, jetstream.OrderedConsumerConfig{})
	if err != nil {
		return nil, fmt.Errorf("read stream %s: %w", r.results, err)
	}
	found := map[int]bool{}
	messages, err := consumer.Messages()
	if err != nil {
		return nil, err
	}
	defer messages.Stop()
	for left := consumer.CachedInfo().NumPending; left > 0; left-- {
		msg, err := messages.Next(jetstream.NextContext(ctx))
		if err != nil {
			return nil, fmt.Errorf("read stream %s: %w", r.results, err)
		}
		if n, ok := numberIn(msg.Data()); ok {
			found[n] = true
		}
	}
	return found, nil
}
