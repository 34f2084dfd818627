// Package handlers is the first step of the webhook pipeline: it receives a webhook,
// passes it to mapping, which verifies it with signature and decides, stores what was
// decided (requests, results, pending events), and answers only after JetStream has
// acknowledged. It also serves health, metrics and, if asked for,
// profiles.
//
//   - server.go: the two listeners, their paths, and the answer to a failure
//   - webhook.go: receive a webhook: body, mapping, store; which failure gets which status
//   - answer.go: the body of a 202: the status of each event
//   - handshake.go: answers to the handshakes of CRMs
//   - body.go: read and decompress a body, within its time
//   - budget.go: the memory of webhooks that are not verified yet
//   - gate.go: how much is decoded and stored at once
//   - connection.go: the number of connections, and the memory of their headers
//   - limit.go: 429 for senders that fail too often, before their bodies are read
//   - remote.go: the sender's address, from trusted proxies
//   - sample.go: which log lines about unverified requests are written
//   - health.go: /livez, /readyz and their metric
//   - log.go: the log line, the span and the metrics of a webhook
//
// It is the only package that imports Gin.
package handlers
