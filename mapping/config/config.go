// Package config reads callbridge.yaml and the presets. It knows how the files are
// written, not what they mean: fields, rules and calls are read from its nodes by the
// packages mapping/field, mapping/rule, mapping/call and mapping, golden cases by
// mapping/golden.
//
//   - reader.go: the documents of one configuration, presets, and their problems
//   - node.go: YAML values with their positions, so that every problem names its line
//   - problem.go: the text of a problem; suggestions for mistyped names
//   - keys.go: the tables of all keys
//   - schema.go: the JSON schema made of these tables
//   - secret.go: secrets by reference: ${NAME}, ${file:/path}
//   - verify.go: verify: and secret: of a source, compiled by package signature
//   - facts.go: the facts of a preset, for `callbridge sources` and docs/sources
//
// Of this module it imports only signature and mapping/sources.
package config
