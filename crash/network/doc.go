// Package network connects processes by a network whose links tests can cut, slow down
// and make lose packets, each direction by itself. Each host is a network namespace of
// Linux with a TUN device; the packets between them go through this process. No
// program imports it.
package network
