package bus_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"callbridge/bus"
	"callbridge/event"
	"callbridge/internal/testkit"
)

// gathered returns the values of a scrape, by name and labels.
func gathered(t *testing.T, r prometheus.Gatherer) map[string]float64 {
	t.Helper()
	families, err := r.Gather()
	if err != nil {
		t.Fatal(err)
	}
	values := map[string]float64{}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			name := []string{f.GetName()}
			for _, l := range m.GetLabel() {
				name = append(name, l.GetValue())
			}
			values[strings.Join(name, " ")] = m.GetCounter().GetValue() + m.GetGauge().GetValue()
		}
	}
	return values
}

func TestMetricsCountDecisionsDuplicatesAndQueuedMessages(t *testing.T) {
	t.Parallel()
	config, registry := embedded(t), prometheus.NewRegistry()
	config.Registry = registry
	b := open(t, config)
	first, second := request("lead-1"), request("lead-2")
	skip := event.Result{RequestID: second.ID, Outcome: event.Skipped, Reason: event.ReasonNoRoute, Event: second.Event}
	for range 2 {
		if _, err := b.Store(t.Context(), "", event.Item{Request: &first, Verdict: event.Verdict{Action: "go"}},
			event.Item{Request: &second, Verdict: event.Verdict{Action: "wait", Gate: event.ReasonOutsideHours}}, event.Item{Result: &skip}); err != nil {
			t.Fatal(err)
		}
	}
	// One of two requests is acknowledged.
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	taken := 0
	b.ConsumeRequests(ctx, 1, bus.Worker{
		Alive: func() {}, Acked: cancel, Log: quiet(),
		Handle: func(ctx context.Context, _ bus.Delivery) bus.Disposition {
			if taken++; taken > 1 {
				<-ctx.Done()
			}
			return bus.Disposition{Ack: taken == 1}
		},
	})
	testkit.Eventually(t, "one request is not acknowledged", func() bool {
		info := consumerInfo(t, b)
		return info.NumPending+uint64(info.NumAckPending) == 1
	})
	got := gathered(t, registry)
	for name, want := range map[string]float64{
		"callbridge_decisions_total requested ":               2,
		"callbridge_decisions_total skipped no_route":         1,
		"callbridge_decisions_total rejected key_reused":      0,
		"callbridge_duplicates_total":                         3,
		"callbridge_policy_verdicts_total go ":                1,
		"callbridge_policy_verdicts_total wait outside_hours": 1,
		"callbridge_queue_messages dispatch":                  1,
		"callbridge_queue_messages lookup":                    0,
		"callbridge_queue_oldest_seconds lookup":              0,
	} {
		if value, present := got[name]; !present || value != want {
			t.Errorf("%s is %v, want %v; there are %v", name, value, want, got)
		}
	}
	if age := got["callbridge_queue_oldest_seconds dispatch"]; age <= 0 || age > 30 {
		t.Errorf("the oldest request has waited %v s", age)
	}
	b.Close()
}

func TestQueueMetricsAreAbsentWithoutNATS(t *testing.T) {
	t.Parallel()
	config, registry := embedded(t), prometheus.NewRegistry()
	config.Registry = registry
	b := open(t, config)
	b.Conn().Close()
	if value, present := gathered(t, registry)["callbridge_queue_messages dispatch"]; present {
		t.Errorf("a value without NATS: %v", value)
	}
}
