package bus

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// beating is a delivery that counts its signs of life.
type beating struct {
	jetstream.Msg
	beats int
	then  func()
}

func (b *beating) InProgress() error {
	b.beats++
	b.then()
	return nil
}

// TestKeepAliveEndsInTheMiddleOfABeat: work that ends while a sign of life is
// being given must not be followed by another one, for ever.
func TestKeepAliveEndsInTheMiddleOfABeat(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		stop := make(chan func(), 1)
		msg := &beating{then: func() { (<-stop)() }}
		stop <- keepAlive(msg, time.Second, func() {})
		<-time.After(time.Minute)
		synctest.Wait() // the count is read after the goroutine has ended
		if msg.beats != 1 {
			t.Errorf("%d signs of life, want 1", msg.beats)
		}
	})
}
