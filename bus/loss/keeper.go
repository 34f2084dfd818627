package loss

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"callbridge/bus/stream"
	"callbridge/internal/wait"
)

// Config says what to watch and where to remember it.
type Config struct {
	JS jetstream.JetStream
	// Requests, Ledger, Results and State are the full names of the streams. State is
	// where the record is kept.
	Requests, Ledger, Results, State string
	// Forbids are the full names of the streams that forbid calls. What they have lost
	// says nothing about requests from before, but no call may be placed until that is acknowledged.
	Forbids []string
	// Subject and Acknowledged are the subjects of the record and of acknowledgements.
	Subject, Acknowledged string
	// File is where the record is kept outside NATS; empty for nowhere.
	File string
	// StoreDir is the directory of JetStream's files, if the server is embedded.
	StoreDir string
	// Alone says that no other server has the streams, so that one answer is certain.
	Alone bool
	// RestoredFrom is the time of the copy from which an operator has restored the
	// streams. Each time counts once; zero is none.
	RestoredFrom time.Time
	// Version is written into File.
	Version string
	// Flush returns when what the streams have acknowledged is on the disk.
	Flush func(context.Context) error
	Log   *slog.Logger
}

// Keeper remembers what the streams have held, and finds out what they have lost.
type Keeper struct {
	config Config
	// now is what other goroutines read.
	now atomic.Pointer[knowledge]
	// ledger is the highest sequence of the ledger that is known.
	ledger atomic.Uint64
	// doubts counts the reasons to check again.
	doubts atomic.Uint64

	// mu is held during a check, and guards the fields below.
	mu     sync.Mutex
	record Record
	file   content
	// born is when the directory of the store was made.
	born time.Time
	// copied: the directory of the store is a copy.
	copied bool
	// lowerSince is when a sequence was first found to be lower than remembered; zero
	// if none is.
	lowerSince time.Time
	// written is what the stream holds, and when we wrote it.
	written   Record
	writtenAt time.Time
}

type knowledge struct {
	record Record
	// doubts is the number of doubts that the check has answered.
	doubts uint64
}

// New reads the file. It returns an error if the file cannot be read or was written by
// a newer version.
func New(c Config) (*Keeper, error) {
	k := &Keeper{config: c, record: merge(Record{}, Record{}), file: content{Format: Format}}
	k.doubts.Store(1)
	k.now.Store(&knowledge{})
	if c.File == "" {
		return k, nil
	}
	var err error
	if k.file, err = readFile(c.File); err != nil {
		return nil, err
	}
	k.record = merge(k.record, k.file.Record)
	if c.StoreDir != "" {
		k.born = born(c.StoreDir)
		k.copied = !k.born.IsZero() && !k.file.Born.IsZero() && !k.born.Equal(k.file.Born)
	}
	return k, nil
}

// Doubt says that the streams may have changed: until the next check has passed,
// Record is not certain.
func (k *Keeper) Doubt() {
	if k != nil {
		k.doubts.Add(1)
	}
}

// Record returns what is known. If there is a doubt, it checks first; an error means
// that nothing may be dialled now.
func (k *Keeper) Record(ctx context.Context) (Record, error) {
	if n := k.now.Load(); n.doubts == k.doubts.Load() {
		return n.record, nil
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	// Another goroutine may have checked meanwhile.
	if n := k.now.Load(); n.doubts == k.doubts.Load() {
		return n.record, nil
	}
	if err := k.check(ctx, writeEvery); err != nil {
		return Record{}, err
	}
	return k.now.Load().record, nil
}

// Known returns what the last check has found.
func (k *Keeper) Known() Record { return k.now.Load().record }

// Before returns the highest sequence of the ledger that is known, to be compared with
// that of a record which is written after the call.
func (k *Keeper) Before() uint64 { return k.ledger.Load() }

// Written reports whether a new record of the ledger has a sequence above an earlier
// one. If not, the ledger was lost.
func (k *Keeper) Written(before, sequence uint64) bool {
	if sequence <= before {
		k.Doubt()
		return false
	}
	raise(&k.ledger, sequence)
	return true
}

func raise(to *atomic.Uint64, sequence uint64) {
	for old := to.Load(); sequence > old && !to.CompareAndSwap(old, sequence); old = to.Load() {
	}
}

// ErrUnconfirmed: a sequence is lower than remembered, and the server is asked again
// before that counts.
var ErrUnconfirmed = errors.New("a last sequence is lower than before")

// confirmAfter is how long a sequence must be lower than remembered in a cluster: a new
// leader may answer before it has applied all that it has.
const confirmAfter = 5 * time.Second

// Check compares the streams with what is remembered, and remembers what it finds. An
// error means that it is not known whether something is lost.
func (k *Keeper) Check(ctx context.Context) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.check(ctx, writeEvery)
}

// Finish is Check before the process ends: the next one begins with what it remembers.
func (k *Keeper) Finish(ctx context.Context) error {
	if k == nil {
		return nil
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.check(ctx, 0)
}

// Used is called after a message of a stream was read. If the stream was empty when it was
// last remembered, and would be taken for unused after its loss, it is remembered before
// Used returns. An error means that it may not be.
func (k *Keeper) Used(ctx context.Context, name string) error {
	if k == nil || k.now.Load().record.Marks[name].Last > 0 {
		return nil
	}
	return k.Finish(ctx)
}

// contendedPause is the pause before a check is repeated because of another process.
const contendedPause = 20 * time.Millisecond

// check needs mu. It writes marks that have changed after the interval. If another
// process writes the record at the same moment, both are merged by checking again.
func (k *Keeper) check(ctx context.Context, interval time.Duration) error {
	for {
		err := k.checkOnce(ctx, interval)
		if !stream.IsContended(err) {
			return err
		}
		if wait.For(ctx, contendedPause) != nil {
			return err
		}
	}
}

// checkOnce needs mu.
func (k *Keeper) checkOnce(ctx context.Context, interval time.Duration) error {
	doubts := k.doubts.Load()
	// From before the streams are asked, so that what is written meanwhile is not
	// taken for lost.
	ledger := k.ledger.Load()
	record, revision, err := k.stored(ctx)
	if err != nil {
		return err
	}
	record = k.merged(record, ledger)
	streams, err := k.ask(ctx)
	if err != nil {
		return err
	}
	if err := k.find(&record, streams); err != nil {
		return err
	}
	if err := k.config.Flush(ctx); err != nil {
		return err
	}
	k.record = record
	if err := k.keep(ctx, record, revision, interval); err != nil {
		return err
	}
	k.now.Store(&knowledge{record: record, doubts: doubts})
	return nil
}

// merged adds what this process remembers to a record of the stream. ledger is the highest
// sequence that it knows of the ledger.
func (k *Keeper) merged(stored Record, ledger uint64) Record {
	own := k.record.Marks[k.config.Ledger]
	record := merge(k.record, stored)
	switch m, known := record.Marks[k.config.Ledger]; {
	case !known:
	case own.Created.IsZero(), k.isNews(stored):
		// Another process has found that the ledger was lost: what this one knows is of
		// the ledger before.
		k.ledger.Store(m.Last)
	default:
		last := own.Last
		if m.Created.Equal(own.Created) {
			last = m.Last
		}
		record.Marks[k.config.Ledger] = Mark{Created: own.Created, Last: max(last, ledger)}
	}
	return record
}

// isNews reports whether another process has found a loss of the ledger that this one does
// not know.
func (k *Keeper) isNews(stored Record) bool {
	return stored.Acknowledged.Until.After(k.record.Acknowledged.Until) || slices.ContainsFunc(stored.Problems, func(p Problem) bool {
		return p.Stream == k.config.Ledger && !slices.Contains(k.record.Problems, p)
	})
}

// stored reads the record and the newest acknowledgement from their stream.
func (k *Keeper) stored(ctx context.Context) (record Record, revision uint64, err error) {
	state, err := k.config.JS.Stream(ctx, k.config.State)
	if err != nil {
		return Record{}, 0, fmt.Errorf("read stream %s: %w", k.config.State, err)
	}
	record, revision, err = readRecord(ctx, state, k.config.Subject)
	if err != nil {
		return Record{}, 0, err
	}
	k.written = record
	a, err := readAcknowledgement(ctx, state, k.config.Acknowledged)
	if err != nil {
		return Record{}, 0, err
	}
	// The directory of an embedded store was restored without its file.
	k.copied = k.copied || k.config.StoreDir != "" && k.config.File != "" && k.file.Marks == nil && revision != 0
	known := merge(record, k.record).Acknowledged
	if a.Until.After(known.Until) {
		k.config.Log.Warn("nats.loss_acknowledged", "by", a.By, "why", a.Why, "at", a.At, "until", a.Until)
	}
	return merge(record, Record{Acknowledged: a}), revision, nil
}

func readRecord(ctx context.Context, state jetstream.Stream, subject string) (r Record, revision uint64, err error) {
	msg, err := state.GetLastMsgForSubject(ctx, subject)
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		return Record{}, 0, nil
	}
	if err != nil {
		return Record{}, 0, fmt.Errorf("read what is remembered of the streams: %w", err)
	}
	if err := json.Unmarshal(msg.Data, &r); err != nil {
		return Record{}, 0, fmt.Errorf("message %d on %s is no record of the streams: another client of NATS has written it; look who may publish there, and delete it", msg.Sequence, subject)
	}
	return r, msg.Sequence, nil
}

func readAcknowledgement(ctx context.Context, state jetstream.Stream, subject string) (a Acknowledgement, err error) {
	msg, err := state.GetLastMsgForSubject(ctx, subject)
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		return a, nil
	}
	if err != nil {
		return a, fmt.Errorf("read the acknowledgement of a loss: %w", err)
	}
	if json.Unmarshal(msg.Data, &a) != nil {
		return Acknowledgement{}, nil // it acknowledges nothing
	}
	return a, nil
}

// watched are the streams whose loss matters.
func (k *Keeper) watched() []string {
	return append([]string{k.config.Requests, k.config.Ledger, k.config.Results}, k.config.Forbids...)
}

// dials reports whether requests that are dialled depend on a stream.
func (k *Keeper) dials(name string) bool { return name == k.config.Requests || name == k.config.Ledger }

// older reports whether the stream is that of an earlier time because an operator has told
// so, or because its directory is a copy.
func (k *Keeper) older(name string, told bool, mark Mark, now seen) bool {
	switch {
	case name == k.config.Results:
		return false
	case k.copied && mark.Last > 0:
		return true
	}
	return told && (k.dials(name) || now.Last > 0)
}

// asked is what the servers say about the streams.
type asked struct {
	streams map[string]seen
	// at is the later one of the server's clock and ours.
	at time.Time
}

func (k *Keeper) ask(ctx context.Context) (asked, error) {
	a := asked{streams: map[string]seen{}, at: time.Now().UTC().Round(0)}
	for _, name := range k.watched() {
		s, err := k.config.JS.Stream(ctx, name)
		if err != nil {
			return asked{}, fmt.Errorf("read stream %s: %w", name, err)
		}
		info := s.CachedInfo()
		now := seen{Mark: Mark{Created: info.Created, Last: info.State.LastSeq}}
		if info.State.Msgs > 0 {
			now.oldest = info.State.FirstTime
		}
		a.streams[name], a.at = now, later(a.at, info.TimeStamp)
	}
	return a, nil
}

// find adds to the record what the streams have lost, and marks them.
func (k *Keeper) find(record *Record, a asked) error {
	told := !k.config.RestoredFrom.IsZero() && !k.config.RestoredFrom.Equal(record.Told)
	kinds, lower := map[string]Kind{}, ""
	for name, now := range a.streams {
		mark := record.Marks[name]
		kind := compare(mark, now)
		if kind == intact && k.older(name, told, mark, now) {
			kind = Restored
		} else if kind == Restored && now.Created.Equal(mark.Created) {
			lower = name
		}
		kinds[name] = kind
	}
	if err := k.confirm(lower); err != nil {
		return err
	}
	for _, name := range k.watched() {
		if kind := kinds[name]; kind != intact {
			p := Problem{At: a.at, Stream: name, Kind: kind}
			record.note(p, k.dials(name), name == k.config.Ledger)
			k.config.Log.Error("nats.streams_lost", "stream", name, "kind", kind, "remembered", record.Marks[name].Last,
				"found", a.streams[name].Last, "hint", "callbridge streams acknowledge --why TEXT; docs/operations.md (\"Streams were lost\")")
			record.Marks[name] = a.streams[name].Mark
			continue
		}
		record.Marks[name] = Mark{Created: a.streams[name].Created, Last: max(a.streams[name].Last, record.Marks[name].Last)}
	}
	if kinds[k.config.Ledger] != intact {
		k.ledger.Store(0)
	}
	raise(&k.ledger, a.streams[k.config.Ledger].Last)
	if told {
		record.Told = k.config.RestoredFrom
	}
	k.copied, k.lowerSince = false, time.Time{}
	return nil
}

// confirm returns an error until the sequence of a stream of a cluster was lower than
// remembered for long enough.
func (k *Keeper) confirm(lower string) error {
	if lower == "" || k.config.Alone {
		k.lowerSince = time.Time{}
		return nil
	}
	if k.lowerSince.IsZero() {
		k.lowerSince = time.Now()
	}
	if time.Since(k.lowerSince) < confirmAfter {
		k.doubts.Add(1)
		return fmt.Errorf("stream %s: %w: asking again for %s", lower, ErrUnconfirmed, confirmAfter)
	}
	return nil
}

// writeEvery is how often the marks alone are written to their stream.
const writeEvery = 30 * time.Second

// keep writes the record to the file and to its stream, if it has changed.
func (k *Keeper) keep(ctx context.Context, record Record, revision uint64, interval time.Duration) error {
	if k.config.File != "" && (!k.file.Record.equal(record) || !k.file.Born.Equal(k.born) || k.file.Version != k.config.Version) {
		next := content{Format: Format, Version: k.config.Version, Born: k.born, Record: record}
		if err := next.write(k.config.File); err != nil {
			return err
		}
		k.file = next
	}
	if record.sameState(k.written) && revision != 0 && (record.equal(k.written) || time.Since(k.writtenAt) < interval) {
		return nil
	}
	data, err := json.Marshal(record)
	if err != nil {
		return err
	}
	_, err = k.config.JS.Publish(ctx, k.config.Subject, data, jetstream.WithExpectLastSequencePerSubject(revision))
	if err != nil {
		k.doubts.Add(1)
		return fmt.Errorf("write what is remembered of the streams: %w", err)
	}
	k.writtenAt = time.Now()
	return nil
}
