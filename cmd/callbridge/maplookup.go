package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"

	"callbridge/mapping"
)

// answerLookups gives every event about which its source asks the CRM the
// answer that stands in the file.
func answerLookups(c *mapping.Config, events []mapping.Incoming, file string) error {
	answer, err := os.ReadFile(file)
	if err != nil {
		return fmt.Errorf("read --lookup: %w", err)
	}
	for i, e := range events {
		if c.Explain(e).Lookup == nil {
			continue
		}
		if events[i], err = e.WithLookup(answer, contentTypes[filepath.Ext(file)]); err != nil {
			return fmt.Errorf("read --lookup %s: %w", file, err)
		}
	}
	return nil
}

// lookupStates say what became of a look-up.
var lookupStates = map[string]string{
	"made":     "answered from the file",
	"awaited":  "not made; give what the CRM answers with --lookup FILE",
	"needless": "not needed: no route hangs on it",
}

func printLookup(w io.Writer, t *mapping.LookupTrace) {
	if t == nil {
		return
	}
	_, _ = fmt.Fprintf(w, "\nlook-up\n  %s %s\n", t.Method, t.URL)
	if t.Body != "" {
		_, _ = fmt.Fprintf(w, "  %s\n", t.Body)
	}
	_, _ = fmt.Fprintf(w, "  %s\n", lookupStates[t.State])
}
