// Package role defines the users of NATS and what each may do: the embedded server
// takes them from here, and a test compares deploy/nats/accounts.conf. It also keeps
// the generated passwords of the embedded server. It belongs to package bus, and
// imports no package of this module.
package role

import (
	"strings"
	"time"
)

// Names of the roles.
const (
	// Bridge is a callbridge process.
	Bridge = "bridge"
	// Operator reads everything and requests calls.
	Operator = "operator"
	// Results subscribes to results, and does nothing else.
	Results = "results"
	// Reader reads the stream of results with durable consumers.
	Reader = "reader"
	// Producer requests calls under the source name "producer".
	Producer = "producer"
	// Administrator makes, changes, saves, restores and deletes streams and consumers.
	Administrator = "administrator"
)

// Names are all roles.
var Names = []string{Bridge, Operator, Results, Reader, Producer, Administrator}

// Role is what a user may do. An empty Publish allows nothing.
type Role struct {
	Name               string
	Publish, Subscribe []string
	// Responses says that the user may answer each request that it receives once, on the
	// subject that the sender has chosen. It answers only subjects that begin with _INBOX.
	Responses bool
	// Apart says that the user belongs to an account of its own, which imports the
	// subjects of Publish as services and those of Subscribe as streams. NATS sends the
	// acknowledgement of a message to the reply subject that its sender has chosen,
	// without checking the sender's permissions. In the account of the streams, a
	// producer could so have the server write to the ledger.
	Apart bool
}

// Inbox is the prefix of the reply subjects of a user.
func Inbox(name string) string { return "_INBOX_" + name }

// All returns the roles for a subject prefix.
func All(prefix string) []Role {
	stream := strings.ToUpper(strings.ReplaceAll(prefix, ".", "_")) + "_"
	own := strings.ReplaceAll(prefix, ".", "_")
	return []Role{
		{
			Name: Bridge, Publish: filled(bridge, prefix, stream), Responses: true,
			Subscribe: append(filled(answers, prefix, stream), Inbox(own)+".>"),
		},
		{Name: Operator, Publish: filled(operator, prefix, stream), Subscribe: []string{prefix + ".>", Inbox(Operator) + ".>"}},
		{Name: Results, Subscribe: []string{prefix + ".result.>"}},
		{Name: Reader, Publish: filled(reader, prefix, stream), Subscribe: []string{prefix + ".result.>", Inbox(Reader) + ".>"}},
		{
			Name: Producer, Apart: true, Publish: []string{prefix + ".request." + Producer + ".*.ready"},
			Subscribe: []string{prefix + ".result.*." + Producer + ".*", prefix + ".result.ended." + Producer + ".*.*", Inbox(Producer) + ".>"},
		},
		{Name: Administrator, Publish: administrator, Subscribe: []string{Inbox(Administrator) + ".>"}},
	}
}

// filled replaces {P} by the subject prefix and {S} by the prefix of stream names.
func filled(subjects []string, prefix, stream string) []string {
	all := make([]string, len(subjects))
	for i, s := range subjects {
		all[i] = strings.NewReplacer("{P}", prefix, "{S}", stream).Replace(s)
	}
	return all
}

var bridge = []string{
	"{P}.request.*.*.ready", "{P}.request.*.*.closed", "{P}.lookup.*.*", "{P}.ledger.*", "{P}.result.*.*.*", "{P}.result.ended.*.*.*", "{P}.limit.>", "{P}.state.streams",
	"{P}.audit.dnc-add", "{P}.audit.dnc-remove",
	"{P}.dnc.person.*", "{P}.dnc.key", "{P}.person.*",
	// A source that makes too many requests is stopped.
	"{P}.control",
	// Its streams: created if missing, then only read.
	"$JS.API.STREAM.CREATE.{S}REQUESTS", "$JS.API.STREAM.INFO.{S}REQUESTS", "$JS.API.STREAM.MSG.GET.{S}REQUESTS",
	"$JS.API.STREAM.CREATE.{S}LEDGER", "$JS.API.STREAM.INFO.{S}LEDGER", "$JS.API.STREAM.MSG.GET.{S}LEDGER",
	"$JS.API.STREAM.CREATE.{S}RESULTS", "$JS.API.STREAM.INFO.{S}RESULTS", "$JS.API.DIRECT.GET.{S}RESULTS.>",
	"$JS.API.STREAM.CREATE.{S}LIMITS", "$JS.API.STREAM.INFO.{S}LIMITS", "$JS.API.STREAM.MSG.DELETE.{S}LIMITS",
	"$JS.API.STREAM.CREATE.{S}STATE", "$JS.API.STREAM.INFO.{S}STATE", "$JS.API.STREAM.MSG.GET.{S}STATE",
	"$JS.API.STREAM.CREATE.{S}CONTROL", "$JS.API.STREAM.INFO.{S}CONTROL", "$JS.API.STREAM.MSG.GET.{S}CONTROL",
	"$JS.API.STREAM.CREATE.{S}AUDIT", "$JS.API.STREAM.INFO.{S}AUDIT",
	"$JS.API.STREAM.CREATE.{S}DNC", "$JS.API.STREAM.INFO.{S}DNC", "$JS.API.STREAM.MSG.GET.{S}DNC",
	"$JS.API.STREAM.CREATE.{S}PEOPLE", "$JS.API.STREAM.INFO.{S}PEOPLE", "$JS.API.STREAM.MSG.GET.{S}PEOPLE",
	// The two consumers of requests.
	"$JS.API.CONSUMER.CREATE.{S}REQUESTS.dispatch.>", "$JS.API.CONSUMER.CREATE.{S}REQUESTS.lookup.>",
	"$JS.API.CONSUMER.INFO.{S}REQUESTS.*", "$JS.API.CONSUMER.MSG.NEXT.{S}REQUESTS.*", "$JS.ACK.{S}REQUESTS.>",
	// The periodic read of the whole ledger.
	"$JS.API.CONSUMER.CREATE.{S}LEDGER.>", "$JS.API.CONSUMER.MSG.NEXT.{S}LEDGER.*",
	// The calls that are followed to their end.
	"$JS.API.CONSUMER.CREATE.{S}RESULTS.>", "$JS.API.CONSUMER.MSG.NEXT.{S}RESULTS.*",
}

// answers are the requests that a bridge answers.
var answers = []string{"{P}.dnc.add", "{P}.dnc.remove", "{P}.dnc.check"}

// ResponseTime is how long a request may be answered.
const ResponseTime = time.Minute

var operator = []string{
	// A call that is still wanted is requested again under a new id.
	"{P}.request.*.*.ready",
	// The nats command asks for the names and the list of streams first.
	"$JS.API.INFO", "$JS.API.STREAM.NAMES", "$JS.API.STREAM.LIST",
	// A loss of streams is acknowledged.
	"{P}.state.acknowledged", "$JS.API.STREAM.INFO.{S}STATE", "$JS.API.STREAM.MSG.GET.{S}STATE",
	// Calls are stopped and resumed.
	"{P}.audit.stop", "{P}.audit.resume",
	"{P}.control", "$JS.API.STREAM.INFO.{S}CONTROL", "$JS.API.STREAM.MSG.GET.{S}CONTROL",
	// The do-not-call list: a callbridge process changes it.
	"{P}.dnc.add", "{P}.dnc.remove", "{P}.dnc.check",
	"$JS.API.STREAM.INFO.{S}DNC", "$JS.API.CONSUMER.CREATE.{S}DNC.>", "$JS.API.CONSUMER.MSG.NEXT.{S}DNC.*",
	// When a person was called.
	"$JS.API.STREAM.INFO.{S}PEOPLE", "$JS.API.STREAM.MSG.GET.{S}PEOPLE",
	// Single messages and the state of every stream; no consumer of requests, which
	// could take them from callbridge.
	"$JS.API.STREAM.INFO.{S}REQUESTS", "$JS.API.STREAM.MSG.GET.{S}REQUESTS", "$JS.API.CONSUMER.INFO.{S}REQUESTS.*",
	"$JS.API.STREAM.INFO.{S}LEDGER", "$JS.API.STREAM.MSG.GET.{S}LEDGER",
	"$JS.API.STREAM.INFO.{S}RESULTS", "$JS.API.STREAM.MSG.GET.{S}RESULTS", "$JS.API.DIRECT.GET.{S}RESULTS", "$JS.API.DIRECT.GET.{S}RESULTS.>",
	"$JS.API.STREAM.INFO.{S}LIMITS",
	// Ledger and results as a whole.
	"$JS.API.CONSUMER.CREATE.{S}LEDGER.>", "$JS.API.CONSUMER.INFO.{S}LEDGER.*", "$JS.API.CONSUMER.MSG.NEXT.{S}LEDGER.*",
	"$JS.API.CONSUMER.CREATE.{S}RESULTS.>", "$JS.API.CONSUMER.INFO.{S}RESULTS.*", "$JS.API.CONSUMER.MSG.NEXT.{S}RESULTS.*",
	"$JS.ACK.{S}RESULTS.>", "$JS.ACK.{S}LEDGER.>",
	// Acts of operators.
	"$JS.API.STREAM.INFO.{S}AUDIT", "$JS.API.CONSUMER.CREATE.{S}AUDIT.>", "$JS.API.CONSUMER.MSG.NEXT.{S}AUDIT.*",
}

var reader = []string{
	"$JS.API.STREAM.INFO.{S}RESULTS", "$JS.API.CONSUMER.CREATE.{S}RESULTS.>",
	"$JS.API.CONSUMER.INFO.{S}RESULTS.*", "$JS.API.CONSUMER.MSG.NEXT.{S}RESULTS.*", "$JS.ACK.{S}RESULTS.>",
	// What is stopped.
	"$JS.API.STREAM.INFO.{S}CONTROL", "$JS.API.STREAM.MSG.GET.{S}CONTROL",
	// Acts of operators.
	"$JS.API.STREAM.INFO.{S}AUDIT", "$JS.API.CONSUMER.CREATE.{S}AUDIT.>", "$JS.API.CONSUMER.MSG.NEXT.{S}AUDIT.*",
}

// administrator works on every stream of the account, but publishes no message of
// callbridge itself: a request would make a call.
var administrator = []string{"$JS.API.INFO", "$JS.API.STREAM.>", "$JS.API.CONSUMER.>", "$JS.SNAPSHOT.>"}
