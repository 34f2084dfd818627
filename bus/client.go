package bus

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"callbridge/bus/archive"
	"callbridge/bus/connect"
	"callbridge/bus/result"
	"callbridge/bus/role"
	"callbridge/bus/stream"
	"callbridge/event"
)

// client connects to config.URL as any service could, for one command that needs the
// permissions of a role, and calls fn. It makes no streams. The error is
// ErrUnreachable if no server answers there.
func client(ctx context.Context, config Config, name, needs string, fn func(context.Context, jetstream.JetStream) error) error {
	ctx, refuse := context.WithCancelCause(ctx)
	defer refuse(nil)
	conn, err := connect.Remote(config.remote(), nats.Name(name), nats.Timeout(5*time.Second),
		nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) {
			// An ordered consumer that may not be deleted ends by itself after minutes.
			if errors.Is(err, nats.ErrPermissionViolation) && !strings.Contains(err.Error(), "$JS.API.CONSUMER.DELETE.") {
				refuse(fmt.Errorf("%w; this command needs the role %s of docs/deploy.md", connect.PermissionError(err), needs))
			}
		}))
	if err != nil {
		return err
	}
	defer conn.Close()
	js, err := jetStream(conn, config)
	if err != nil {
		return err
	}
	err = fn(ctx, js)
	if cause := context.Cause(ctx); err != nil && cause != nil && cause != ctx.Err() {
		return cause
	}
	return err
}

// jetStream uses the domain of the configuration, which only a remote server has.
func jetStream(conn *nats.Conn, config Config) (jetstream.JetStream, error) {
	if config.URL != "" && config.Domain != "" {
		return jetstream.NewWithDomain(conn, config.Domain)
	}
	return jetstream.New(conn)
}

// ApplyStreams compares the streams and consumers of a remote server with the
// definitions, calls say with each step, and takes it unless dry. It changes nothing if
// a step cannot be taken, and stops at the first one that fails.
func ApplyStreams(ctx context.Context, config Config, dry bool, say func(stream.Step) error) error {
	return client(ctx, config, "callbridge streams", role.Administrator, func(ctx context.Context, js jetstream.JetStream) error {
		steps, err := config.settings().Plan(ctx, js)
		if err != nil {
			return err
		}
		for _, step := range steps {
			if err := say(step); err != nil {
				return err
			}
			if dry {
				continue
			}
			if err := step.Apply(ctx, js); err != nil {
				return fmt.Errorf("%w; the steps before it are done", err)
			}
		}
		return nil
	})
}

// ReadArchive connects for a command that reads what is stored, and calls fn. It connects
// to config.URL, or to the embedded server of a process on this machine, and has the
// permissions of a role. The error is ErrUnreachable if no server answers there.
func ReadArchive(ctx context.Context, config Config, name, as string, fn func(context.Context, archive.Archive) error) error {
	config, err := config.localAs(as)
	if err != nil {
		return err
	}
	return client(ctx, config, name, as, func(ctx context.Context, js jetstream.JetStream) error {
		return fn(ctx, archive.New(js, config.settings()))
	})
}

// ResultQuery selects the results that ReadResults reads.
type ResultQuery struct {
	// Since is the time of the oldest result.
	Since time.Time
	// Outcome and Source select by exact value; empty selects all.
	Outcome, Source string
	// Follow also waits for new results, until ctx ends.
	Follow bool
}

// ReadResults calls fn with each stored result, oldest first, and stops at its
// error. It connects to config.URL as any service could, or to the embedded server of a
// process on this machine, and needs only the permission to read the stream of results.
// The error is ErrUnreachable if no server answers there.
func ReadResults(ctx context.Context, config Config, q ResultQuery, fn func(event.Result) error) error {
	config, err := config.localAs(role.Reader)
	if err != nil {
		return err
	}
	return client(ctx, config, "callbridge results", role.Reader, func(ctx context.Context, js jetstream.JetStream) error {
		name := config.settings().Name(stream.Results)
		consumer, err := js.OrderedConsumer(ctx, name, jetstream.OrderedConsumerConfig{
			FilterSubjects: result.Filters(config.Prefix, q.Outcome, q.Source),
			DeliverPolicy:  jetstream.DeliverByStartTimePolicy, OptStartTime: &q.Since,
		})
		if err != nil {
			return fmt.Errorf("read stream %s: %w", name, err)
		}
		return result.Each(ctx, consumer, q.Follow, fn)
	})
}
