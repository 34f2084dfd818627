package bus

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"strconv"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// write stores what the server takes at one revision of its subject only, and
// waits for the acknowledgement: until ctx ends, but publishTimeout at the
// longest.
func (b *Bus) write(ctx context.Context, msg *nats.Msg) (revision uint64, err error) {
	written := b.small.acks.expect(1)
	defer written.free()
	msg.Reply = b.small.acks.reply(written, 0)
	if err := b.small.conn.PublishMsg(msg); err != nil {
		b.small.acks.settle(written.number(0), ack{err: err})
	}
	a := b.small.acks.wait(ctx, written, publishTimeout)[0]
	return a.sequence, a.err
}

// acknowledged reads the answer to a publish: which sequence the message has.
func acknowledged(answer []byte) (sequence uint64, err error) {
	if rest, usual := bytes.CutPrefix(answer, []byte(`{"stream":"`)); usual && !bytes.HasPrefix(rest, []byte(`"`)) {
		_, rest, _ = bytes.Cut(rest, []byte(`","seq":`))
		if digits, whole := bytes.CutSuffix(rest, []byte("}")); whole {
			if sequence, err = strconv.ParseUint(string(digits), 10, 64); err == nil {
				return sequence, nil
			}
		}
	}
	var ack struct {
		Error    *jetstream.APIError `json:"error"`
		Stream   string              `json:"stream"`
		Sequence uint64              `json:"seq"`
	}
	switch err := json.Unmarshal(answer, &ack); {
	case err != nil:
		return 0, jetstream.ErrInvalidJSAck
	case ack.Error != nil:
		return 0, fmt.Errorf("nats: %w", ack.Error)
	case ack.Stream == "":
		return 0, jetstream.ErrInvalidJSAck
	}
	return ack.Sequence, nil
}
