package loss

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// ErrNothing: no loss waits for an acknowledgement.
var ErrNothing = errors.New("no loss waits for an acknowledgement")

// Acknowledge stores that a person knows of the problems that are open, and returns
// them. A loss that is found later is not acknowledged.
func Acknowledge(ctx context.Context, c Config, by, why string) ([]Problem, error) {
	state, err := c.JS.Stream(ctx, c.State)
	if err != nil {
		return nil, fmt.Errorf("read stream %s: %w", c.State, err)
	}
	record, _, err := readRecord(ctx, state, c.Subject)
	if err != nil {
		return nil, err
	}
	a, err := readAcknowledgement(ctx, state, c.Acknowledged)
	if err != nil {
		return nil, err
	}
	record = merge(record, Record{Acknowledged: a})
	if len(record.Problems) == 0 {
		return nil, ErrNothing
	}
	data, err := json.Marshal(Acknowledgement{Until: record.Problems[len(record.Problems)-1].At, At: time.Now().UTC(), By: by, Why: why})
	if err != nil {
		return nil, err
	}
	if _, err := c.JS.Publish(ctx, c.Acknowledged, data); err != nil {
		return nil, fmt.Errorf("write the acknowledgement: %w", err)
	}
	return record.Problems, nil
}
