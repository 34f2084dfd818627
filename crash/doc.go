// Package crash tests the promises of callbridge: no event leads to two calls of the
// same route, and no webhook that was answered with 2xx is lost. It has only tests.
// They build the real binary, run it against the simulator, and kill and freeze it
// while webhooks arrive: at random times, and at the crash points that the build tag
// crashtest adds to package dispatch. They also replace processes one after another,
// as an update does, and stop NATS and Callab.
//
//	go test ./crash    the short form
//	make crash         the long form, with the negative controls
//
// Not tested here: power loss, network partitions, and clock jumps. Clock jumps are
// covered elsewhere: a write window checks both clocks (package callab), and the age
// of a claim depends only on the clock of NATS (package bus).
package crash
