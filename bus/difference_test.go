package bus_test

import (
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"callbridge/bus"
	"callbridge/bus/bustest"
	"callbridge/internal/testkit"
)

// changes are what an administrator can do to a stream so that a request is lost after
// a 202, or arrives without having been published to it.
var changes = map[string]struct {
	change func(*jetstream.StreamConfig)
	// making: the setting can only be given when the stream is made; changing: only later.
	making, changing bool
}{
	"max_msgs":             {change: func(c *jetstream.StreamConfig) { c.MaxMsgs = 1000 }},
	"max_bytes":            {change: func(c *jetstream.StreamConfig) { c.MaxBytes = 1 << 20 }},
	"max_msg_size":         {change: func(c *jetstream.StreamConfig) { c.MaxMsgSize = 1000 }},
	"max_msgs_per_subject": {change: func(c *jetstream.StreamConfig) { c.MaxMsgsPerSubject = 1 }},
	"max_age":              {change: func(c *jetstream.StreamConfig) { c.MaxAge = time.Hour }},
	"duplicate_window":     {change: func(c *jetstream.StreamConfig) { c.Duplicates = time.Minute }},
	"discard":              {change: func(c *jetstream.StreamConfig) { c.Discard = jetstream.DiscardNew }},
	"retention":            {change: func(c *jetstream.StreamConfig) { c.Retention = jetstream.InterestPolicy }},
	"no_ack":               {change: func(c *jetstream.StreamConfig) { c.NoAck = true }},
	"allow_rollup_hdrs":    {change: func(c *jetstream.StreamConfig) { c.AllowRollup = true }},
	"allow_msg_ttl":        {change: func(c *jetstream.StreamConfig) { c.AllowMsgTTL = true }},
	"allow_atomic":         {change: func(c *jetstream.StreamConfig) { c.AllowAtomicPublish = true }},
	"allow_batched":        {change: func(c *jetstream.StreamConfig) { c.AllowBatchPublish = true }},
	"sealed":               {changing: true, change: func(c *jetstream.StreamConfig) { c.Sealed = true }},
	"consumer_limits":      {change: func(c *jetstream.StreamConfig) { c.ConsumerLimits.MaxAckPending = 1 << 20 }},
	"sources": {change: func(c *jetstream.StreamConfig) {
		c.Sources = []*jetstream.StreamSource{{Name: "OTHER"}}
	}},
	"subject_transform": {change: func(c *jetstream.StreamConfig) {
		c.SubjectTransform = &jetstream.SubjectTransformConfig{Source: "callbridge.request.>", Destination: "callbridge.request.other.>"}
	}},
	"republish": {change: func(c *jetstream.StreamConfig) {
		c.RePublish = &jetstream.RePublish{Source: "callbridge.request.>", Destination: "copy.>"}
	}},
	"allow_msg_schedules": {change: func(c *jetstream.StreamConfig) { c.AllowMsgSchedules = true }},
	"max_consumers":       {making: true, change: func(c *jetstream.StreamConfig) { c.MaxConsumers = 5 }},
	"storage":             {making: true, change: func(c *jetstream.StreamConfig) { c.Storage = jetstream.MemoryStorage }},
	"persist_mode":        {making: true, change: func(c *jetstream.StreamConfig) { c.PersistMode = jetstream.AsyncPersistMode }},
}

// earlierRequests defines the stream of requests as an earlier version made it: it may be
// purged, which rollups and schedules need.
func earlierRequests(config bus.Config) jetstream.StreamConfig {
	requests := bus.Define(config).Streams[0]
	requests.DenyPurge = false
	return requests
}

func TestAStreamThatLosesOrRedirectsRequestsIsRefused(t *testing.T) {
	t.Parallel()
	for setting, c := range changes {
		if c.changing {
			continue
		}
		t.Run(setting, func(t *testing.T) {
			t.Parallel()
			s, config := remote(t, "")
			js := testkit.JetStream(t, s.ClientURL())
			requests := earlierRequests(config)
			c.change(&requests)
			if _, err := js.CreateStream(t.Context(), requests); err != nil {
				t.Fatal(err)
			}
			refused(t, config, "stream CALLBRIDGE_REQUESTS is there with "+setting+" = ")
		})
	}
}

// firstNamed is the setting that is reported: a sealed stream also differs in its age,
// and one with schedules in its rollups.
func firstNamed(setting string) string {
	if setting == "sealed" {
		return "discard"
	}
	return setting
}

// TestReadyFailsWhenAStreamIsChangedUnderWay needs the same answers as before: a
// changed setting is in the answer to the question that Ready asks anyway.
func TestReadyFailsWhenAStreamIsChangedUnderWay(t *testing.T) {
	t.Parallel()
	for setting, c := range changes {
		if c.making {
			continue
		}
		t.Run(setting, func(t *testing.T) {
			t.Parallel()
			s, config := remote(t, "")
			js := testkit.JetStream(t, s.ClientURL())
			changed := earlierRequests(config)
			if _, err := js.CreateStream(t.Context(), changed); err != nil {
				t.Fatal(err)
			}
			b := open(t, config)
			if err := b.Ready(t.Context()); err != nil {
				t.Fatal(err)
			}
			c.change(&changed)
			if _, err := js.UpdateStream(t.Context(), changed); err != nil {
				t.Fatal(err)
			}
			if err := b.Ready(t.Context()); err == nil || !strings.Contains(err.Error(), "CALLBRIDGE_REQUESTS is there with "+firstNamed(setting)) {
				t.Errorf("ready with another %s: %v", setting, err)
			}
		})
	}
}

// TestAMirrorInsteadOfAStreamIsRefused: nothing can be published to a mirror.
func TestAMirrorInsteadOfAStreamIsRefused(t *testing.T) {
	t.Parallel()
	s, config := remote(t, "")
	js := testkit.JetStream(t, s.ClientURL())
	for _, c := range []jetstream.StreamConfig{{Name: "ORIGIN", Subjects: []string{"origin"}}, {Name: "CALLBRIDGE_REQUESTS", Mirror: &jetstream.StreamSource{Name: "ORIGIN"}}} {
		if _, err := js.CreateStream(t.Context(), c); err != nil {
			t.Fatal(err)
		}
	}
	refused(t, config, "stream CALLBRIDGE_REQUESTS is there with subjects = ")
}

// TestRoomyLimitsAreNoDifference: what callbridge never reaches is free.
func TestRoomyLimitsAreNoDifference(t *testing.T) {
	t.Parallel()
	s, config := remote(t, "")
	requests := bus.Define(config).Streams[0]
	requests.MaxMsgSize, requests.MaxMsgs, requests.MaxBytes, requests.Description = 16<<20, -1, -1, "ours"
	if _, err := testkit.JetStream(t, s.ClientURL()).CreateStream(t.Context(), requests); err != nil {
		t.Fatal(err)
	}
	works(t, config)
}

// harmful are the headers by which the server does more than store a message.
var harmful = []map[string]string{
	{"Nats-Rollup": "all"}, {"Nats-Rollup": "sub"},
	{"Nats-Schedule": "@at 2030-01-01T00:00:00Z", "Nats-Schedule-Target": "callbridge.request.website.x.ready"},
	{"Nats-Scheduler": "callbridge.request.website.x.ready", "Nats-Schedule-Next": "purge"},
	{"Nats-TTL": "1s"}, {"Nats-Incr": "+1"}, {"Nats-Batch-Id": "x", "Nats-Batch-Sequence": "1"}, {"Nats-Stream-Source": "x"},
}

// TestNoHeaderOfAProducerReachesTheMessagesOfOthers publishes each harmful header with
// the right that producers have, to each stream to which anybody may publish.
func TestNoHeaderOfAProducerReachesTheMessagesOfOthers(t *testing.T) {
	t.Parallel()
	s, config := remote(t, "")
	b := open(t, config)
	storeRequests(t, b, 20)
	js := testkit.JetStream(t, s.ClientURL())
	subjects := []string{"callbridge.request.shop.x.ready", "callbridge.lookup.shop.x", "callbridge.ledger.x", "callbridge.result.accepted.shop.x"}
	for _, subject := range subjects {
		for _, headers := range harmful {
			m := nats.NewMsg(subject)
			for name, value := range headers {
				m.Header.Set(name, value)
			}
			if ack, err := js.PublishMsg(t.Context(), m); err == nil {
				t.Errorf("%s with %v is stored as %d", subject, headers, ack.Sequence)
			}
		}
	}
	if got := stored(t, js); got != 20 {
		t.Errorf("%d of 20 requests are stored", got)
	}
}

func TestRequestsLedgerAndResultsCannotBePurged(t *testing.T) {
	t.Parallel()
	s, config := remote(t, "")
	open(t, config)
	js := testkit.JetStream(t, s.ClientURL())
	for _, name := range []string{"CALLBRIDGE_REQUESTS", "CALLBRIDGE_LEDGER", "CALLBRIDGE_RESULTS", "CALLBRIDGE_STATE"} {
		stream, err := js.Stream(t.Context(), name)
		if err != nil {
			t.Fatal(err)
		}
		if stream.Purge(t.Context()) == nil {
			t.Errorf("%s was purged", name)
		}
	}
}

// TestTheIDOfAnotherMessageMakesNoneVanish: a service that knows the Nats-Msg-Id of
// another one must not be able to take its place for minutes.
func TestTheIDOfAnotherMessageMakesNoneVanish(t *testing.T) {
	t.Parallel()
	s, config := remote(t, "")
	open(t, config)
	js := testkit.JetStream(t, s.ClientURL())
	if _, err := js.Publish(t.Context(), "callbridge.request.shop.x.ready", nil, jetstream.WithMsgID("order-1")); err != nil {
		t.Fatal(err)
	}
	testkit.Eventually(t, "the id is free for another service", func() bool {
		ack, err := js.Publish(t.Context(), "callbridge.request.erp.y.ready", nil, jetstream.WithMsgID("order-1"))
		return err == nil && !ack.Duplicate
	})
}

func stored(t *testing.T, js jetstream.JetStream) int {
	t.Helper()
	stream, err := js.Stream(t.Context(), "CALLBRIDGE_REQUESTS")
	if err != nil {
		t.Fatal(err)
	}
	return int(stream.CachedInfo().State.Msgs)
}

// earlierStream makes an embedded store as an earlier version left it: schedules and rollups
// on, purging allowed, one request done and the others waiting.
func earlierStream(t *testing.T, config bus.Config, requests int) {
	t.Helper()
	b := open(t, config)
	storeRequests(t, b, requests)
	b.Close()
	js, stop := bustest.Store(t, config.Embedded.Dir)
	defer stop()
	withSchedules(t, js)
}

func TestTheEmbeddedStreamLosesItsSchedulesAndNothingElse(t *testing.T) {
	t.Parallel()
	config := embedded(t)
	const requests = 10
	earlierStream(t, config, requests)
	b := open(t, config)
	stream, err := jetStreamOf(t, b).Stream(t.Context(), "CALLBRIDGE_REQUESTS")
	if err != nil {
		t.Fatal(err)
	}
	if c := stream.CachedInfo().Config; c.AllowMsgSchedules || c.AllowRollup || c.Duplicates > time.Second {
		t.Errorf("the stream still has schedules or rollups: %+v", c)
	}
	consumer, err := stream.Consumer(t.Context(), "dispatch")
	if err != nil {
		t.Fatal(err)
	}
	oneDone(t, b, consumer, requests)
}
