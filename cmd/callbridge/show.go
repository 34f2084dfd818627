package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/nats-io/nats.go"

	"callbridge/dispatch"
	"callbridge/event"
)

// show prints what passes over NATS, as any subscriber could.
type show struct {
	out      io.Writer
	conn     *nats.Conn
	messages chan *nats.Msg
	// mapped are the requests that were shown: one that JetStream refuses as
	// seen before still reaches those who subscribe without it.
	mapped map[uuid.UUID]bool
}

// watch subscribes like a service of the company would: over TCP, with nothing
// but the address.
func watch(url string, out io.Writer) (*show, error) {
	conn, err := nats.Connect(url, nats.Name("callbridge demo"))
	if err != nil {
		return nil, fmt.Errorf("subscribe to NATS: %w", err)
	}
	s := &show{out: out, conn: conn, messages: make(chan *nats.Msg, 1024), mapped: map[uuid.UUID]bool{}}
	if _, err := conn.ChanSubscribe("callbridge.>", s.messages); err != nil {
		return nil, fmt.Errorf("subscribe to NATS: %w", err)
	}
	return s, conn.Flush()
}

func (s *show) close() { s.conn.Close() }

func (s *show) title(n int, sample sample) {
	_, _ = fmt.Fprintf(s.out, "%d. %s  [POST /webhooks/%s]\n", n, sample.title, sample.source)
}

func (s *show) step(name, format string, v ...any) {
	_, _ = fmt.Fprintf(s.out, "     %-9s %s\n", name, fmt.Sprintf(format, v...))
}

// patience is how long the demo waits for a sample to end.
const patience = 20 * time.Second

// until prints each step of an event up to its result.
func (s *show) until(ctx context.Context, eventID string) (event.Result, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for {
		select {
		case <-ctx.Done():
			return event.Result{}, fmt.Errorf("no result: %w", ctx.Err())
		case m := <-s.messages:
			result, ended := s.print(m)
			if ended && result.Event.ID.String() == eventID {
				_, _ = fmt.Fprintln(s.out)
				return result, nil
			}
		}
	}
}

// follow prints whatever comes until ctx ends: what passes over NATS, and each
// webhook, also one of which nothing came.
func (s *show) follow(ctx context.Context, heard arrivals) {
	for len(heard) > 0 {
		<-heard // the samples, which were shown
	}
	for {
		select {
		case <-ctx.Done():
			return
		case line := <-heard:
			_, _ = fmt.Fprintf(s.out, "%s\n", line)
		case m := <-s.messages:
			s.print(m)
		}
	}
}

// print shows one message in one line, and returns it if it is a result.
func (s *show) print(m *nats.Msg) (event.Result, bool) {
	switch part := strings.Split(m.Subject, ".")[1]; part {
	case "request":
		var r event.Request
		// What is not to be called has a closed request, without a call.
		if json.Unmarshal(m.Data, &r) == nil && len(r.Call) > 0 && !s.mapped[r.ID] {
			s.mapped[r.ID] = true
			s.step("mapped", "route %s: call %s", r.Route, describe(r.Call))
		}
	case "ledger":
		var r dispatch.Record
		if json.Unmarshal(m.Data, &r) == nil {
			s.printState(r)
		}
	case "result":
		var r event.Result
		if json.Unmarshal(m.Data, &r) == nil {
			s.step("result", "%s: %s%s", m.Subject, r.Reason, detail(r))
			return r, true
		}
	}
	return event.Result{}, false
}

func (s *show) printState(r dispatch.Record) {
	switch r.State {
	case dispatch.Claimed:
		s.step("dialling", "attempt %d", r.Attempt)
	case dispatch.Unknown:
		s.step("unknown", "no answer to trust (%s): looking into Callab's call list, not dialling again", r.Detail)
	case dispatch.Accepted:
		var call struct {
			ID string `json:"id"`
		}
		_ = json.Unmarshal(r.Call, &call)
		s.step("dialled", "Callab has it as call %s", call.ID)
	default:
		s.step(string(r.State), "%s", r.Detail)
	}
}

func detail(r event.Result) string {
	if r.Detail == "" {
		return ""
	}
	return ", " + r.Detail
}

// describe says whom a call is for and what the agent knows, in a fixed order.
func describe(body json.RawMessage) string {
	var call struct {
		To        event.Phone       `json:"call_to"`
		Variables map[string]string `json:"agent_dynamic_variables"`
	}
	_ = json.Unmarshal(body, &call)
	text := call.To.String() + " with"
	for _, name := range slices.Sorted(maps.Keys(call.Variables)) {
		text += fmt.Sprintf(" %s=%q", name, call.Variables[name])
	}
	return text
}

// inviteBody is the webhook that the demo and the README ask to be sent.
const inviteBody = `{"id":"my-first","type":"lead.created","contact":{"first_name":"You","phone":"+12025550155","score":80,"voice_consent":true}}`

// invite says what to try next.
func (s *show) invite(url, nats string) {
	_, _ = fmt.Fprintf(s.out, `Now you. Send a webhook (twice: the second time nobody is called):

  BODY='%s'
  curl -s %s/webhooks/website -H 'Content-Type: application/json' -d "$BODY" \
    -H "X-Signature: sha256=$(printf %%s "$BODY" | openssl dgst -sha256 -hmac %s -r | cut -d' ' -f1)"

Listen to what becomes of it, here or with any NATS client:

  go run ./cmd/callbridge results -f --nats %s
  nats sub -s %[4]s 'callbridge.result.>'

Ctrl-C ends the demo.

`, inviteBody, url, demoSecrets["WEBSITE_SECRET"], nats)
}
