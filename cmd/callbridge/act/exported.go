package act

import (
	"bufio"
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"callbridge/bus"
	"callbridge/bus/dnc"
)

// exportedColumns are the columns of `callbridge dnc export`. import knows its files by the
// line with their names.
var exportedColumns = []string{"person", "source", "route", "since", "until", "by", "why", "key"}

func exportCSV(ctx context.Context, config bus.Config, out io.Writer) error {
	w := csv.NewWriter(out)
	if err := w.Write(exportedColumns); err != nil {
		return err
	}
	err := bus.ExportDNC(ctx, config, func(one dnc.Person) error {
		for _, e := range one.Entries {
			until := ""
			if !e.Until.IsZero() {
				until = e.Until.UTC().Format(time.RFC3339Nano)
			}
			if err := w.Write([]string{one.Person, e.Source, e.Route, e.Since.UTC().Format(time.RFC3339Nano), until, e.By, e.Why, one.Key}); err != nil {
				return err
			}
		}
		return nil
	})
	w.Flush()
	return errors.Join(err, w.Error())
}

// isExported reports whether a file begins with the columns of an export. It reads ahead.
func isExported(r *bufio.Reader) bool {
	header := strings.Join(exportedColumns, ",")
	begin, _ := r.Peek(len("\ufeff") + len(header))
	return strings.HasPrefix(strings.TrimPrefix(string(begin), "\ufeff"), header)
}

// scanExported calls fn with each line of an export, and stops at its error.
func scanExported(r io.Reader, fn func(line) error) error {
	rows := csv.NewReader(r)
	rows.FieldsPerRecord = -1
	key := ""
	for first := true; ; first = false {
		row, err := rows.Read()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("it is no CSV file: %w", err)
		}
		if first {
			continue
		}
		l := line{}
		l.at, _ = rows.FieldPos(0)
		if l.listed, l.err = parseExported(row); l.err == nil {
			l.key = row[len(row)-1]
			if key == "" {
				key = l.key
			}
			if l.key != key {
				l.err = errors.New("it has another key than the lines before: import each export from its own file")
			}
		}
		if err := fn(l); err != nil {
			return err
		}
	}
}

func parseExported(row []string) (l dnc.Listed, err error) {
	if len(row) != len(exportedColumns) {
		return l, fmt.Errorf("it has %d columns instead of %d", len(row), len(exportedColumns))
	}
	if !dnc.IsPerson(row[0]) {
		return l, errors.New("its first column is no hash of 32 hexadecimal digits")
	}
	l = dnc.Listed{Person: row[0], Entry: dnc.Entry{Scope: dnc.Scope{Source: row[1], Route: row[2]}, By: row[5], Why: row[6]}}
	if l.Since, err = time.Parse(time.RFC3339, row[3]); err != nil {
		return l, errors.New("its column since is no time")
	}
	if row[4] != "" {
		if l.Until, err = time.Parse(time.RFC3339, row[4]); err != nil {
			return l, errors.New("its column until is no time")
		}
	}
	if row[7] == "" {
		return l, errors.New("its column key is empty")
	}
	return l, nil
}
