package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"callbridge/cmd/callbridge/output"
	"callbridge/cmd/callbridge/show"
	"callbridge/mapping"
	"callbridge/mapping/golden"
	"callbridge/untrusted"
)

func newTest() *cobra.Command {
	var config, format string
	var update bool
	cmd := &cobra.Command{
		Use:   "test [FILE|FOLDER]",
		Short: "Test callbridge.yaml with webhooks and the decisions that you expect",
		Long: `test maps the webhooks of callbridge.test.yaml and compares what comes out with
what the file expects. It places no call and needs no secrets. Exit code 1 if a
case differs. A folder means every *.test.yaml in it.

  cases:
    - name: a lead who asked to be called
      source: website
      payload: website-lead.json     # a file beside this one, or YAML, or a text with |
      received: 2026-11-23T09:30:05Z # for rules about age; without it, the event's own time
      expect:
        - {route: new-lead, outcome: skipped, reason: dry_run, call: {…}}

outcome is requested, deferred (with until), skipped or rejected. A webhook without
a time comes in on Wednesday, 2026-11-25T17:00:00Z. Leave expect out and run with
--update: it writes what comes out and keeps comments, not blank lines. Read
what it writes before you trust it.

The cases are your own test data: differences show telephone numbers in full.`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			suites, err := findSuites(args, config)
			if err != nil {
				return err
			}
			return runSuites(cmd.OutOrStdout(), suites, update, format)
		},
	}
	cmd.Flags().StringVarP(&config, "config", "c", "", "the configuration (default: next to the cases, then CONFIG_FILE, then callbridge.yaml)")
	cmd.Flags().BoolVar(&update, "update", false, "replace expectations that differ by the actual decisions")
	output.Flag(cmd, &format, "text", "json")
	return cmd
}

const testEnding = ".test.yaml"

// findSuites parses the files of cases that the arguments name. The error holds the problems
// of all files.
func findSuites(args []string, config string) ([]*golden.Suite, error) {
	files, err := findTests(args, config)
	if err != nil {
		return nil, err
	}
	var suites []*golden.Suite
	var problems []error
	configs := map[string]*mapping.Config{}
	for _, file := range files {
		name := configOfTest(file, config)
		if _, loaded := configs[name]; !loaded {
			c, err := mapping.Load(name, mapping.Options{WithoutSecrets: true})
			configs[name] = c
			problems = append(problems, err)
		}
		if configs[name] == nil {
			continue
		}
		text, err := os.ReadFile(file)
		if err != nil {
			return nil, fmt.Errorf("read cases: %w", err)
		}
		s, err := golden.Parse(file, text, configs[name])
		problems = append(problems, err)
		suites = append(suites, s)
	}
	return suites, errors.Join(problems...)
}

// findTests returns the files that the argument names, or the one beside the configuration.
func findTests(args []string, config string) ([]string, error) {
	if len(args) == 0 {
		config = configFile(nonEmpty(config))
		file := strings.TrimSuffix(config, filepath.Ext(config)) + testEnding
		if _, err := os.Stat(file); err != nil {
			return nil, fmt.Errorf("no file of cases next to %s: write cases into %s; see callbridge test --help", config, file)
		}
		return []string{file}, nil
	}
	info, err := os.Stat(args[0])
	switch {
	case err != nil:
		return nil, fmt.Errorf("find cases: %w", err)
	case !info.IsDir() && !strings.HasSuffix(args[0], testEnding):
		return nil, fmt.Errorf("%s is not a file of cases: its name has to end in %s", args[0], testEnding)
	case !info.IsDir():
		return args, nil
	}
	var files []string
	err = filepath.WalkDir(args[0], func(path string, _ fs.DirEntry, err error) error {
		if strings.HasSuffix(path, testEnding) {
			files = append(files, path)
		}
		return err
	})
	if err == nil && len(files) == 0 {
		err = fmt.Errorf("no file in %s ends in %s", args[0], testEnding)
	}
	return files, err
}

// configOfTest returns the configuration that a file of cases tests.
func configOfTest(file, config string) string {
	if config != "" {
		return config
	}
	beside := strings.TrimSuffix(file, testEnding) + ".yaml"
	if _, err := os.Stat(beside); err == nil {
		return beside
	}
	return configFile(nil)
}

// runSuites prints a verdict for each case. The error says how many failed.
func runSuites(w io.Writer, suites []*golden.Suite, update bool, format string) error {
	all, failed, written := []golden.Verdict{}, 0, 0
	for _, s := range suites {
		verdicts, err := s.Run(update)
		if err != nil {
			return err
		}
		all = append(all, verdicts...)
	}
	for _, v := range all {
		if !v.OK {
			failed++
		}
		if v.Updated {
			written++
		}
		if format == "text" {
			printVerdict(w, v)
		}
	}
	if format == "json" {
		if err := output.JSON(w, all); err != nil {
			return err
		}
	} else {
		untrusted.Fprintf(w, "%d cases, %d failed\n", len(all), failed)
		if written > 0 {
			untrusted.Fprintf(w, "%d written: read what they expect now\n", written)
		}
	}
	if failed > 0 {
		return fmt.Errorf("%d of %d cases failed; where the result is right, --update writes it as the expectation", failed, len(all))
	}
	return nil
}

func printVerdict(w io.Writer, v golden.Verdict) {
	p := func(format string, a ...any) { untrusted.Fprintf(w, format, a...) }
	state := "ok     "
	switch {
	case v.Updated:
		state = "written"
	case !v.OK:
		state = "FAIL   "
	}
	p("%s %s:%d: %s\n", state, v.File, v.Line, v.Case)
	if v.Problem != "" {
		p("    %s\n", v.Problem)
	}
	for _, j := range v.Gates {
		if !v.OK {
			show.Gates(w, &j)
		}
	}
	for _, d := range v.Differences {
		p("    %s\n      want %s\n      got  %s\n", d.Path, untrusted.Lines(orNothing(d.Want)), untrusted.Lines(orNothing(d.Got)))
	}
}

func orNothing(value []byte) string {
	if value == nil {
		return "nothing"
	}
	return string(value)
}
