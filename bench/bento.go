package main

import (
	"context"
	"embed"
	"fmt"
	"os"
	"path/filepath"
	"strconv"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// bentoFiles are the same job for Bento (https://warpstreamlabs.github.io/bento/).
//
//go:embed bento/*.yaml
var bentoFiles embed.FS

// bento is a Bento program and a NATS server beside it.
func bento(name, program string, threads int) system {
	return system{name: name, start: func(j job) (*running, error) {
		j.threads = threads
		return startBento(program, j)
	}}
}

func startBento(program string, j job) (*running, error) {
	r := &running{path: "/webhooks/bench", requests: "BENCH_REQUESTS", results: "BENCH_RESULTS"}
	var server string
	if err := freeAddresses(&r.address, &server); err != nil {
		return nil, err
	}
	r.nats = "nats://" + server
	files := []string{"intake.yaml", "dial.yaml"}
	if j.keepOnly {
		files = files[:1]
	}
	for i, name := range files {
		content, err := bentoFiles.ReadFile("bento/" + name)
		if err != nil {
			return nil, err
		}
		files[i] = filepath.Join(j.dir, name)
		if err := os.WriteFile(files[i], content, 0o600); err != nil {
			return nil, err
		}
	}
	own, err := os.Executable()
	if err != nil {
		return nil, err
	}
	keeper, err := launch(j.dir, "nats", own, nil, "nats", server, filepath.Join(j.dir, "store"), j.sync)
	if err != nil {
		return nil, err
	}
	if err := keeper.answers("tcp://" + server); err != nil {
		return nil, err
	}
	if err := makeStreams(r.nats); err != nil {
		return nil, err
	}
	environ := []string{
		"WEBHOOKS=" + r.address, "NATS=" + r.nats, "THREADS=" + strconv.Itoa(j.threads), "BENCH_SECRET=" + secret,
		"CALLAB_URL=" + j.api, "CALLAB_TOKEN=" + callabToken,
	}
	r.children = []*child{nil, keeper}
	r.again = func() (err error) {
		arguments := append([]string{"--log.level", "warn", "streams", "--no-api"}, files...)
		if r.children[0], err = launch(j.dir, "bento", program, environ, arguments...); err != nil {
			return err
		}
		return r.children[0].answers("tcp://" + r.address)
	}
	return r, r.again()
}

func makeStreams(url string) error {
	conn, err := nats.Connect(url)
	if err != nil {
		return fmt.Errorf("connect to Bento's NATS: %w", err)
	}
	defer conn.Close()
	js, err := jetstream.New(conn)
	if err != nil {
		return err
	}
	for name, subject := range map[string]string{"BENCH_REQUESTS": "bench.request.*", "BENCH_RESULTS": "bench.result.>"} {
		if _, err := js.CreateStream(context.Background(), jetstream.StreamConfig{Name: name, Subjects: []string{subject}}); err != nil {
			return fmt.Errorf("make stream %s: %w", name, err)
		}
	}
	return nil
}
