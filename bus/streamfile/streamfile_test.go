package streamfile

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

const name = "CALLBRIDGE_REQUESTS"

func streamDir(store string) string {
	return filepath.Join(store, "jetstream", "$G", "streams", name)
}

// run starts a server on a store until stop is called.
func run(t *testing.T, store string) (js jetstream.JetStream, stop func()) {
	t.Helper()
	s, err := server.NewServer(&server.Options{JetStream: true, StoreDir: store, DontListen: true, NoSigs: true, NoLog: true})
	if err != nil {
		t.Fatal(err)
	}
	s.Start()
	if !s.ReadyForConnections(10 * time.Second) {
		t.Fatal("NATS was not ready")
	}
	conn, err := nats.Connect("", nats.InProcessServer(s))
	if err != nil {
		t.Fatal(err)
	}
	if js, err = jetstream.New(conn); err != nil {
		t.Fatal(err)
	}
	return js, func() { conn.Close(); s.Shutdown(); s.WaitForShutdown() }
}

// earlier makes a store as an earlier version did: ten messages, of which a consumer
// has acknowledged four, and one message that has a schedule.
func earlier(t *testing.T) (store string) {
	t.Helper()
	store = t.TempDir()
	js, stop := run(t, store)
	defer stop()
	_, err := js.CreateStream(t.Context(), jetstream.StreamConfig{
		Name: name, Subjects: []string{"callbridge.request.>"}, MaxAge: 168 * time.Hour, AllowMsgSchedules: true, AllowRollup: true,
	})
	if err != nil {
		t.Fatal(err)
	}
	for i := range 10 {
		if _, err := js.Publish(t.Context(), fmt.Sprintf("callbridge.request.website.%d.ready", i), []byte("call"), jetstream.WithExpectLastSequencePerSubject(0)); err != nil {
			t.Fatal(err)
		}
	}
	consumer, err := js.CreateConsumer(t.Context(), name, jetstream.ConsumerConfig{Durable: "dispatch", AckPolicy: jetstream.AckExplicitPolicy, FilterSubject: "callbridge.request.*.*.ready"})
	if err != nil {
		t.Fatal(err)
	}
	batch, err := consumer.Fetch(4)
	if err != nil {
		t.Fatal(err)
	}
	for m := range batch.Messages() {
		if err := m.DoubleAck(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	scheduled := nats.NewMsg("callbridge.request.shop.wait.plan")
	scheduled.Header.Set("Nats-Schedule", "@at "+time.Now().Add(2*time.Second).UTC().Format(time.RFC3339))
	scheduled.Header.Set("Nats-Schedule-Target", "callbridge.request.website.0.ready")
	if _, err := js.PublishMsg(t.Context(), scheduled); err != nil {
		t.Fatal(err)
	}
	return store
}

// checkKept expects the stream of earlier with schedules and rollups off, and nothing
// else changed.
func checkKept(t *testing.T, store string) {
	t.Helper()
	js, stop := run(t, store)
	defer stop()
	stream, err := js.Stream(t.Context(), name)
	if err != nil {
		t.Fatalf("the stream is gone: %v", err)
	}
	info := stream.CachedInfo()
	if c := info.Config; c.AllowMsgSchedules || c.AllowRollup || c.MaxAge != 168*time.Hour {
		t.Errorf("settings are %+v", c)
	}
	if info.State.Msgs != 11 || info.State.FirstSeq != 1 || info.State.LastSeq != 11 {
		t.Errorf("messages are %+v", info.State)
	}
	consumer, err := stream.Consumer(t.Context(), "dispatch")
	if err != nil {
		t.Fatalf("the consumer is gone: %v", err)
	}
	if c := consumer.CachedInfo(); c.AckFloor.Stream != 4 || c.NumPending != 6 {
		t.Errorf("4 of 10 messages were acknowledged, and now the floor is %d and %d wait", c.AckFloor.Stream, c.NumPending)
	}
	if _, err := js.Publish(t.Context(), "callbridge.request.website.0.ready", nil, jetstream.WithExpectLastSequencePerSubject(0)); err == nil {
		t.Error("a request that is stored was accepted again")
	}
	wipe := nats.NewMsg("callbridge.request.shop.x.ready")
	wipe.Header.Set("Nats-Rollup", "all")
	if _, err := js.PublishMsg(t.Context(), wipe); err == nil {
		t.Error("a rollup is accepted")
	}
}

func TestSwitchOffKeepsEverythingElse(t *testing.T) {
	t.Parallel()
	store := earlier(t)
	if changed, err := SwitchOff(streamDir(store), "allow_msg_schedules", "allow_rollup_hdrs"); err != nil || !changed {
		t.Fatalf("changed: %t, %v", changed, err)
	}
	checkKept(t, store)
	if changed, err := SwitchOff(streamDir(store), "allow_msg_schedules", "allow_rollup_hdrs"); err != nil || changed {
		t.Errorf("the second time: changed: %t, %v", changed, err)
	}
}

// TestAnInterruptedChangeIsCompleted stops after each step, as a crash does, and starts
// again.
func TestAnInterruptedChangeIsCompleted(t *testing.T) {
	t.Parallel()
	store := earlier(t)
	copies := map[string]string{}
	f := files{dir: streamDir(store), hook: func(step string) {
		copies[step] = t.TempDir()
		if err := os.CopyFS(copies[step], os.DirFS(store)); err != nil {
			t.Error(err)
		}
	}}
	if _, err := f.switchOff([]string{"allow_msg_schedules", "allow_rollup_hdrs"}); err != nil {
		t.Fatal(err)
	}
	if len(copies) != 4 {
		t.Fatalf("%d steps, want 4", len(copies))
	}
	for step, store := range copies {
		t.Run(step, func(t *testing.T) {
			if _, err := SwitchOff(streamDir(store), "allow_msg_schedules", "allow_rollup_hdrs"); err != nil {
				t.Fatal(err)
			}
			checkKept(t, store)
		})
	}
}

func TestDamagedSettingsAreRefused(t *testing.T) {
	t.Parallel()
	store := earlier(t)
	file := filepath.Join(streamDir(store), "meta.inf")
	content, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, append(content, ' '), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := SwitchOff(streamDir(store), "allow_msg_schedules"); err == nil || !strings.Contains(err.Error(), "is damaged") {
		t.Errorf("error %v", err)
	}
}

func TestAStreamThatDoesNotExistIsNoError(t *testing.T) {
	t.Parallel()
	if changed, err := SwitchOff(filepath.Join(t.TempDir(), name), "allow_msg_schedules"); err != nil || changed {
		t.Errorf("changed: %t, %v", changed, err)
	}
}
