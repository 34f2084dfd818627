// Package demo shows callbridge at work: it sends the signed webhooks of the example,
// prints what NATS says about each, and invites the reader to send one. The process and
// the simulator that it needs are started by cmd/callbridge.
//
//   - sample.go: the sample webhooks, and the results that they must have
//   - print.go: what is printed
//   - log.go: the log lines of webhooks as lines of the demo
package demo

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

	"callbridge/dispatch/record"
	"callbridge/event"
	"callbridge/untrusted"
)

// Printer prints the steps of the demo. It reads them from NATS as any subscriber can.
type Printer struct {
	out      io.Writer
	conn     *nats.Conn
	messages chan *nats.Msg
	// mapped are the requests that were printed. A repeated request, which JetStream does not
	// store, still reaches subscribers of core NATS.
	mapped map[uuid.UUID]bool
}

// NewPrinter returns a printer that is not connected to NATS.
func NewPrinter(out io.Writer) *Printer {
	return &Printer{out: out, messages: make(chan *nats.Msg, 1024), mapped: map[uuid.UUID]bool{}}
}

// Connect subscribes as a service of the company would: over TCP, with a user and its password.
func Connect(url string, out io.Writer) (*Printer, error) {
	conn, err := nats.Connect(url, nats.Name("callbridge demo"))
	if err != nil {
		return nil, fmt.Errorf("subscribe to NATS: %w", err)
	}
	p := NewPrinter(out)
	p.conn = conn
	if _, err := conn.ChanSubscribe("callbridge.>", p.messages); err != nil {
		return nil, fmt.Errorf("subscribe to NATS: %w", err)
	}
	return p, conn.Flush()
}

// Close ends the subscription.
func (p *Printer) Close() { p.conn.Close() }

func (p *Printer) title(n int, sample sample) {
	untrusted.Fprintf(p.out, "%d. %s  [POST /webhooks/%s]\n", n, sample.title, sample.source)
}

func (p *Printer) step(name, format string, v ...any) {
	untrusted.Fprintf(p.out, "     %-9s "+format+"\n", append([]any{name}, v...)...)
}

// resultTimeout is how long the demo waits for the result of a sample.
const resultTimeout = 20 * time.Second

// until prints the steps of an event up to its result.
func (p *Printer) until(ctx context.Context, eventID string) (event.Result, error) {
	ctx, cancel := context.WithTimeout(ctx, resultTimeout)
	defer cancel()
	for {
		select {
		case <-ctx.Done():
			return event.Result{}, fmt.Errorf("no result: %w", ctx.Err())
		case m := <-p.messages:
			result, ended := p.print(m)
			if ended && result.Event.ID.String() == eventID {
				untrusted.Fprintf(p.out, "\n")
				return result, nil
			}
		}
	}
}

// Follow prints all messages of NATS and all webhooks until ctx ends. The webhooks are
// printed too because one that is refused leads to no message.
func (p *Printer) Follow(ctx context.Context, webhooks Log) {
	for len(webhooks) > 0 {
		<-webhooks // the samples, which have been printed
	}
	for {
		select {
		case <-ctx.Done():
			return
		case line := <-webhooks:
			untrusted.Fprintf(p.out, "%s\n", line)
		case m := <-p.messages:
			p.print(m)
		}
	}
}

// print prints a message on one line, and returns it if it is a result.
func (p *Printer) print(m *nats.Msg) (event.Result, bool) {
	switch part := strings.Split(m.Subject, ".")[1]; part {
	case "request":
		var r event.Request
		// A request that is closed without a call has no body.
		if json.Unmarshal(m.Data, &r) == nil && len(r.Call) > 0 && !p.mapped[r.ID] {
			p.mapped[r.ID] = true
			p.step("mapped", "route %s: call %s", r.Route, describe(r.Call))
		}
	case "ledger":
		var r record.Record
		if json.Unmarshal(m.Data, &r) == nil {
			p.printState(r)
		}
	case "result":
		var r event.Result
		if json.Unmarshal(m.Data, &r) == nil {
			p.step("result", "%s: %s%s", m.Subject, r.Reason, detail(r))
			return r, true
		}
	}
	return event.Result{}, false
}

func (p *Printer) printState(r record.Record) {
	switch r.State {
	case record.Claimed:
		p.step("dialling", "attempt %d", r.Attempt)
	case record.Unknown:
		p.step("unknown", "no usable answer (%s): looking into Callab's call list, not dialling again", r.Detail)
	case record.Accepted:
		var call struct {
			ID string `json:"id"`
		}
		_ = json.Unmarshal(r.Call, &call)
		p.step("dialled", "Callab has it as call %s", call.ID)
	default:
		p.step(string(r.State), "%s", r.Detail)
	}
}

func detail(r event.Result) (text string) {
	if r.Detail != "" {
		text = ", " + r.Detail
	}
	if !r.Until.IsZero() {
		text += "; until " + r.Until.UTC().Format(time.RFC3339)
	}
	return text
}

// describe returns the number and the variables of a call in a fixed order.
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

// InviteBody is the webhook that the demo and the README ask the reader to send.
const InviteBody = `{"id":"my-first","type":"lead.created","contact":{"first_name":"You","phone":"+12025550155","score":80,"voice_consent":true}}`

// Invite prints the commands to try next. The addresses of NATS have the users of the
// two roles in them.
func (p *Printer) Invite(url, reader, results string) {
	untrusted.Fprintf(p.out, `Now you. Send a webhook (twice: the second one leads to no call):

  BODY='%s'
  curl -s %s/webhooks/website -H 'Content-Type: application/json' -d "$BODY" \
    -H "X-Signature: sha256=$(printf %%s "$BODY" | openssl dgst -sha256 -hmac %s -r | cut -d' ' -f1)"

Its result is printed here. Other ways to read results:

  go run ./cmd/callbridge results -f --nats %s
  nats sub -s %s 'callbridge.result.>'

Ctrl-C ends the demo.

`, InviteBody, url, Secrets["WEBSITE_SECRET"], reader, results)
}
