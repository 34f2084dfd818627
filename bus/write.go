package bus

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// write stores what the server takes at one revision of its subject only, and
// waits for the acknowledgement. What is not acknowledged is not sent again
// behind our back. It is jetstream.PublishMsg for a call's way, which writes
// twice: without options to apply, and with an acknowledgement that is read at a
// glance.
func (b *Bus) write(ctx context.Context, msg *nats.Msg) (revision uint64, err error) {
	if _, bounded := ctx.Deadline(); !bounded {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, publishTimeout)
		defer cancel()
	}
	answer, err := b.conn.RequestMsgWithContext(ctx, msg)
	if errors.Is(err, nats.ErrNoResponders) {
		return 0, jetstream.ErrNoStreamResponse
	}
	if err != nil {
		return 0, err
	}
	return acknowledged(answer.Data)
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
