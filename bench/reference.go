package main

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// The reference points do the minimum of any such service in Go: receive a webhook
// with Gin, check its HMAC, and store its bytes with one JetStream publish in the
// same process. Each is a process that this program starts as
// "bench MODE ADDR NATS DIR SYNC".

// modes maps the first argument to the other programs that this binary can be.
var modes = map[string]func(arguments []string) error{
	"gin":     func(a []string) error { return serveWebhooks(a[0], func(*gin.Context, []byte) error { return nil }) },
	"publish": func(a []string) error { return storeWebhooks(a[0], a[1], a[2], a[3], publishEach) },
	"packed":  func(a []string) error { return storeWebhooks(a[0], a[1], a[2], a[3], publishBatched) },
	"nats":    func(a []string) error { return natsMain(a[0], a[1], a[2]) },
}

// reference is the system that runs this program in one of its modes.
func reference(mode, name string) system {
	return system{name: name, start: func(ctx context.Context, j job, r *running) (err error) {
		var nats string
		if err := freeAddresses(&r.address, &nats); err != nil {
			return err
		}
		if mode != "gin" {
			r.nats, r.requests = "nats://"+nats, "WEBHOOKS"
		}
		r.intake, err = launchSelf(ctx, j.dir, mode, r.address, nats, filepath.Join(j.dir, "store"), j.sync)
		return err
	}}
}

// launchSelf starts this program in a mode. It listens at its first argument.
func launchSelf(ctx context.Context, dir, mode string, arguments ...string) (*child, error) {
	own, err := os.Executable()
	if err != nil {
		return nil, err
	}
	c, err := launch(dir, mode, own, nil, append([]string{mode}, arguments...)...)
	if err != nil {
		return nil, err
	}
	return c, c.waitReady(ctx, "tcp://"+arguments[0])
}

// storeFunc stores one webhook. It is called concurrently.
type storeFunc func(c *gin.Context, body []byte) error

// storeWebhooks receives webhooks and stores them in an embedded NATS server.
func storeWebhooks(address, natsAddress, dir, sync string, by func(jetstream.JetStream) storeFunc) error {
	ns, err := startServer(natsAddress, dir, sync)
	if err != nil {
		return err
	}
	conn, err := nats.Connect("", nats.InProcessServer(ns))
	if err != nil {
		return err
	}
	js, err := jetstream.New(conn)
	if err != nil {
		return err
	}
	if _, err := js.CreateOrUpdateStream(context.Background(), jetstream.StreamConfig{Name: "WEBHOOKS", Subjects: []string{"webhook.*"}}); err != nil {
		return err
	}
	return serveWebhooks(address, by(js))
}

// publishEach stores each webhook as one message.
func publishEach(js jetstream.JetStream) storeFunc {
	return func(c *gin.Context, body []byte) error {
		_, err := js.Publish(c.Request.Context(), "webhook."+strings.TrimPrefix(c.GetHeader("X-Signature"), "sha256="), body)
		return err
	}
}

// natsMain runs a NATS server with JetStream for systems that need one.
func natsMain(address, dir, sync string) error {
	ns, err := startServer(address, dir, sync)
	if err != nil {
		return err
	}
	ns.WaitForShutdown()
	return nil
}

func startServer(address, dir, sync string) (*server.Server, error) {
	listen, err := net.ResolveTCPAddr("tcp", address)
	if err != nil {
		return nil, err
	}
	ns, err := server.NewServer(&server.Options{
		Host: listen.IP.String(), Port: listen.Port, NoSigs: true,
		JetStream: true, StoreDir: dir, SyncAlways: sync == syncAlways,
	})
	if err != nil {
		return nil, err
	}
	ns.Start()
	if !ns.ReadyForConnections(startTimeout) {
		return nil, fmt.Errorf("NATS was not ready within %s", startTimeout)
	}
	return ns, nil
}

// serveWebhooks answers 202 to webhooks that are correctly signed and stored.
func serveWebhooks(address string, store storeFunc) error {
	gin.SetMode(gin.ReleaseMode)
	engine := gin.New()
	engine.POST("/webhooks/:source", func(c *gin.Context) {
		body, err := io.ReadAll(http.MaxBytesReader(c.Writer, c.Request.Body, 1<<20))
		switch {
		case err != nil:
			c.Status(http.StatusBadRequest)
		case !signed(c.GetHeader("X-Signature"), body):
			c.Status(http.StatusUnauthorized)
		case store(c, body) != nil:
			c.Status(http.StatusServiceUnavailable)
		default:
			c.JSON(http.StatusAccepted, gin.H{"status": "requested"})
		}
	})
	server := &http.Server{Addr: address, Handler: engine, ReadHeaderTimeout: 5 * time.Second}
	return server.ListenAndServe()
}

func signed(header string, body []byte) bool {
	given, err := hex.DecodeString(strings.TrimPrefix(header, "sha256="))
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write(body)
	return err == nil && hmac.Equal(given, mac.Sum(nil))
}

// pendingWrite is a webhook that waits to be stored.
type pendingWrite struct {
	body []byte
	done chan error
}

// maxBatchBytes bounds the size of one message; NATS accepts 1 MiB.
const maxBatchBytes = 512 << 10

// publishBatched stores all webhooks that arrive during one publish in the next
// message, and answers each after its acknowledgement. The server cannot detect
// duplicates in such messages, so no real system could do this; it shows how much
// a shared flush would gain.
func publishBatched(js jetstream.JetStream) storeFunc {
	queue := make(chan pendingWrite, 4096)
	go func() {
		for first := range queue {
			batch := []pendingWrite{first}
			for size := len(first.body); len(queue) > 0 && size < maxBatchBytes; size += len(batch[len(batch)-1].body) {
				batch = append(batch, <-queue)
			}
			bodies := make([][]byte, len(batch))
			for i, w := range batch {
				bodies[i] = w.body
			}
			_, err := js.Publish(context.Background(), "webhook.packed", bytes.Join(bodies, []byte("\n")))
			for _, w := range batch {
				w.done <- err
			}
		}
	}()
	return func(_ *gin.Context, body []byte) error {
		w := pendingWrite{body, make(chan error, 1)}
		queue <- w
		return <-w.done
	}
}
