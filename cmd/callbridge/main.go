// Command callbridge receives webhooks from CRMs, decides with a mapping which people are
// to be called, and places each call once through the Callab API. This package holds the
// commands, one file each, the settings from the environment (settings.go), the reloaded
// configuration (config.go) and the wiring of serve (process.go). It may import every other
// package of this module.
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"callbridge/cmd/callbridge/act"
	"callbridge/cmd/callbridge/ask"
	"callbridge/cmd/callbridge/show"
	"callbridge/untrusted"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	// The first signal starts an orderly stop and restores the default, so that a second one
	// ends the process at once.
	context.AfterFunc(ctx, stop)
	os.Exit(run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}

// run executes a command line and returns the exit code.
func run(ctx context.Context, args []string, in io.Reader, out, errs io.Writer) int {
	root := newRoot()
	root.SetArgs(args)
	root.SetIn(in)
	out, errs = untrusted.NewWriter(out), untrusted.NewWriter(errs)
	root.SetOut(out)
	root.SetErr(errs)
	cmd, err := root.ExecuteContextC(ctx)
	switch {
	case err == nil:
		return 0
	case cmd.Name() == "serve" && logsJSON(os.Getenv("LOG_FORMAT")):
		writeFatal(errs, err)
	default:
		untrusted.Fprintf(errs, "callbridge: %s\n", untrusted.ErrorLines(err))
	}
	if coded := (ask.ExitError{}); errors.As(err, &coded) {
		return coded.ExitCode()
	}
	return 1
}

// writeFatal writes the error that ends serve as one line of its JSON log.
func writeFatal(w io.Writer, err error) {
	_ = json.NewEncoder(w).Encode(struct {
		Time    time.Time `json:"time"`
		Level   string    `json:"level"`
		Message string    `json:"msg"`
		Error   string    `json:"error"`
	}{time.Now(), "ERROR", "process.failed", string(untrusted.ErrorLines(err))})
}

func newRoot() *cobra.Command {
	root := &cobra.Command{
		Use:   "callbridge",
		Short: "Turns CRM webhooks into phone calls by a Callab AI agent, each placed once",
		Long: `callbridge receives webhooks from CRMs, decides with a mapping which people are to
be called and what the AI agent is told, and places each call once through Callab.
Requests and results are messages on NATS JetStream.`,
		SilenceUsage: true, SilenceErrors: true,
		PersistentPreRunE: useZoneData,
		CompletionOptions: cobra.CompletionOptions{HiddenDefaultCmd: true},
	}
	root.AddCommand(newDemo(), newServe(), newResults(), newCheck(), newMap(), newTest(), show.NewPolicy(loadFile), newSchema(), newSources(), newStreams(),
		act.NewStop(actSettings, asking.Configuration), act.NewResume(actSettings), act.NewDNC(actSettings, asking.Configuration), act.NewPerson(actSettings, asking.Configuration), ask.NewWhy(asking), ask.NewFind(asking), ask.NewReplay(asking), ask.NewAudit(asking), newSimulate(), newHealth(), newVersion())
	return root
}

// compact encodes a value on one line, without HTML escapes.
func compact(value any) json.RawMessage {
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	if encoder.Encode(value) != nil {
		return nil
	}
	return bytes.TrimSpace(text.Bytes())
}
