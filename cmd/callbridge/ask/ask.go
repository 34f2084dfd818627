// Package ask has the commands that read what was accepted: why, find, replay plan. They change
// nothing. It belongs to cmd/callbridge, which gives it the settings.
package ask

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"callbridge/bus"
	"callbridge/bus/archive"
	"callbridge/cmd/callbridge/output"
	"callbridge/event"
	"callbridge/history"
	"callbridge/mapping"
	"callbridge/mapping/phone"
	"callbridge/untrusted"
)

// Options are what the commands need of the process.
type Options struct {
	// Settings returns the address and the credentials of NATS from the environment.
	Settings func(context.Context) (bus.Config, error)
	// Version is that of this program.
	Version string
	// Configuration loads a file, or the one in use if the name is empty, without
	// secrets.
	Configuration func(file string) (*mapping.Config, error)
}

// question holds the flags that the commands share.
type question struct {
	Options
	url, file, output string
	reveal            bool
}

// addTo adds the flags that all of them have.
func (q *question) addTo(cmd *cobra.Command, formats ...string) {
	cmd.Flags().StringVar(&q.url, "nats", "", "address of NATS (default: NATS_URL, else NATS_LISTEN)")
	output.Flag(cmd, &q.output, formats...)
}

func (q *question) addReveal(cmd *cobra.Command) {
	cmd.Flags().BoolVar(&q.reveal, "reveal", false, "show telephone numbers in full")
}

func (q *question) addConfig(cmd *cobra.Command) {
	cmd.Flags().StringVarP(&q.file, "config", "c", "", "callbridge.yaml, for the names of routes and what it decides today (default: CONFIG_FILE, then callbridge.yaml)")
}

// read connects with the permissions of a role and calls fn.
func (q *question) read(ctx context.Context, name, role string, fn func(context.Context, archive.Archive) error) error {
	config, err := q.Settings(ctx)
	if err != nil {
		return err
	}
	if q.url != "" {
		config.URL = q.url
	}
	return output.Explain(bus.ReadArchive(ctx, config, name, role, fn))
}

// names are the routes of each source of a configuration.
func names(c *mapping.Config) history.Names {
	all := history.Names{}
	for _, s := range c.Sources() {
		all[s.Name()] = nil
	}
	for _, route := range c.Routes() {
		for _, source := range route.Sources {
			all[source] = append(all[source], route.Name)
		}
	}
	return all
}

// key masks a key that may be a number.
func (q *question) key(e event.Event) string {
	if q.reveal {
		return e.Key
	}
	return untrusted.Redact(e.Key)
}

func (q *question) to(p event.Phone) string {
	if q.reveal {
		return p.Reveal()
	}
	return p.String()
}

// e164 is the number that a text is in any spelling with its country, or the text.
func e164(text string) string {
	if n, err := phone.Parse(text, phone.Options{}); err == nil {
		return n.E164.Reveal()
	}
	return text
}

// since reads the time of --since or --until: a time, or a duration before now.
func since(flag, text string, now time.Time) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	if d, err := time.ParseDuration(text); err == nil && d >= 0 {
		return now.Add(-d), nil
	}
	for _, layout := range []string{time.RFC3339, time.DateOnly} {
		if at, err := time.ParseInLocation(layout, text, time.UTC); err == nil {
			return at, nil
		}
	}
	return time.Time{}, fmt.Errorf("--%s %q is no time: write it as 2026-11-30T08:00:00Z, as 2026-11-30 (UTC), or as an age such as 2h", flag, text)
}

var errNothing = errors.New("nothing is stored about it")
