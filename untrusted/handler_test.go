package untrusted_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"callbridge/untrusted"
)

// hostile has what must not reach a log line: a telephone number, a forged line,
// escape sequences, C1 and bidirectional controls, and much text.
const hostile = "lead +12025550142\nlevel=INFO msg=call.attempted state=accepted\r\x1b]52;c;aGk=\x07\x1b[2K\u009b31m\u202e\u2028\b" + "0041"

type stringer string

func (s stringer) String() string { return string(s) }

type marshaller string

func (m marshaller) MarshalText() ([]byte, error) { return []byte(m), nil }

type valuer string

func (v valuer) LogValue() slog.Value { return slog.StringValue(string(v)) }

// values are forms in which a text reaches a logger.
func values(text string) map[string]any {
	return map[string]any{
		"string": text, "bytes": []byte(text), "stringer": stringer(text), "marshaller": marshaller(text), "valuer": valuer(text),
		"list": []string{text}, "map": map[string]string{text: text}, "struct": struct{ Text string }{text},
		"error": errors.New(text), "wrapped": fmt.Errorf("read: %w", errors.New(text)), "group": slog.GroupValue(slog.String("inner", text)),
		"raw": json.RawMessage(text), "pointer": &struct{ Text string }{text},
	}
}

// checkClean fails if a log line shows something of hostile that it must not show.
func checkClean(t *testing.T, what, line string, most int) {
	t.Helper()
	if n := utf8.RuneCountInString(line); n > most {
		t.Errorf("%s: a line of %d characters", what, n)
	}
	for _, hidden := range []string{"2025550142", "\nlevel", `\nlevel`, "\x1b", `\u001b`, `\x1b`, "\u009b", "\u202e", "\u2028", `\u2028`, `\r`, `\b`} {
		if strings.Contains(strings.TrimSuffix(line, "\n"), hidden) {
			t.Errorf("%s: %+q is in %.300q", what, hidden, line)
		}
	}
}

// formats are the two handlers that a process writes with.
var formats = map[string]func(io.Writer) slog.Handler{
	"json": func(w io.Writer) slog.Handler { return slog.NewJSONHandler(w, nil) },
	"text": func(w io.Writer) slog.Handler { return slog.NewTextHandler(w, nil) },
}

func TestLoggerCleansEveryKindOfValue(t *testing.T) {
	t.Parallel()
	for format, handler := range formats {
		for kind, value := range values(hostile + strings.Repeat("x", 200_000)) {
			for way, write := range map[string]func(*slog.Logger){
				"argument": func(l *slog.Logger) { l.Info("event.looked_up", "type", value) },
				"attrs": func(l *slog.Logger) {
					l.LogAttrs(context.Background(), slog.LevelInfo, "event.looked_up", slog.Any("type", value))
				},
				"with":  func(l *slog.Logger) { l.With("type", value).Info("event.looked_up") },
				"group": func(l *slog.Logger) { l.WithGroup("g").Info("event.looked_up", slog.Group("h", "type", value)) },
			} {
				var out bytes.Buffer
				write(untrusted.NewLogger(handler(&out)))
				checkClean(t, format+" "+kind+" "+way, out.String(), 800)
				if strings.Count(out.String(), "\n") != 1 {
					t.Errorf("%s %s %s: not one line: %.300q", format, kind, way, out.String())
				}
			}
		}
		var out bytes.Buffer
		untrusted.NewLogger(handler(&out)).Info(hostile)
		checkClean(t, format+" message", out.String(), 400)
	}
}

func TestLoggerKeepsIdsAndAddresses(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	log := untrusted.NewLogger(slog.NewTextHandler(&out, &slog.HandlerOptions{ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
		if a.Key == slog.TimeKey {
			return slog.Attr{}
		}
		return a
	}}))
	log.Info("webhook.received", "trace_id", "12345678901234567890123456789012", "event_id", "12345678-1234-1234-1234-123456789012",
		"remote", "192.168.100.120", "webhooks", "http://192.168.100.120:8080", "config_hash", "123456789012", "took", time.Second,
		"error", errors.New("dial tcp 192.168.100.120:4222: connection refused"))
	const want = `level=INFO msg=webhook.received trace_id=12345678901234567890123456789012 event_id=12345678-1234-1234-1234-123456789012` +
		` remote=192.168.100.120 webhooks=http://192.168.100.120:8080 config_hash=123456789012 took=1s` +
		` error="dial tcp 192.168.100.120:4222: connection refused"` + "\n"
	if out.String() != want {
		t.Errorf("got  %swant %s", out.String(), want)
	}
}

// usual are the attributes of the line that each webhook has.
var usual = []slog.Attr{
	slog.String("source", "hubspot"), slog.Int("status", 202), slog.Int("bytes", 512), slog.Float64("duration_ms", 1.5),
	slog.String("remote", "203.0.113.200"), slog.String("trace_id", "0af7651916cd43dd8448eb211c80319c"),
	slog.String("event_id", "6f1f8f0e-5f57-4c0e-9d0a-1f6f4b0a7c11"), slog.String("request_id", "6f1f8f0e-5f57-4c0e-9d0a-1f6f4b0a7c12"),
	slog.Int("requested", 1),
}

func TestCleanRecordsCostNoAllocation(t *testing.T) {
	h := untrusted.NewLogger(slog.DiscardHandler).Handler()
	record := slog.NewRecord(time.Now(), slog.LevelInfo, "webhook.received", 0)
	record.AddAttrs(usual...)
	if n := testing.AllocsPerRun(100, func() { _ = h.Handle(context.Background(), record) }); n > 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkCleanRecord(b *testing.B) {
	h := untrusted.NewLogger(slog.DiscardHandler).Handler()
	record := slog.NewRecord(time.Now(), slog.LevelInfo, "webhook.received", 0)
	record.AddAttrs(usual...)
	b.ReportAllocs()
	for b.Loop() {
		_ = h.Handle(context.Background(), record)
	}
}
