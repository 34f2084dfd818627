// Package deploy is where callbridge meets the machines it runs on: the files
// for containers, clusters, NATS, Prometheus and Grafana. It holds no code but
// the tests that keep those files in step with the program.
package deploy
