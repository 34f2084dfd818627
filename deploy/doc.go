// Package deploy contains the files for containers, clusters, NATS, Prometheus and
// Grafana. It is no step of a webhook's way and has no code but tests, which check
// these files against the program.
package deploy
