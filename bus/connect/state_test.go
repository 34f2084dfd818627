package connect

import (
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nats-io/nats.go"

	"callbridge/internal/testkit"
)

// TestOutageIsLoggedAtItsBeginningOnceAMinuteAndAtItsEnd: the client tries every half
// second.
func TestOutageIsLoggedAtItsBeginningOnceAMinuteAndAtItsEnd(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var log testkit.Log
		s := NewState(nil, log.Logger())
		for range 2 {
			began := time.Now()
			for time.Since(began) < 190*time.Second {
				s.failed(errors.New("connection refused"))
				time.Sleep(500 * time.Millisecond)
			}
			if err := s.Err(); err == nil || !strings.Contains(err.Error(), "no connection to NATS for 3m10s: connection refused") {
				t.Errorf("error %v", err)
			}
			s.restored("n1")
			if err := s.Err(); err != nil {
				t.Errorf("restored: %v", err)
			}
		}
		var lines []string
		for _, line := range log.Lines(t, 10) {
			lines = append(lines, line["msg"].(string))
		}
		one := "nats.disconnected nats.still_away nats.still_away nats.still_away nats.reconnected"
		if got := strings.Join(lines, " "); got != one+" "+one {
			t.Errorf("logged %s", got)
		}
	})
}

// TestRefusalStaysTheReason: of three servers one refuses us, and one cannot be reached.
func TestRefusalStaysTheReason(t *testing.T) {
	t.Parallel()
	dialer, err := NewDialer(Config{Auth: Auth{User: "bridge", Password: "x"}})
	if err != nil {
		t.Fatal(err)
	}
	var log testkit.Log
	s := NewState(dialer, log.Logger())
	for range 10 {
		s.failed(nats.ErrAuthorization)
		s.failed(errors.New("connection refused"))
	}
	if err := s.Err(); !errors.Is(err, nats.ErrAuthorization) || !strings.Contains(err.Error(), "NATS refuses our password") {
		t.Errorf("error %v", err)
	}
	if text := log.String(); strings.Count(text, "\n") != 1 || !strings.Contains(text, "nats.refused") {
		t.Errorf("want one line:\n%s", text)
	}
}

func TestClosingOnPurposeIsNoFault(t *testing.T) {
	t.Parallel()
	var log testkit.Log
	s := NewState(nil, log.Logger())
	s.Close()
	s.failed(nil)
	s.end(nil)
	select {
	case <-s.Closed():
		t.Error("reported as closed")
	default:
	}
	if log.String() != "" {
		t.Errorf("logged %s", log.String())
	}
}
