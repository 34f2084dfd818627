package bus_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go/jetstream"

	"callbridge/bus"
	"callbridge/bus/bustest"
	"callbridge/bus/control"
	"callbridge/bus/dnc"
	"callbridge/bus/loss"
	"callbridge/internal/testkit"
)

// reconciling has a bus check its streams, as serve does.
func reconciling(t *testing.T, b *bus.Bus) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() { defer close(ended); b.ReconcileStreams(ctx) }()
	t.Cleanup(func() { cancel(); <-ended })
}

// used stores requests and one ledger record.
func used(t *testing.T, b *bus.Bus) {
	t.Helper()
	storeRequests(t, b, 3)
	if _, err := b.Ledger().Put(t.Context(), request("lead-0").ID, []byte("{}"), 0); err != nil {
		t.Fatal(err)
	}
}

// TestProcessesThatStartAtOnceShareTheRecord: each writes what it remembers of the streams,
// and meets the record of another one.
func TestProcessesThatStartAtOnceShareTheRecord(t *testing.T) {
	t.Parallel()
	_, config := remote(t, "")
	for range 5 {
		for _, ended := range openAll(t, config, 8) {
			if err := testkit.Next(t, ended); err != nil {
				t.Errorf("open: %v", err)
			}
		}
	}
}

// TestAStreamThatWasReadOnceIsMissed: a stream that forbids calls stays empty until it is
// used. A process remembers a first message at its first read, because another process may
// have written it, so that a later loss is found.
func TestAStreamThatWasReadOnceIsMissed(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		write func(*bus.Bus, bus.Config) error
		read  func(*bus.Bus) (bool, error)
	}{
		"CONTROL": {
			func(_ *bus.Bus, config bus.Config) error {
				_, err := bus.Stop(t.Context(), config, everything())
				return err
			},
			func(b *bus.Bus) (bool, error) {
				stops, err := b.Stopped(t.Context(), control.Scope{})
				return len(stops) > 0, err
			},
		},
		"DNC": {
			// As a process does that is killed before it remembers the stream.
			func(b *bus.Bus, _ bus.Config) error {
				js, key := jetStreamOf(t, b), b.DNC().Key
				_, err := js.Publish(t.Context(), "callbridge.dnc.key", []byte(key.Check()))
				if err == nil {
					_, err = js.Publish(t.Context(), "callbridge.dnc.person."+key.Person(person), []byte(`{"format":1,"entries":[{}]}`))
				}
				return err
			},
			func(b *bus.Bus) (bool, error) {
				_, is, err := b.DoNotCall(t.Context(), person, dnc.Scope{})
				return is, err
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, config := remote(t, "")
			config = withKey(t, config, "a")
			b := open(t, config)
			if err := c.write(b, config); err != nil {
				t.Fatal(err)
			}
			testkit.Eventually(t, "the message is read", func() bool { is, err := c.read(b); return is && err == nil })
			deleteStreams(t, jetStreamOf(t, b), name)
			reconciling(t, b)
			testkit.Eventually(t, "the loss is shown", func() bool { return b.Intact(t.Context()) != nil })
			if _, err := c.read(b); err == nil || !strings.Contains(err.Error(), "CALLBRIDGE_"+name+" was lost") {
				t.Errorf("with the stream lost: %v", err)
			}
		})
	}
}

func deleteStreams(t *testing.T, js jetstream.JetStream, names ...string) {
	t.Helper()
	for _, name := range names {
		if err := js.DeleteStream(t.Context(), "CALLBRIDGE_"+name); err != nil {
			t.Fatal(err)
		}
	}
}

// TestALossIsAStateUntilItIsAcknowledged: it survives a restart, and another loss is
// not acknowledged with it.
func TestALossIsAStateUntilItIsAcknowledged(t *testing.T) {
	t.Parallel()
	config := embedded(t)
	b := open(t, config)
	reconciling(t, b)
	used(t, b)
	if err := b.Intact(t.Context()); err != nil {
		t.Fatalf("before the loss: %v", err)
	}
	deleteStreams(t, jetStreamOf(t, b), "LEDGER")
	testkit.Eventually(t, "the loss is shown", func() bool { return b.Intact(t.Context()) != nil })
	if text := b.Degraded(); !strings.Contains(text, "CALLBRIDGE_LEDGER") || strings.Contains(text, "REQUESTS") {
		t.Errorf("shown as %q", text)
	}
	b.Close()

	b = open(t, config)
	reconciling(t, b)
	if b.Intact(t.Context()) == nil {
		t.Error("the loss is forgotten after a restart")
	}
	remote := config
	remote.URL = b.UserURL("operator")
	if problems, err := bus.AcknowledgeLoss(t.Context(), remote, "ada@example", "the disk was replaced"); err != nil || len(problems) != 1 {
		t.Fatalf("acknowledge: %v, %v", problems, err)
	}
	testkit.Eventually(t, "the loss is acknowledged", func() bool { return b.Intact(t.Context()) == nil })
	if _, err := bus.AcknowledgeLoss(t.Context(), remote, "ada@example", "again"); err == nil {
		t.Error("acknowledged twice")
	}
	b.Close()

	b = open(t, config)
	reconciling(t, b)
	if err := b.Intact(t.Context()); err != nil {
		t.Errorf("degraded again after a restart: %v", err)
	}
	record, err := b.Losses(t.Context())
	if err != nil || record.Treat(record.Lost.Add(-time.Second), time.Time{}) != loss.Hold {
		t.Errorf("requests from before the loss are dialled: %v", err)
	}
	deleteStreams(t, jetStreamOf(t, b), "REQUESTS")
	testkit.Eventually(t, "another loss is shown", func() bool { return b.Intact(t.Context()) != nil })
}

// TestALossIsFoundOnceByTwoProcesses, whether or not the one that meets it first knows that
// there were records: what the other has written to the lost ledger says nothing about the
// new one.
func TestALossIsFoundOnceByTwoProcesses(t *testing.T) {
	t.Parallel()
	for _, firstKnows := range []bool{true, false} {
		t.Run(fmt.Sprint("the first knows the records: ", firstKnows), func(t *testing.T) {
			t.Parallel()
			s, config := remote(t, "")
			first, second := open(t, config), open(t, config)
			for i := range 20 {
				if _, err := second.Ledger().Put(t.Context(), request(fmt.Sprint("lead-", i)).ID, []byte("{}"), 0); err != nil {
					t.Fatal(err)
				}
			}
			if firstKnows {
				declare(t, first)
			}
			deleteStreams(t, testkit.JetStream(t, s.ClientURL()), "LEDGER")
			declare(t, first)
			for range 2 {
				declare(t, second)
				if record, err := second.Losses(t.Context()); err != nil || len(record.Problems) != 1 || record.Problems[0].Kind != loss.Lost {
					t.Fatalf("found %+v, %v", record.Problems, err)
				}
			}
			if _, err := second.Ledger().Put(t.Context(), request("after").ID, []byte("{}"), 0); err != nil {
				t.Errorf("a record after the loss: %v", err)
			}
		})
	}
}

// declare makes what is missing, and checks what was lost.
func declare(t *testing.T, b *bus.Bus) {
	t.Helper()
	if err := b.Declare(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// TestAServerThatLosesEverythingIsNoticed: the memory of the process is all that is left.
func TestAServerThatLosesEverythingIsNoticed(t *testing.T) {
	t.Parallel()
	s, config := remote(t, "")
	b := open(t, config)
	reconciling(t, b)
	used(t, b)
	deleteStreams(t, testkit.JetStream(t, s.ClientURL()), "REQUESTS", "LEDGER", "RESULTS", "LIMITS", "STATE")
	testkit.Eventually(t, "the loss is shown", func() bool { return b.Intact(t.Context()) != nil })
	other := open(t, config)
	if other.Intact(t.Context()) == nil {
		t.Error("another process does not learn of it")
	}
}

// TestAFileShowsThatAServerHasLostEverything while no process ran.
func TestAFileShowsThatAServerHasLostEverything(t *testing.T) {
	t.Parallel()
	s, config := remote(t, "")
	config.Memory.File = filepath.Join(t.TempDir(), "epoch")
	b := open(t, config)
	used(t, b)
	b.Close()
	deleteStreams(t, testkit.JetStream(t, s.ClientURL()), "REQUESTS", "LEDGER", "RESULTS", "LIMITS", "STATE")
	if open(t, config).Intact(t.Context()) == nil {
		t.Error("not noticed")
	}
}

// TestAKilledServerOfAClusterIsNoLoss stops the leader of the ledger under a bus.
func TestAKilledServerOfAClusterIsNoLoss(t *testing.T) {
	t.Parallel()
	log := &testkit.Log{}
	all := members(t)
	var servers []*server.Server
	for _, o := range all {
		servers = append(servers, bustest.Server(t, o))
	}
	config := clustered(t, all)
	config.Log = log.Logger()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	b := open(t, config)
	reconciling(t, b)
	written := 0
	write := func() bool {
		_, err := b.Ledger().Put(ctx, request(fmt.Sprint("lead-", written)).ID, []byte("{}"), 0)
		written++
		return err == nil
	}
	testkit.Eventually(t, "the cluster has stored 20 records", func() bool { write(); return written > 20 })
	leader := ledgerLeader(ctx, t, b, servers)
	leader.Shutdown()
	leader.WaitForShutdown()
	testkit.Eventually(t, "the cluster stores records again", write)
	testkit.Eventually(t, "the streams are ready and known", func() bool {
		_, err := b.Losses(ctx)
		return err == nil && b.Ready(ctx) == nil
	})
	if err := b.Intact(ctx); err != nil || strings.Contains(log.String(), "nats.streams_lost") {
		t.Errorf("a killed server counts as a loss: %v\n%s", err, log)
	}
}

func ledgerLeader(ctx context.Context, t *testing.T, b *bus.Bus, servers []*server.Server) (leader *server.Server) {
	t.Helper()
	testkit.Eventually(t, "the ledger has a leader", func() bool {
		ledger, err := jetStreamOf(t, b).Stream(ctx, "CALLBRIDGE_LEDGER")
		if err != nil || ledger.CachedInfo().Cluster == nil {
			return false
		}
		for _, s := range servers {
			if s.Name() == ledger.CachedInfo().Cluster.Leader {
				leader = s
			}
		}
		return leader != nil
	})
	return leader
}

// TestAClaimInANewLedgerIsNotUsed writes into a ledger that was deleted and made again
// before the bus has noticed.
func TestAClaimInANewLedgerIsNotUsed(t *testing.T) {
	t.Parallel()
	b := open(t, embedded(t))
	used(t, b)
	js := jetStreamOf(t, b)
	ledger := stream(t, b, "CALLBRIDGE_LEDGER").CachedInfo().Config
	deleteStreams(t, js, "LEDGER")
	if _, err := js.CreateStream(t.Context(), ledger); err != nil {
		t.Fatal(err)
	}
	_, err := b.Ledger().Put(t.Context(), request("lead-0").ID, []byte("{}"), 0)
	if err == nil || !strings.Contains(err.Error(), bus.ErrLost.Error()) {
		t.Errorf("a claim in the new ledger: %v, want %v", err, bus.ErrLost)
	}
	if record, err := b.Losses(t.Context()); err != nil || record.Lost.IsZero() {
		t.Errorf("the loss is not known after it: %+v, %v", record, err)
	}
}

// TestAStoreOfANewerFormatIsRefused, and is not touched.
func TestAStoreOfANewerFormatIsRefused(t *testing.T) {
	t.Parallel()
	for content, want := range map[string]string{
		`{"format":99,"version":"9.9.9"}`: "has format 99, written by callbridge 9.9.9",
		`{"format":`:                      "--restored-from",
		``:                                "--restored-from",
	} {
		config := embedded(t)
		file := filepath.Join(config.Embedded.Dir, loss.FileName)
		if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		refused(t, config, want)
		if _, err := os.Stat(filepath.Join(config.Embedded.Dir, "jetstream")); !os.IsNotExist(err) {
			t.Errorf("%q: the store was opened: %v", content, err)
		}
	}
}

// TestTheLedgerOfAnEarlierVersionLosesItsLimit, and no record.
func TestTheLedgerOfAnEarlierVersionLosesItsLimit(t *testing.T) {
	t.Parallel()
	config := embedded(t)
	b := open(t, config)
	used(t, b)
	b.Close()
	js, stop := bustest.Store(t, config.Embedded.Dir)
	limited(t, js)
	stop()
	// An earlier version writes no file.
	if err := os.Remove(filepath.Join(config.Embedded.Dir, loss.FileName)); err != nil {
		t.Fatal(err)
	}
	b = open(t, config)
	if got := stream(t, b, "CALLBRIDGE_LEDGER").CachedInfo().Config.MaxMsgsPerSubject; got < 1<<20 {
		t.Errorf("a subject keeps %d messages", got)
	}
	if e, err := b.Ledger().Get(t.Context(), request("lead-0").ID); err != nil || e.Revision == 0 {
		t.Errorf("the record is gone: %v", err)
	}
}

// limited gives the ledger the limit of an earlier version.
func limited(t *testing.T, js jetstream.JetStream) {
	t.Helper()
	ledger, err := js.Stream(t.Context(), "CALLBRIDGE_LEDGER")
	if err != nil {
		t.Fatal(err)
	}
	c := ledger.CachedInfo().Config
	c.MaxMsgsPerSubject = 16
	if _, err := js.UpdateStream(t.Context(), c); err != nil {
		t.Fatal(err)
	}
}

// TestAnExternalLedgerOfAnEarlierVersionIsUsed, with a warning.
func TestAnExternalLedgerOfAnEarlierVersionIsUsed(t *testing.T) {
	t.Parallel()
	s, config := remote(t, "")
	open(t, config).Close()
	limited(t, testkit.JetStream(t, s.ClientURL()))
	log := &testkit.Log{}
	config.Log = log.Logger()
	b := open(t, config)
	if err := b.Ready(t.Context()); err != nil {
		t.Error(err)
	}
	if !strings.Contains(log.String(), "nats.ledger_limited") {
		t.Errorf("no warning: %s", log)
	}
}

// TestReadyNamesWhatHoldsCallsBack changes streams and consumers while a bus runs.
func TestReadyNamesWhatHoldsCallsBack(t *testing.T) {
	t.Parallel()
	update := func(name string, change func(*jetstream.StreamConfig)) func(*testing.T, jetstream.JetStream) {
		return func(t *testing.T, js jetstream.JetStream) {
			s, err := js.Stream(t.Context(), name)
			if err != nil {
				t.Fatal(err)
			}
			c := s.CachedInfo().Config
			change(&c)
			if _, err := js.UpdateStream(t.Context(), c); err != nil {
				t.Fatal(err)
			}
		}
	}
	for want, change := range map[string]func(*testing.T, jetstream.JetStream){
		"CALLBRIDGE_LEDGER is there with max_age":   update("CALLBRIDGE_LEDGER", func(c *jetstream.StreamConfig) { c.Sealed = true }),
		"CALLBRIDGE_LEDGER is there with max_bytes": update("CALLBRIDGE_LEDGER", func(c *jetstream.StreamConfig) { c.MaxBytes = 1 << 20 }),
		"CALLBRIDGE_RESULTS is there with max_msgs": update("CALLBRIDGE_RESULTS", func(c *jetstream.StreamConfig) { c.MaxMsgs = 10 }),
		"CALLBRIDGE_STATE is there with max_msgs":   update("CALLBRIDGE_STATE", func(c *jetstream.StreamConfig) { c.MaxMsgs = 10 }),
		"consumer lookup is there with filter_subject": func(t *testing.T, js jetstream.JetStream) {
			c, err := js.Consumer(t.Context(), "CALLBRIDGE_REQUESTS", "lookup")
			if err != nil {
				t.Fatal(err)
			}
			other := c.CachedInfo().Config
			other.FilterSubject = "callbridge.lookup.none.*"
			if _, err := js.UpdateConsumer(t.Context(), "CALLBRIDGE_REQUESTS", other); err != nil {
				t.Fatal(err)
			}
		},
	} {
		t.Run(want, func(t *testing.T) {
			t.Parallel()
			s, config := remote(t, "")
			b := open(t, config)
			if err := b.Ready(t.Context()); err != nil {
				t.Fatal(err)
			}
			change(t, testkit.JetStream(t, s.ClientURL()))
			if err := b.Ready(t.Context()); err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("ready: %v", err)
			}
		})
	}
}

// TestAPauseIsNotUndone: it is the decision of a person.
func TestAPauseIsNotUndone(t *testing.T) {
	t.Parallel()
	s, config := remote(t, "")
	b := open(t, config)
	js := testkit.JetStream(t, s.ClientURL())
	if _, err := js.PauseConsumer(t.Context(), "CALLBRIDGE_REQUESTS", "dispatch", time.Now().Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	if err := b.Declare(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := b.Paused(t.Context()); err == nil || !strings.Contains(err.Error(), "consumer dispatch is paused for 59m") && !strings.Contains(err.Error(), "paused for 1h") {
		t.Errorf("the pause: %v", err)
	}
	if err := b.Ready(t.Context()); err != nil {
		t.Errorf("a pause stops webhooks: %v", err)
	}
}

// TestARestoreOfOneExternalStreamIsNoticedAtTheStart restores the ledger of an earlier
// moment while no process runs. A lower sequence counts only after it is confirmed.
func TestARestoreOfOneExternalStreamIsNoticedAtTheStart(t *testing.T) {
	t.Parallel()
	s, config := remote(t, "")
	conn := testkit.Connect(t, s.ClientURL())
	b := open(t, config)
	used(t, b)
	ledger := stream(t, b, "CALLBRIDGE_LEDGER").CachedInfo().Config
	state, chunks := backup(t, conn, "CALLBRIDGE_LEDGER")
	for i := range 3 {
		if _, err := b.Ledger().Put(t.Context(), request(fmt.Sprint("later-", i)).ID, []byte("{}"), 0); err != nil {
			t.Fatal(err)
		}
	}
	b.Close()
	deleteStreams(t, testkit.JetStream(t, s.ClientURL()), "LEDGER")
	restore(t, conn, ledger, state, chunks)
	b = open(t, config)
	record, err := b.Losses(t.Context())
	if err != nil || record.Ledger.IsZero() || b.Intact(t.Context()) == nil {
		t.Errorf("not noticed: %+v, %v", record, err)
	}
}
