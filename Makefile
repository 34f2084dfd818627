.DEFAULT_GOAL := help

help: ## say what can be made
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

check: ## all that CI runs
	bash .ci/run

test: ## the tests
	go test ./...

crash: ## kill and freeze it for some minutes; prints a table
	go test ./crash -count=1 -timeout 40m -v -long

power: ## cut the power and the network, and move clocks, for ten minutes; prints tables; needs root, xfsprogs and btrfs-progs
	go test ./crash -count=1 -timeout 40m -v -run 'Power|Partition|Clock' -power -partition

demo: ## see it work
	go run ./cmd/callbridge demo

bench: ## how fast it is, beside reference points; half an hour
	go run ./bench -into docs/performance.md
	go test -run '^$$' -bench '^Benchmark(VerifyHMAC|Map|Store|Webhook|Claim|CreateCall|Call)$$' -count 6 ./signature ./mapping ./handlers ./bus ./callab ./dispatch

fuzz: ## every fuzz target for a minute
	./.ci/fuzz 60s

build: ## a small static binary, bin/callbridge
	CGO_ENABLED=0 go build -trimpath -ldflags '-s -w' -tags nomsgpack -o bin/callbridge ./cmd/callbridge

sbom: build ## what is linked into bin/callbridge, as CycloneDX: bin/callbridge.cdx.json
	go run ./deploy/sbom bin/callbridge > bin/callbridge.cdx.json

release: ## the files of a release into dist/: binaries, bills of materials, an image archive, checksums
	bash .ci/release

digests: ## pin the base images of the Dockerfile and of compose by digest; needs docker and a registry
	bash .ci/digests

.PHONY: help check test crash power demo bench fuzz build sbom release digests
