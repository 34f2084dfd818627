// Command callbridge takes webhooks from CRMs, decides with a mapping who is
// to be called, and places each call once through the Callab API. This package
// is the process: commands, configuration from the environment, all wiring.
package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	// Rules ask for the hour in the contact's zone, in containers without
	// zone files too.
	_ "time/tzdata"

	"github.com/spf13/cobra"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	// The first signal asks for an orderly stop; after it the default is back,
	// so that a second one ends the process at once.
	context.AfterFunc(ctx, stop)
	os.Exit(run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}

// run is the whole program: it returns the exit code.
func run(ctx context.Context, args []string, in io.Reader, out, errs io.Writer) int {
	root := newRoot()
	root.SetArgs(args)
	root.SetIn(in)
	root.SetOut(out)
	root.SetErr(errs)
	if err := root.ExecuteContext(ctx); err != nil {
		_, _ = fmt.Fprintln(errs, "callbridge:", err)
		return 1
	}
	return 0
}

func newRoot() *cobra.Command {
	root := &cobra.Command{
		Use:   "callbridge",
		Short: "Turns CRM webhooks into phone calls by a Callab AI agent, each placed once",
		Long: "callbridge takes webhooks from CRMs, decides with a mapping who is to be called\n" +
			"and what the AI agent should know, and places each call once through Callab.\n" +
			"Requests and results travel over NATS JetStream.",
		SilenceUsage: true, SilenceErrors: true,
		CompletionOptions: cobra.CompletionOptions{HiddenDefaultCmd: true},
	}
	root.AddCommand(newDemo(), newServe(), newResults(), newCheck(), newMap(), newTest(), newSchema(), newSources(), newStreams(),
		newSimulate(), newHealth(), newVersion())
	return root
}
