package main

import (
	"context"
	"embed"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// bentoFiles are the same job for Bento (https://warpstreamlabs.github.io/bento/).
//
//go:embed bento/*.yaml
var bentoFiles embed.FS

// bento is a Bento program and a NATS server beside it.
func bento(program string, threads int) system {
	return system{name: fmt.Sprintf("Bento, %d threads", threads), start: func(ctx context.Context, j job, r *running) error {
		r.requests, r.results = "BENCH_REQUESTS", "BENCH_RESULTS"
		files, err := writeBento(j)
		if err != nil {
			return err
		}
		var server string
		if err := freeAddresses(&r.address, &server); err != nil {
			return err
		}
		r.nats = "nats://" + server
		if r.keeper, err = launchOwn(ctx, j.dir, "nats", server, filepath.Join(j.dir, "store"), j.sync); err != nil {
			return err
		}
		if err := makeStreams(ctx, r); err != nil {
			return err
		}
		r.again = func(ctx context.Context) (err error) {
			arguments := append([]string{"--log.level", "warn", "streams", "--no-api"}, files...)
			if r.taker, err = launch(j.dir, "bento", program, bentoEnviron(r, j, threads), arguments...); err != nil {
				return err
			}
			return r.taker.answers(ctx, "tcp://"+r.address)
		}
		return r.again(ctx)
	}}
}

// bentoEnviron sets what the files in bento/ ask for.
func bentoEnviron(r *running, j job, threads int) []string {
	return []string{
		"WEBHOOKS=" + r.address, "NATS=" + r.nats, "THREADS=" + strconv.Itoa(threads), "BENCH_SECRET=" + secret,
		"CALLAB_URL=" + j.api, "CALLAB_TOKEN=" + callabToken,
	}
}

// writeBento writes its configuration into the folder of the job.
func writeBento(j job) (files []string, err error) {
	names := []string{"intake.yaml", "dial.yaml"}
	if j.keepOnly {
		names = names[:1]
	}
	for _, name := range names {
		content, err := bentoFiles.ReadFile("bento/" + name)
		if err != nil {
			return nil, err
		}
		file := filepath.Join(j.dir, name)
		if err := os.WriteFile(file, content, 0o600); err != nil {
			return nil, fmt.Errorf("write configuration: %w", err)
		}
		files = append(files, file)
	}
	return files, nil
}

// seenFor is how long Bento's streams refuse what they have seen: longer than
// any load lasts.
const seenFor = 30 * time.Minute

func makeStreams(ctx context.Context, r *running) error {
	s, err := r.streams()
	if err != nil {
		return err
	}
	defer s.close()
	for name, subject := range map[string]string{r.requests: "bench.request.*", r.results: "bench.result.>"} {
		if _, err := s.js.CreateStream(ctx, jetstream.StreamConfig{Name: name, Subjects: []string{subject}, Duplicates: seenFor}); err != nil {
			return fmt.Errorf("make stream %s: %w", name, err)
		}
	}
	return nil
}
