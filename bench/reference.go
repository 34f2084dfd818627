package main

import (
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

// The reference points are what any such service in Go would have to do at the
// least: take a webhook with Gin and check its HMAC, and keep its bytes with
// one JetStream publish in the same process. They run as processes of their
// own, started by this program as one of its modes: "bench MODE ADDR NATS DIR SYNC".

// modes are what this program can be beside itself.
var modes = map[string]func(arguments []string) error{
	"gin":     func(a []string) error { return takeWebhooks(a[0], func(*gin.Context, []byte) error { return nil }) },
	"publish": func(a []string) error { return keepWebhooks(a[0], a[1], a[2], a[3], publishEach) },
	"packed":  func(a []string) error { return keepWebhooks(a[0], a[1], a[2], a[3], publishPacked) },
	"nats":    func(a []string) error { return natsMain(a[0], a[1], a[2]) },
}

// reference is this program in one of its modes.
func reference(mode, name string) system {
	return system{name: name, start: func(ctx context.Context, j job, r *running) (err error) {
		var nats string
		if err := freeAddresses(&r.address, &nats); err != nil {
			return err
		}
		if mode != "gin" {
			r.nats, r.requests = "nats://"+nats, "WEBHOOKS"
		}
		r.taker, err = launchOwn(ctx, j.dir, mode, r.address, nats, filepath.Join(j.dir, "store"), j.sync)
		return err
	}}
}

// launchOwn starts this program in a mode that listens at its first argument.
func launchOwn(ctx context.Context, dir, mode string, arguments ...string) (*child, error) {
	own, err := os.Executable()
	if err != nil {
		return nil, err
	}
	c, err := launch(dir, mode, own, nil, append([]string{mode}, arguments...)...)
	if err != nil {
		return nil, err
	}
	return c, c.answers(ctx, "tcp://"+arguments[0])
}

// keeper keeps one webhook; several come at once.
type keeper func(c *gin.Context, body []byte) error

// keepWebhooks takes webhooks and keeps them in a NATS server of its own.
func keepWebhooks(address, natsAddress, dir, sync string, by func(jetstream.JetStream) keeper) error {
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
	return takeWebhooks(address, by(js))
}

// publishEach writes each webhook as one message.
func publishEach(js jetstream.JetStream) keeper {
	return func(c *gin.Context, body []byte) error {
		_, err := js.Publish(c.Request.Context(), "webhook."+strings.TrimPrefix(c.GetHeader("X-Signature"), "sha256="), body)
		return err
	}
}

// natsMain is a NATS server with JetStream for systems that need one.
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

// takeWebhooks answers 202 to what is signed and kept.
func takeWebhooks(address string, keep keeper) error {
	gin.SetMode(gin.ReleaseMode)
	engine := gin.New()
	engine.POST("/webhooks/:source", func(c *gin.Context) {
		body, err := io.ReadAll(http.MaxBytesReader(c.Writer, c.Request.Body, 1<<20))
		switch {
		case err != nil:
			c.Status(http.StatusBadRequest)
		case !signed(c.GetHeader("X-Signature"), body):
			c.Status(http.StatusUnauthorized)
		case keep(c, body) != nil:
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
