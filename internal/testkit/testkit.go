// Package testkit holds what the tests of several packages need. It imports no
// package of this module, so that every test may import it; no program imports it.
package testkit
