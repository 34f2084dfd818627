//go:build linux

package network

import (
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/netip"
	"os"
	"os/exec"
	"runtime"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// Link is the state of the way from one host to another. The zero Link passes packets
// at once.
type Link struct {
	Cut bool
	// Loss is the part of the packets that get lost, from 0 to 1.
	Loss float64
	// Delay is added to each packet. Its order among packets with the same delay is
	// not guaranteed, as with any network.
	Delay time.Duration
}

// Network is a switch between hosts. Host 0 is the namespace of this process.
type Network struct {
	hosts []host

	mu sync.Mutex
	// links is by the sending host, then by the receiving one.
	links   [][]Link
	passed  int64
	dropped int64
}

// host is a network namespace with a TUN device whose other end is tun.
type host struct {
	namespace *os.File
	tun       *os.File
}

// Address returns the address of a host.
func Address(host int) netip.Addr { return netip.AddrFrom4([4]byte{10, 77, 0, byte(host + 1)}) }

// New makes a network of count hosts, 250 at most. The process must be in a network
// namespace of its own: see Isolated. Its sockets are those of host 0.
func New(count int) (*Network, error) {
	n := &Network{}
	for i := range count {
		h, err := newHost(i)
		if err != nil {
			return nil, errors.Join(err, n.Close())
		}
		n.hosts = append(n.hosts, h)
		n.links = append(n.links, make([]Link, count))
	}
	for i := range n.hosts {
		go n.forward(i)
	}
	return n, nil
}

// newHost makes a host in a namespace of its own; host 0 in the present one. It runs
// on a thread that ends afterwards, because a namespace belongs to a thread.
func newHost(number int) (host, error) {
	type made struct {
		host
		err error
	}
	done := make(chan made)
	go func() {
		runtime.LockOSThread()
		if number > 0 {
			if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
				done <- made{err: fmt.Errorf("make a network namespace: %w", err)}
				return
			}
		}
		h, err := setUpHost(number)
		done <- made{h, err}
	}()
	m := <-done
	return m.host, m.err
}

func setUpHost(number int) (host, error) {
	namespace, err := os.Open("/proc/thread-self/ns/net")
	if err != nil {
		return host{}, fmt.Errorf("open the network namespace: %w", err)
	}
	tun, err := newTUN(Address(number))
	if err != nil {
		return host{}, errors.Join(err, namespace.Close())
	}
	return host{namespace, tun}, nil
}

// Start starts a command on a host, as cmd.Start does.
func (n *Network) Start(host int, cmd *exec.Cmd) error {
	done := make(chan error)
	go func() {
		runtime.LockOSThread() // until the thread ends with this goroutine
		if err := unix.Setns(int(n.hosts[host].namespace.Fd()), unix.CLONE_NEWNET); err != nil {
			done <- fmt.Errorf("enter the network namespace of host %d: %w", host, err)
			return
		}
		done <- cmd.Start()
	}()
	return <-done
}

// Set changes the link from one host to another, in this direction only.
func (n *Network) Set(from, to int, link Link) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.links[from][to] = link
}

// SetBoth changes the link between two hosts in both directions.
func (n *Network) SetBoth(a, b int, link Link) {
	n.Set(a, b, link)
	n.Set(b, a, link)
}

// Heal makes all links pass packets at once.
func (n *Network) Heal() {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, links := range n.links {
		clear(links)
	}
}

// Packets returns how many packets were passed and dropped so far.
func (n *Network) Packets() (passed, dropped int64) {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.passed, n.dropped
}

// forward passes the packets that a host sends, until its device is closed.
func (n *Network) forward(from int) {
	buffer := make([]byte, 64<<10)
	for {
		length, err := n.hosts[from].tun.Read(buffer)
		if err != nil {
			return
		}
		to, known := n.destination(buffer[:length])
		if !known {
			continue
		}
		link, lost := n.judge(from, to)
		switch {
		case lost:
		case link.Delay == 0:
			n.deliver(to, buffer[:length])
		default:
			packet := append([]byte(nil), buffer[:length]...)
			time.AfterFunc(link.Delay, func() { n.deliver(to, packet) })
		}
	}
}

// destination returns the host to which an IPv4 packet is addressed.
func (n *Network) destination(packet []byte) (host int, known bool) {
	if len(packet) < 20 || packet[0]>>4 != 4 {
		return 0, false
	}
	to := netip.AddrFrom4([4]byte(packet[16:20]))
	host = int(packet[19]) - 1
	return host, host >= 0 && host < len(n.hosts) && to == Address(host)
}

func (n *Network) judge(from, to int) (link Link, lost bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	link = n.links[from][to]
	lost = link.Cut || link.Loss > 0 && rand.Float64() < link.Loss
	if lost {
		n.dropped++
	} else {
		n.passed++
	}
	return link, lost
}

// deliver hands a packet to a host. A packet that cannot be delivered is lost, as in
// any network.
func (n *Network) deliver(to int, packet []byte) { _, _ = n.hosts[to].tun.Write(packet) }

// Close removes the devices. The namespaces end with their last process.
func (n *Network) Close() error {
	var errs []error
	for _, h := range n.hosts {
		for _, c := range []io.Closer{h.tun, h.namespace} {
			errs = append(errs, c.Close())
		}
	}
	return errors.Join(errs...)
}
