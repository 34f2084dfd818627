// Package crash proves what callbridge promises: nobody is dialled twice, and
// nothing that was answered with 2xx is lost. It holds no code of the product,
// only tests, which build the real binary, run it against the simulator, and
// kill and freeze it while webhooks arrive: at random moments, and at points
// that the build tag crashtest puts into package dispatch. It also stops it as
// an update does, one process after another, and takes NATS and Callab away.
//
//	go test ./crash    the short form
//	make crash         the long form, with the negative controls
//
// Not tried here: a loss of power, a network that is cut in two, and a clock
// that jumps. The last is held in other places: a write window needs both
// clocks (package callab), and the age of a claim is told by the clock of NATS
// alone (package bus).
package crash
