package embedded

import (
	"context"
	"fmt"
	"log/slog"
)

// natsLog writes the server's log lines to ours, notices at level debug, and calls
// failed after an error.
type natsLog struct {
	log    *slog.Logger
	failed func()
}

func (l natsLog) Noticef(f string, v ...any) { l.write(slog.LevelDebug, f, v) }
func (l natsLog) Warnf(f string, v ...any)   { l.write(slog.LevelWarn, f, v) }
func (l natsLog) Errorf(f string, v ...any)  { l.write(slog.LevelError, f, v); l.failed() }
func (l natsLog) Fatalf(f string, v ...any)  { l.write(slog.LevelError, f, v); l.failed() }
func (l natsLog) Debugf(string, ...any)      {}
func (l natsLog) Tracef(string, ...any)      {}

func (l natsLog) write(level slog.Level, format string, v []any) {
	l.log.Log(context.Background(), level, "nats.server", "line", fmt.Sprintf(format, v...))
}
