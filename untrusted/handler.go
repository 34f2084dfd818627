package untrusted

import (
	"context"
	"encoding"
	"fmt"
	"log/slog"
)

const (
	// maxMessage is the number of characters of a value that is a sentence of ours
	// with foreign words in it, such as an error.
	maxMessage = 512
	// maxStack is the number of bytes of a stack trace.
	maxStack = 16 << 10
)

// ownKeys are the attributes whose values this module writes itself: they are neither
// masked nor cut to 64 characters. A test lists the expressions that they may get.
var ownKeys = map[string]bool{
	"hint": true, "version": true, "remote": true, "webhooks": true, "nats": true,
	"config": true, "file": true, "stack": true, "config_hash": true, "replaced_hash": true,
}

// messageKeys are the attributes whose values are sentences.
var messageKeys = map[string]bool{"error": true, "detail": true, "problem": true, "line": true}

// NewLogger returns a logger that passes each value of each line through Log, so that
// no call can forget it. All loggers of a process are made by it.
func NewLogger(h slog.Handler) *slog.Logger { return slog.New(handler{h}) }

// handler cleans records before the handler that formats them.
type handler struct{ next slog.Handler }

// Enabled asks the next handler.
func (h handler) Enabled(ctx context.Context, level slog.Level) bool {
	return h.next.Enabled(ctx, level)
}

// Handle passes a record on as it is if all its values are clean, which costs no
// allocation, and else a copy with clean values.
func (h handler) Handle(ctx context.Context, r slog.Record) error {
	clean := isClean(r.Message)
	r.Attrs(func(a slog.Attr) bool {
		clean = clean && isCleanAttr(a)
		return clean
	})
	if clean {
		return h.next.Handle(ctx, r)
	}
	copied := slog.NewRecord(r.Time, r.Level, message(r.Message), r.PC)
	r.Attrs(func(a slog.Attr) bool {
		copied.AddAttrs(cleanAttr(a))
		return true
	})
	return h.next.Handle(ctx, copied)
}

// WithAttrs cleans the attributes.
func (h handler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return handler{h.next.WithAttrs(cleanAttrs(attrs))}
}

// WithGroup begins a group.
func (h handler) WithGroup(name string) slog.Handler { return handler{h.next.WithGroup(name)} }

// isCleanAttr reports whether cleanAttr would return the attribute unchanged. It may
// say no too often.
func isCleanAttr(a slog.Attr) bool {
	switch a.Value.Kind() {
	case slog.KindString:
		return isClean(a.Value.String()) || a.Key == "remote" && isPlain(a.Value.String())
	case slog.KindAny, slog.KindGroup, slog.KindLogValuer:
		return false
	}
	return true
}

func cleanAttrs(attrs []slog.Attr) []slog.Attr {
	clean := make([]slog.Attr, len(attrs))
	for i, a := range attrs {
		clean[i] = cleanAttr(a)
	}
	return clean
}

// cleanAttr returns the attribute with a value that is safe in a log line.
func cleanAttr(a slog.Attr) slog.Attr {
	value := a.Value.Resolve()
	switch value.Kind() {
	case slog.KindString:
		return slog.String(a.Key, cleanText(a.Key, value.String()))
	case slog.KindGroup:
		return slog.Attr{Key: a.Key, Value: slog.GroupValue(cleanAttrs(value.Group())...)}
	case slog.KindAny:
		if err, is := value.Any().(error); is {
			return slog.String(a.Key, message(err.Error()))
		}
		return slog.String(a.Key, cleanText(a.Key, textOf(value.Any())))
	}
	return slog.Attr{Key: a.Key, Value: value} // a number, a time or a bool
}

// textOf returns how a value prints. A value that a text marshaller masks, such as a
// telephone number, stays masked.
func textOf(value any) string {
	if m, is := value.(encoding.TextMarshaler); is {
		if text, err := m.MarshalText(); err == nil {
			return string(text)
		}
	}
	return fmt.Sprint(value)
}

func cleanText(key, text string) string {
	switch {
	case isClean(text):
		return text
	case key == "stack":
		return Visible(text[:min(len(text), maxStack)])
	case ownKeys[key]:
		return Cut(Line(text), maxMessage)
	case messageKeys[key]:
		return message(text)
	}
	return Log(text)
}

// message returns a sentence of ours for a log line.
func message(text string) string {
	if isClean(text) {
		return text
	}
	return Cut(redactWords(Line(Cut(text, 2*maxMessage))), maxMessage)
}

// isClean reports whether Log returns text unchanged: short and plain, or an id.
func isClean(text string) bool {
	switch {
	case len(text) > maxLogged:
		return false
	case len(text) >= 32 && isID(text):
		return true
	}
	return isShort(text)
}

// isID reports whether text has the form of a UUID, a trace id or a SHA-256 in hex.
// None of them is a telephone number, however many digits it has.
func isID(text string) bool {
	switch len(text) {
	case 32, 64:
		return isHex(text)
	case 36:
		return text[8] == '-' && text[13] == '-' && text[18] == '-' && text[23] == '-' &&
			isHex(text[:8]) && isHex(text[9:13]) && isHex(text[14:18]) && isHex(text[19:23]) && isHex(text[24:])
	}
	return false
}

func isHex(text string) bool {
	for i := range len(text) {
		if c := text[i]; (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	return true
}
