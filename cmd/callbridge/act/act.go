// Package act has the commands with which a person changes what callbridge does: stop,
// resume, streams acknowledge. Each asks for a reason. It belongs to cmd/callbridge, which gives it the settings.
package act

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/user"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"callbridge/bus"
	"callbridge/cmd/callbridge/output"
	"callbridge/untrusted"
)

// Settings returns the address and the credentials of NATS from the environment.
type Settings func(context.Context) (bus.Config, error)

// actor holds the flags that the commands share.
type actor struct {
	settings             Settings
	url, by, why, output string
}

const addressHelp = "address of NATS (default: NATS_URL, else NATS_LISTEN)"

// addTo adds the flags of NATS and of the answer to a command.
func (a *actor) addTo(cmd *cobra.Command) {
	cmd.Flags().StringVar(&a.url, "nats", "", addressHelp)
	output.Flag(cmd, &a.output, "text", "json")
}

// addPerson adds the flags of an act.
func (a *actor) addPerson(cmd *cobra.Command, why string) {
	cmd.Flags().StringVar(&a.why, "why", "", why)
	cmd.Flags().StringVar(&a.by, "by", person(), "who does it")
}

// config follows from the environment and --nats.
func (a *actor) config(ctx context.Context) (bus.Config, error) {
	config, err := a.settings(ctx)
	if err == nil && a.url != "" {
		config.URL = a.url
	}
	return config, err
}

// needWhy refuses an empty reason.
func (a *actor) needWhy(example string) error {
	if strings.TrimSpace(a.why) == "" {
		return fmt.Errorf("--why is empty: write the reason, such as --why %q", example)
	}
	return nil
}

// person is the user of this machine, as user@host.
func person() string {
	name := "unknown"
	if u, err := user.Current(); err == nil {
		name = u.Username
	}
	if host, err := os.Hostname(); err == nil {
		name += "@" + host
	}
	return name
}

// print writes value as JSON, or text.
func (a *actor) print(w io.Writer, value any, text func(io.Writer)) error {
	var out bytes.Buffer
	if a.output == "json" {
		if err := output.JSON(&out, value); err != nil {
			return err
		}
	} else {
		text(&out)
	}
	_, err := untrusted.NewWriter(w).Write(out.Bytes())
	return err
}

// instant reads a time of a flag, or a duration from now on. Empty is the zero time.
func instant(flag, text string, now time.Time) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	at, err := time.Parse(time.RFC3339, text)
	if d, notDuration := time.ParseDuration(text); err != nil && notDuration == nil {
		at, err = now.Add(d), nil
	}
	if err != nil {
		return time.Time{}, fmt.Errorf("%s %q is no time: write it as 2026-11-30T08:00:00Z, or as a duration such as 2h", flag, text)
	}
	if !at.After(now) {
		return time.Time{}, fmt.Errorf("%s %s is not in the future", flag, text)
	}
	return at.UTC(), nil
}
