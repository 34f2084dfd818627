// Package crash tests the promises of callbridge: no event leads to two calls of the
// same route, and no webhook that was answered with 2xx is lost. It has only tests.
// They build the real binary, run it against the simulator, and kill and freeze it
// while webhooks arrive: at random times, and at the crash points that the build tag
// crashtest adds to package dispatch. They also replace processes one after another,
// as an update does, and stop NATS and Callab.
//
//	go test ./crash    the short form
//	make crash         the long form, with the negative controls
//	make power         the long form of power cuts and partitions
//
// The power of disks is cut (crash/power). The clock of a bridge can be moved (crash/clock). Partitions put NATS and the bridges on hosts of their own (crash/network).
package crash
