package act

import (
	"errors"
	"io"
	"io/fs"
	"slices"

	"github.com/spf13/cobra"

	"callbridge/mapping"
	"callbridge/mapping/config"
	"callbridge/untrusted"
)

// Configuration loads a file, or the one in use if the name is empty, without secrets.
type Configuration func(file string) (*mapping.Config, error)

// named compares --source and --route with a configuration: a name that is written wrongly
// covers no call. It warns only, because the callbridge that the command is meant for may
// have another configuration.
type named struct {
	configuration Configuration
	file          string
}

func (n *named) addTo(cmd *cobra.Command) {
	cmd.Flags().StringVarP(&n.file, "config", "c", "", "callbridge.yaml, to compare --source and --route with (default: CONFIG_FILE, then callbridge.yaml)")
}

// warn writes a warning for each name that the configuration does not have. Without --config
// a configuration that is missing is no error, and one that cannot be read a warning.
func (n *named) warn(errs io.Writer, source, route string) error {
	if source == "" && route == "" {
		return nil
	}
	c, err := n.configuration(n.file)
	switch {
	case err == nil:
		for _, text := range unknown(c, source, route) {
			untrusted.Fprintf(errs, "warning: %s\n", text)
		}
		return nil
	case n.file != "":
		return err
	case errors.Is(err, fs.ErrNotExist):
		return nil
	}
	untrusted.Fprintf(errs, "warning: --source and --route were not compared with the configuration: %s\n", err)
	return nil
}

// unknown says in sentences what the configuration does not have.
func unknown(c *mapping.Config, source, route string) (warnings []string) {
	var sources, routes []string
	covered := source == "" || route == ""
	for _, s := range c.Sources() {
		sources = append(sources, s.Name())
	}
	for _, r := range c.Routes() {
		routes = append(routes, r.Name)
		covered = covered || r.Name == route && slices.Contains(r.Sources, source)
	}
	for _, name := range []struct {
		kind, text string
		known      []string
	}{{"source", source, sources}, {"route", route, routes}} {
		if name.text == "" || slices.Contains(name.known, name.text) {
			continue
		}
		covered = true
		text := "the configuration has no " + name.kind + " " + name.text
		if hint := config.Suggest(name.text, name.known); hint != "" {
			text += ": " + hint
		}
		warnings = append(warnings, text)
	}
	if !covered {
		warnings = append(warnings, "the configuration sends no event of source "+source+" to route "+route+", so that this covers no call")
	}
	return warnings
}
