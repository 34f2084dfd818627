// Package callab is a client of the Callab REST API (https://docs.callab.ai): it
// creates calls and reads them. dispatch calls it; it is not a step by itself.
//
// Creating a call has no idempotency key. A request that creates one is therefore
// sent at most once: on a connection of its own, in one write, within a time window,
// without any retry. The result is an Answer, which distinguishes "not placed" from
// "unknown".
//
//   - client.go: configuration, headers, token
//   - create.go: the create call: one request, one write, no retry
//   - connection.go: the connection of a create call, its write window and its fence
//   - answer.go: what an HTTP answer proves: accepted, refused, not placed, unknown
//   - query.go: read one call, or list calls: by a search, or by their last change
//   - call.go: the JSON of calls
//   - bound.go: what of a call object is passed on
//
// Of this module it imports untrusted only.
package callab
