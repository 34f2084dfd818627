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
// own, started by this program as "bench gin ADDR" and "bench publish ADDR DIR SYNC".

// modes are what this program can be beside itself.
var modes = map[string]func(arguments []string) error{
	"gin":     func(a []string) error { return ginMain(a[0]) },
	"publish": func(a []string) error { return publishMain(a[0], a[1], a[2]) },
	"nats":    func(a []string) error { return natsMain(a[0], a[1], a[2]) },
}

// ginMain takes webhooks and forgets them.
func ginMain(address string) error {
	return takeWebhooks(address, func(*gin.Context, []byte) error { return nil })
}

// publishMain takes webhooks and keeps them.
func publishMain(address, dir, sync string) error {
	ns, err := startServer(&server.Options{DontListen: true, StoreDir: dir, SyncAlways: sync == syncAlways})
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
	return takeWebhooks(address, func(c *gin.Context, body []byte) error {
		_, err := js.Publish(c.Request.Context(), "webhook."+strings.TrimPrefix(c.GetHeader("X-Signature"), "sha256="), body)
		return err
	})
}

// natsMain is a NATS server with JetStream for systems that need one.
func natsMain(address, dir, sync string) error {
	listen, err := net.ResolveTCPAddr("tcp", address)
	if err != nil {
		return err
	}
	ns, err := startServer(&server.Options{Host: listen.IP.String(), Port: listen.Port, StoreDir: dir, SyncAlways: sync == syncAlways})
	if err != nil {
		return err
	}
	ns.WaitForShutdown()
	return nil
}

func startServer(options *server.Options) (*server.Server, error) {
	options.JetStream, options.NoSigs = true, true
	ns, err := server.NewServer(options)
	if err != nil {
		return nil, err
	}
	ns.Start()
	if !ns.ReadyForConnections(startTimeout) {
		return nil, fmt.Errorf("NATS was not ready within %s", startTimeout)
	}
	return ns, nil
}

func takeWebhooks(address string, keep func(*gin.Context, []byte) error) error {
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
	_, _ = fmt.Fprintln(os.Stderr, "listening on", address)
	return server.ListenAndServe()
}

func signed(header string, body []byte) bool {
	given, err := hex.DecodeString(strings.TrimPrefix(header, "sha256="))
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write(body)
	return err == nil && hmac.Equal(given, mac.Sum(nil))
}
