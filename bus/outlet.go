package bus

import (
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
)

// outlet is a connection to write on, and the acknowledgements of what was
// written there.
type outlet struct {
	conn *nats.Conn
	acks *acks
}

func (b *Bus) newOutlet(conn *nats.Conn) (o outlet, err error) {
	o.conn = conn
	if o.acks, err = listenForAcks(conn); err != nil {
		return o, fmt.Errorf("listen for acknowledgements: %w", err)
	}
	conn.SetDisconnectErrHandler(func(_ *nats.Conn, err error) {
		o.acks.disconnected()
		if err != nil {
			b.config.Log.Warn("nats.disconnected", "error", err)
		}
	})
	return o, nil
}

// openOutlets gives requests and results a connection of their own where NATS is
// embedded. nats-server reads each connection into a buffer that it makes anew
// whenever what comes gets larger, and again when it gets smaller (server/client.go,
// readLoop): with records of the ledger on the same connection, it does both for
// every call, and that is more garbage than the call itself makes here. The
// memory of another machine is not ours to spare, and a connection there is not
// for nothing.
func (b *Bus) openOutlets(options []nats.Option) (err error) {
	if b.small, err = b.newOutlet(b.conn); err != nil {
		return err
	}
	b.large = b.small
	if !b.Embedded() {
		return nil
	}
	conn, err := b.connectEmbedded(options)
	if err != nil {
		return err
	}
	b.large, err = b.newOutlet(conn)
	return err
}

// connected reports whether all can be written: webhooks are not taken while their
// calls cannot be claimed.
func (b *Bus) connected() bool { return b.conn.IsConnected() && b.large.conn.IsConnected() }

// close lets what was written leave before the connection ends.
func (o outlet) close() {
	if o.conn == nil {
		return
	}
	_ = o.conn.FlushTimeout(2 * time.Second)
	o.conn.Close()
}
