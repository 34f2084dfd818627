// Package deploy contains the files for containers, clusters, NATS, Prometheus and
// Grafana. Its only code is tests, which check these files against the program.
package deploy
