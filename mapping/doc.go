// Package mapping is the step "what to do": it turns the bytes of a webhook
// into decisions, namely calls to request or reasons not to call. Sources and
// routes come from callbridge.yaml and the presets in sources/; fields are
// typed and read once; rules are CEL; calls are templates.
//
// It is pure: no NATS, no HTTP framework, no clock and no randomness. Whatever
// is missing or odd means no call, never a call.
package mapping
