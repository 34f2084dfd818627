package main

import (
	"bytes"
	"context"

	"github.com/gin-gonic/gin"
	"github.com/nats-io/nats.go/jetstream"
)

// waiting is a webhook that is not written yet.
type waiting struct {
	body []byte
	kept chan error
}

// packedBytes is how much goes into one message at the most; NATS takes 1 MiB.
const packedBytes = 512 << 10

// publishPacked has webhooks that come while a write is going on share the next
// one: all of them in one message, each answered after its acknowledgement.
// The server cannot refuse one that was there before, so this is no way to do
// the job; it shows what sharing a flush would be worth.
func publishPacked(js jetstream.JetStream) keeper {
	queue := make(chan waiting, 4096)
	go func() {
		for first := range queue {
			pack := []waiting{first}
			for size := len(first.body); len(queue) > 0 && size < packedBytes; size += len(pack[len(pack)-1].body) {
				pack = append(pack, <-queue)
			}
			bodies := make([][]byte, len(pack))
			for i, w := range pack {
				bodies[i] = w.body
			}
			_, err := js.Publish(context.Background(), "webhook.packed", bytes.Join(bodies, []byte("\n")))
			for _, w := range pack {
				w.kept <- err
			}
		}
	}()
	return func(_ *gin.Context, body []byte) error {
		w := waiting{body, make(chan error, 1)}
		queue <- w
		return <-w.kept
	}
}
