package gate

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/google/uuid"

	"callbridge/bus/control"
	"callbridge/bus/limit"
	"callbridge/policy"
)

// storms stop a source by itself that makes more requests than its policy allows: a bulk
// import is not a good day. A request counts when it is judged for the first time, at the
// time at which NATS stored it, unless it ends without a call. NATS counts over all
// processes.
type storms struct {
	mu sync.Mutex
	// windows are the counts by source and limit.
	windows map[string]*limit.Window
	// counted are the requests that this process has counted, since when.
	counted map[uuid.UUID]time.Time
}

// counts reports whether a request counts that is judged for the first time, and notes it.
func (s *storms) counts(c Call, storm policy.Storm, v policy.Verdict, now, resumed time.Time) bool {
	waits := v.Action == policy.Wait && v.Reason != policy.Stopped
	if v.Action != policy.Go && !waits || c.Stored.Before(resumed) || age(c, now) >= storm.Within {
		return false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, is := s.counted[c.ID]; is {
		return false
	}
	if s.counted == nil || len(s.counted) > 4*storm.Calls+1000 {
		s.forget(now.Add(-storm.Within))
	}
	s.counted[c.ID] = now
	return true
}

// age is how long NATS has had a request.
func age(c Call, now time.Time) time.Duration { return max(0, now.Sub(c.Stored)) }

// forget drops requests that were counted before a time, and all if that are none.
func (s *storms) forget(before time.Time) {
	kept := map[uuid.UUID]time.Time{}
	for id, at := range s.counted {
		if at.After(before) {
			kept[id] = at
		}
	}
	if len(kept) == len(s.counted) {
		clear(kept)
	}
	s.counted = kept
}

func (s *storms) window(store limit.Store, source string, p policy.Storm) *limit.Window {
	s.mu.Lock()
	defer s.mu.Unlock()
	name := fmt.Sprintf("storm.%s.%d.%d", source, p.Calls, int64(p.Within.Seconds()))
	if s.windows == nil {
		s.windows = map[string]*limit.Window{}
	}
	if s.windows[name] == nil {
		s.windows[name] = store.Window(name, p.Calls)
	}
	return s.windows[name]
}

// storm counts a request, and stops its source if there are too many.
func (g *Gate) storm(ctx context.Context, c Call, p policy.Storm, now time.Time) (stopped bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	ok, err := g.storms.window(g.Bus.Limits(), c.Event.Source, p).Take(ctx, p.Within-age(c, now))
	if err != nil || ok {
		return false, err
	}
	err = g.Bus.StopSource(ctx, control.Stop{
		Scope: control.Scope{Source: c.Event.Source}, By: control.Storm, Since: now.UTC(),
		Why: fmt.Sprintf("more than %d requests within %s: an import? `callbridge resume --source %s` calls them", p.Calls, p.Within, c.Event.Source),
	})
	if err != nil {
		return false, err
	}
	g.Log.LogAttrs(ctx, slog.LevelError, "calls.storm", slog.String("source", c.Event.Source), slog.Int("calls", p.Calls),
		slog.Duration("within", p.Within), slog.String("hint", "look what the source sends, then run callbridge resume --source NAME"))
	return true, nil
}
