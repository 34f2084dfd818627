package main

import (
	"bytes"
	"context"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"time"

	"github.com/sethvargo/go-envconfig"
	"github.com/spf13/cobra"

	"callbridge/bus/role"
	"callbridge/callab/callabsim"
	"callbridge/event"
	"callbridge/mapping"
	"callbridge/signature"
	"callbridge/untrusted"
)

//go:embed example
var example embed.FS

// demoSecrets are the values of the environment variables that the example uses.
var demoSecrets = map[string]string{
	"WEBSITE_SECRET":        "demo-website-secret",
	"HUBSPOT_CLIENT_SECRET": "demo-hubspot-secret",
}

const demoToken = "demo-token"

func newDemo() *cobra.Command {
	var once bool
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "See it work: NATS, a simulated Callab and signed webhooks, with each step printed",
		Long: `demo runs everything in this process: NATS, a simulator in place of Callab, the
example configuration, and signed webhooks from two CRMs. It prints each step, then
keeps running and prints how to send a webhook and read the results. No phone rings.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return demo(cmd.Context(), cmd.OutOrStdout(), once)
		},
	}
	cmd.Flags().BoolVar(&once, "once", false, "end after the sample webhooks; exit 1 if one did not end as it should")
	return cmd
}

// demo runs the process and a simulator, sends the sample webhooks and prints the steps.
func demo(ctx context.Context, out io.Writer, once bool) error {
	dir, err := os.MkdirTemp("", "callbridge-demo-")
	if err != nil {
		return fmt.Errorf("make a directory for the demo: %w", err)
	}
	defer func() { _ = os.RemoveAll(dir) }()
	sim, err := listen("simulator", free("127.0.0.1:8090"), callabsim.New(callabsim.Options{Tokens: []string{demoToken}, MagicNumbers: true}).Server(""))
	if err != nil {
		return err
	}
	defer sim.close()
	go func() { _ = sim.serve() }()

	webhooks := make(webhookLog, 256)
	p, err := startDemo(ctx, dir, sim.url(), untrusted.NewLogger(webhooks))
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	ended := make(chan error, 1)
	go func() { ended <- p.run(ctx) }()

	printer, err := newPrinter(p.bus.UserURL(role.Operator), out)
	if err != nil {
		return err
	}
	defer printer.close()
	untrusted.Fprintf(out, "callbridge demo: nothing leaves this machine, no phone rings.\n\n"+
		"  webhooks   %s\n  NATS       %s\n  simulator  %s (in place of https://api.callab.ai)\n\n", p.public.url(), p.bus.ClientURL(), sim.url())
	err = sendSamples(ctx, p.public.url(), printer)
	if !once && err == nil {
		printer.invite(p.public.url(), p.bus)
		printer.follow(ctx, webhooks)
	}
	cancel()
	return errors.Join(err, <-ended)
}

// startDemo starts the process that serve runs, with settings for the demo. The routes of
// the example are in dry_run; the demo makes them live, because it calls only the simulator.
func startDemo(ctx context.Context, dir, simulator string, log *slog.Logger) (*process, error) {
	s, err := loadSettings(ctx, envconfig.MapLookuper(map[string]string{
		"HTTP_ADDR": free("127.0.0.1:8080"), "ADMIN_ADDR": free("127.0.0.1:8081"),
		"NATS_LISTEN": free("127.0.0.1:4222"), "NATS_STORE_DIR": dir, "NATS_SYNC": "interval",
		"CALLAB_URL": simulator + "/v1", "CALLAB_TOKEN": demoToken,
	}))
	if err != nil {
		return nil, err
	}
	config, err := exampleConfig()
	if err != nil {
		return nil, err
	}
	return start(ctx, s, fixed(config.WithMode(mapping.Live)), log)
}

func exampleConfig() (*mapping.Config, error) {
	const file = "example/callbridge.yaml"
	data, err := example.ReadFile(file)
	if err != nil {
		return nil, err
	}
	return mapping.Parse(file, data, mapping.Options{LookupEnv: func(name string) (string, bool) {
		v, ok := demoSecrets[name]
		return v, ok
	}})
}

// free returns the address, or one with a port that the system chooses if it is in use.
func free(address string) string {
	socket, err := net.Listen("tcp", address)
	if err != nil {
		return "127.0.0.1:0"
	}
	_ = socket.Close()
	return address
}

// sample is a webhook of the demo with the result that it must have.
type sample struct {
	title, source, file string
	outcome             event.Outcome
	reason              event.Reason
	// duplicate is set for a webhook that was sent before, and must have no result.
	duplicate bool
}

var samples = []sample{
	{title: "A form on the website: Ada asks to be called", source: "website", file: "website-lead.json",
		outcome: event.Accepted, reason: event.ReasonCreated},
	{title: "A HubSpot workflow sends a contact", source: "hubspot", file: "hubspot-contact.json",
		outcome: event.Accepted, reason: event.ReasonCreated},
	{title: "The website sends Ada's webhook once more", source: "website", file: "website-lead.json", duplicate: true},
	{title: "Grace has not agreed to be called", source: "website", file: "website-no-consent.json",
		outcome: event.Skipped, reason: event.ReasonNoRoute},
	{title: "Edsger has left no number", source: "website", file: "website-no-phone.json",
		outcome: event.Rejected, reason: event.ReasonMissingField},
	{title: "Callab places Barbara's call, and its answer gets lost", source: "website", file: "website-lost-answer.json",
		outcome: event.Accepted, reason: event.ReasonFound},
}

// senders are the signatures of the two CRMs.
var senders = map[string]signature.Config{
	"website": {Kind: "hmac", Hash: "sha256", Header: signature.List{"X-Signature"}, Prefix: "sha256=", Encoding: "hex",
		Keys: signature.Secrets{demoSecrets["WEBSITE_SECRET"]}},
	"hubspot": {Kind: "digest", Hash: "sha256", Header: signature.List{"X-HubSpot-Signature"}, Encoding: "hex",
		Signed: "{secret}{method}{url}{body}", Keys: signature.Secrets{demoSecrets["HUBSPOT_CLIENT_SECRET"]}},
}

// demoPublicURL is public_url of the example, which HubSpot's signature includes.
const demoPublicURL = "https://calls.example.com"

func sendSamples(ctx context.Context, url string, p *printer) error {
	for i, s := range samples {
		p.title(i+1, s)
		if err := s.send(ctx, url, p); err != nil {
			return fmt.Errorf("%s: %w", s.file, err)
		}
	}
	return nil
}

// sampleAnswer is the part of a 202 answer that the demo uses.
type sampleAnswer struct {
	Events []struct {
		ID       string   `json:"id"`
		Status   string   `json:"status"`
		Requests []string `json:"requests"`
	} `json:"events"`
}

func (s sample) send(ctx context.Context, url string, p *printer) error {
	body, err := example.ReadFile("example/" + s.file)
	if err != nil {
		return err
	}
	path := "/webhooks/" + s.source
	headers, err := signature.Sign(senders[s.source], signature.Request{
		Method: http.MethodPost, URI: demoPublicURL + path, Body: body,
	}, time.Now())
	if err != nil {
		return err
	}
	answer, err := post(ctx, url+path, headers, body)
	if err != nil {
		return err
	}
	e := answer.Events[0]
	p.step("received", "202 %s", e.Status)
	if s.duplicate {
		if e.Status != "duplicate" {
			return fmt.Errorf("answered %s, want duplicate", e.Status)
		}
		p.step("", "seen before: no second call\n")
		return nil
	}
	result, err := p.until(ctx, e.ID)
	if err != nil {
		return err
	}
	if result.Outcome != s.outcome || result.Reason != s.reason {
		return fmt.Errorf("ended %s (%s), want %s (%s)", result.Outcome, result.Reason, s.outcome, s.reason)
	}
	return nil
}

func post(ctx context.Context, url string, headers http.Header, body []byte) (sampleAnswer, error) {
	var answer sampleAnswer
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return answer, err
	}
	request.Header = headers
	request.Header.Set("Content-Type", "application/json")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return answer, err
	}
	defer func() { _ = response.Body.Close() }()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		return answer, err
	}
	if response.StatusCode != http.StatusAccepted {
		return answer, fmt.Errorf("answered %d: %s", response.StatusCode, text)
	}
	if err := json.Unmarshal(text, &answer); err != nil || len(answer.Events) == 0 {
		return answer, fmt.Errorf("answered %s", text)
	}
	return answer, nil
}
