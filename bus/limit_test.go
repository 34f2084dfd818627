package bus_test

import (
	"strings"
	"testing"

	"github.com/google/uuid"

	"callbridge/bus"
	"callbridge/bus/bustest"
)

// TestALimitBelowWhatIsStoredIsRefused: no call could be recorded.
func TestALimitBelowWhatIsStoredIsRefused(t *testing.T) {
	t.Parallel()
	config := bustest.Config(t)
	b := bustest.Open(t, config)
	for i := range 200 {
		if _, err := b.Ledger().Put(t.Context(), uuid.NewSHA1(uuid.Nil, []byte{byte(i)}), make([]byte, 1000), 0); err != nil {
			t.Fatal(err)
		}
	}
	b.Close()
	config.Embedded.MaxStoreBytes = 100_000
	if b, err := bus.Open(t.Context(), config); err == nil || !strings.Contains(err.Error(), "NATS_MAX_STORE is 100000 bytes") {
		if err == nil {
			b.Close()
		}
		t.Errorf("opened: %v", err)
	}
	config.Embedded.MaxStoreBytes = 10_000_000
	bustest.Open(t, config)
}
