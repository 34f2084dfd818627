//go:build linux

package crash_test

import (
	"flag"
	"fmt"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"text/tabwriter"
	"time"

	"callbridge/crash/network"
)

var partitionLong = flag.Bool("partition", false, "the long form of the network partitions")

// Three NATS servers and two bridges, each on a host of its own, and the host of Callab
// and the CRM.
const (
	partitionServers = 3
	partitionBridges = 2
	firstBridgeHost  = firstNATSHost + partitionServers
	partitionHosts   = firstBridgeHost + partitionBridges
)

// fault is something that networks do. It makes the links bad, given the host of the
// leader of the ledger and one of the bridges.
type fault struct {
	name string
	on   func(n *network.Network, leader, bridge int)
}

var networkFaults = []fault{
	{"the leader is cut from the other servers", func(n *network.Network, leader, _ int) { cutFrom(n, leader, otherServers(leader)) }},
	{"the leader is cut from all but Callab", func(n *network.Network, leader, _ int) {
		cutFrom(n, leader, append(otherServers(leader), bridgeHosts()...))
	}},
	{"the leader sends, and receives nothing from the other servers", func(n *network.Network, leader, _ int) {
		for _, other := range otherServers(leader) {
			n.Set(other, leader, network.Link{Cut: true})
		}
	}},
	{"the leader receives, and the other servers get nothing", func(n *network.Network, leader, _ int) {
		for _, other := range otherServers(leader) {
			n.Set(leader, other, network.Link{Cut: true})
		}
	}},
	{"no server reaches another one", func(n *network.Network, _, _ int) {
		for server := firstNATSHost; server < firstBridgeHost; server++ {
			cutFrom(n, server, otherServers(server))
		}
	}},
	{"a bridge is cut from NATS", func(n *network.Network, _, bridge int) { cutFrom(n, bridge, otherServers(0)) }},
	{"a bridge gets no answer of NATS", func(n *network.Network, _, bridge int) {
		for _, server := range otherServers(0) {
			n.Set(server, bridge, network.Link{Cut: true})
		}
	}},
	{"a bridge gets no answer of Callab", func(n *network.Network, _, bridge int) { n.Set(callabHost, bridge, network.Link{Cut: true}) }},
	{"packets are late and get lost", func(n *network.Network, _, _ int) {
		for a := range partitionHosts {
			for b := range a {
				n.SetBoth(a, b, network.Link{Delay: 40 * time.Millisecond, Loss: .05})
			}
		}
	}},
}

// cutFrom cuts one host from others.
func cutFrom(n *network.Network, one int, others []int) {
	for _, other := range others {
		n.SetBoth(one, other, network.Link{Cut: true})
	}
}

// otherServers returns the hosts of NATS servers but one.
func otherServers(one int) (others []int) {
	for server := firstNATSHost; server < firstBridgeHost; server++ {
		if server != one {
			others = append(others, server)
		}
	}
	return others
}

func bridgeHosts() (hosts []int) {
	for bridge := range partitionBridges {
		hosts = append(hosts, firstBridgeHost+bridge)
	}
	return hosts
}

func TestPartitionsLoseNoEventAndDialNobodyTwice(t *testing.T) {
	if !network.Isolated() {
		t.Parallel()
		runIsolated(t)
		return
	}
	n, err := network.New(partitionHosts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = n.Close() })
	f := newFixture(t, scenario{
		bridges: partitionBridges, nats: partitionServers, environ: redial,
		hosts: func(number int) host {
			return host{network.Address(number).String(), func(cmd *exec.Cmd) error { return n.Start(number, cmd) }}
		},
	})
	rounds := 3
	if *partitionLong {
		rounds = 3 * len(networkFaults)
	}
	order := f.dice.order(len(networkFaults))
	f.underLoad(func() {
		for round := range rounds {
			c := networkFaults[order[round%len(order)]]
			leader := slices.IndexFunc(f.nats.options, func(o natsOptions) bool { return o.Name == f.leader() })
			c.on(n, firstNATSHost+max(0, leader), firstBridgeHost+f.dice.n(partitionBridges))
			<-time.After(f.dice.between(3*time.Second, 9*time.Second))
			n.Heal()
			t.Logf("%s", c.name)
			<-time.After(f.dice.between(time.Second, 3*time.Second))
		}
	})
	a := f.finish("partitions")
	passed, dropped := n.Packets()
	var text strings.Builder
	w := tabwriter.NewWriter(&text, 0, 0, 2, ' ', tabwriter.AlignRight)
	_, _ = fmt.Fprintln(w, "faults\tpackets\tdropped\tevents\twebhooks\tcalls placed\tdialled twice\tlost\tnot one result\tparked (placed)\t")
	_, _ = fmt.Fprintf(w, "%d\t%d\t%d\t%d\t%d\t%d\t%d\t%d\t%d\t%d (%d)\t\n", rounds, passed, dropped, a.events, a.webhooks, a.placed, a.twice, a.lost, a.notOne, a.parked, a.missed)
	_ = w.Flush()
	t.Logf("seed %d\n%s", *seed, text.String())
}

// runIsolated runs a test again in a process with a network of its own.
func runIsolated(t *testing.T) {
	if err := network.Available(); err != nil {
		t.Skip("partitions are not run: ", err)
	}
	again := exec.Command("/proc/self/exe", "-test.run=^"+t.Name()+"$", "-test.v", fmt.Sprint("-seed=", *seed), fmt.Sprint("-partition=", *partitionLong))
	network.Isolate(again)
	out, err := again.CombinedOutput()
	if err != nil {
		t.Errorf("%v", err)
	}
	t.Logf("%s", out)
}
