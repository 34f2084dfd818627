package bus

import (
	"errors"
	"testing"

	"github.com/nats-io/nats.go/jetstream"
)

func TestAcknowledgementOfAWrite(t *testing.T) {
	t.Parallel()
	for answer, want := range map[string]uint64{
		`{"stream":"CALLBRIDGE_LEDGER","seq":42}`:                     42,
		`{"stream":"CALLBRIDGE_LEDGER","domain":"hub","seq":42}`:      42,
		`{"stream":"CALLBRIDGE_LEDGER", "seq": 42, "more":[]}`:        42,
		`{"stream":"CALLBRIDGE_LEDGER","seq":42,"duplicate": true}`:   42,
		`{"type":"x","stream":"CALLBRIDGE_LEDGER","seq":42}`:          42,
		`{"stream":"CALLBRIDGE_LEDGER","seq":18446744073709551615}`:   18446744073709551615,
		`{"stream":"CALLBRIDGE_LEDGER","seq":1844674407370955161500}`: 0,
		`{"stream":"CALLBRIDGE_LEDGER","seq":42`:                      0,
		`{"stream":"CALLBRIDGE_LEDGER","seq":-1}`:                     0,
		`{"stream":"CALLBRIDGE_LEDGER","seq":}`:                       0,
		`{"stream":"`:                                                 0,
		`{"stream":"","seq":42}`:                                      0,
		`{"seq":42}`:                                                  0,
		`{}`:                                                          0,
		``:                                                            0,
	} {
		got, err := acknowledged([]byte(answer))
		if got != want || want == 0 && !errors.Is(err, jetstream.ErrInvalidJSAck) || want != 0 && err != nil {
			t.Errorf("%s: %d, %v; want %d", answer, got, err, want)
		}
	}
	for _, refused := range []string{
		`{"error":{"code":400,"err_code":10071,"description":"wrong last sequence: 7"},"stream":"CALLBRIDGE_LEDGER","seq":0}`,
		`{"stream":"CALLBRIDGE_LEDGER","seq":0,"error":{"code":400,"err_code":10071,"description":"wrong last sequence: 7"}}`,
	} {
		if got, err := acknowledged([]byte(refused)); got != 0 || !isConflict(err) {
			t.Errorf("%s: %d, %v; want a conflict", refused, got, err)
		}
	}
}
