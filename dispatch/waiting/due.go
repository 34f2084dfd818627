package waiting

import (
	"encoding/binary"
	"time"

	"github.com/google/uuid"
)

const (
	// maxSpread is the time over which requests that wait for the same instant are spread
	// at most.
	maxSpread = 2 * time.Minute
	// spreadPart is the part of a wait by which it may become longer.
	spreadPart = 10
)

// Due is when a request is taken up that waits from now until an instant: up to two minutes
// later, by its id, in full seconds, and never after latest. A zero until has no end of its
// own.
func Due(id uuid.UUID, now, until, latest time.Time) time.Time {
	if until.IsZero() || !until.Before(latest) {
		return latest
	}
	// Half of what is left: the call has to be made before latest, too.
	spread := max(0, min(maxSpread, until.Sub(now)/spreadPart, latest.Sub(until)/2))
	part := float64(binary.BigEndian.Uint32(id[:4])) / (1 << 32)
	due := until.Add(time.Duration(part * float64(spread)))
	if full := due.Truncate(time.Second); full.Before(due) {
		due = full.Add(time.Second)
	}
	if due.After(latest) {
		return latest
	}
	return due
}

const (
	// lastChance is how long before the end of its retention a request that still waits
	// is given up: afterwards NATS deletes it, and it would have no result.
	lastChance = time.Hour
	// lastChancePart bounds lastChance by a part of the retention.
	lastChancePart = 10
)

// Patience is the age at which a request is given up that NATS keeps for a retention. No
// request may expire later.
func Patience(retention time.Duration) time.Duration {
	return retention - min(lastChance, retention/lastChancePart)
}
