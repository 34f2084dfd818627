//go:build linux

package network_test

import (
	"net"
	"net/netip"
	"os"
	"os/exec"
	"testing"
	"time"

	"callbridge/crash/network"
	"callbridge/internal/testkit"
)

const (
	echoVariable = "NETWORK_TEST_ECHO"
	hosts        = 3
)

// TestMain also is the program on the hosts: it answers each datagram.
func TestMain(m *testing.M) {
	if address := os.Getenv(echoVariable); address != "" {
		echo(address)
		return
	}
	os.Exit(m.Run())
}

func echo(address string) {
	socket, err := net.ListenPacket("udp", address)
	if err != nil {
		panic(err)
	}
	buffer := make([]byte, 1<<10)
	for {
		n, from, err := socket.ReadFrom(buffer)
		if err != nil {
			panic(err)
		}
		_, _ = socket.WriteTo(buffer[:n], from)
	}
}

func TestLinks(t *testing.T) {
	if !network.Isolated() {
		inNamespace(t)
		return
	}
	n, err := network.New(hosts)
	if err != nil {
		t.Fatal(err)
	}
	for i := 1; i < hosts; i++ {
		start(t, n, i)
	}
	for name, c := range map[string]struct {
		set  func()
		host int
		want bool
	}{
		"as made":                  {func() {}, 1, true},
		"cut":                      {func() { n.SetBoth(0, 1, network.Link{Cut: true}) }, 1, false},
		"the way there cut":        {func() { n.Set(0, 1, network.Link{Cut: true}) }, 1, false},
		"the way back cut":         {func() { n.Set(1, 0, network.Link{Cut: true}) }, 1, false},
		"another link cut":         {func() { n.SetBoth(1, 2, network.Link{Cut: true}) }, 1, true},
		"another host":             {func() { n.SetBoth(0, 1, network.Link{Cut: true}) }, 2, true},
		"half of the packets lost": {func() { n.SetBoth(0, 1, network.Link{Loss: .5}) }, 1, true},
		"all packets lost":         {func() { n.SetBoth(0, 1, network.Link{Loss: 1}) }, 1, false},
		"a delay":                  {func() { n.SetBoth(0, 1, network.Link{Delay: 100 * time.Millisecond}) }, 1, true},
		"a delay, lost on the way": {func() { n.SetBoth(0, 1, network.Link{Delay: time.Millisecond, Loss: 1}) }, 1, false},
	} {
		n.Heal()
		c.set()
		before := time.Now()
		if got := answers(t, c.host, c.want); got != c.want {
			t.Errorf("%s: host %d answers: %v, want %v", name, c.host, got, c.want)
		}
		if name == "a delay" && time.Since(before) < 200*time.Millisecond {
			t.Errorf("the answer took %s, want two delays", time.Since(before))
		}
	}
	if passed, dropped := n.Packets(); passed == 0 || dropped == 0 {
		t.Errorf("%d packets passed, %d dropped", passed, dropped)
	}
}

// inNamespace runs the test in a process with a network of its own.
func inNamespace(t *testing.T) {
	if err := network.Available(); err != nil {
		t.Skip("not run: ", err)
	}
	again := exec.Command("/proc/self/exe", "-test.run=^"+t.Name()+"$", "-test.v")
	network.Isolate(again)
	if out, err := again.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

func start(t *testing.T, n *network.Network, host int) {
	t.Helper()
	cmd := exec.Command("/proc/self/exe")
	cmd.Env = append(os.Environ(), echoVariable+"="+at(host))
	cmd.Stderr = os.Stderr
	if err := n.Start(host, cmd); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	testkit.Eventually(t, "the host answers", func() bool { return answers(t, host, true) })
}

func at(host int) string { return netip.AddrPortFrom(network.Address(host), 7).String() }

// answers reports whether a host answers: within seconds if it should, else soon.
func answers(t *testing.T, host int, should bool) bool {
	t.Helper()
	socket, err := net.Dial("udp", at(host))
	if err != nil {
		t.Fatal(err)
	}
	defer socket.Close()
	tries := 3
	if should {
		tries = 100
	}
	for range tries {
		_, _ = socket.Write([]byte("?"))
		_ = socket.SetReadDeadline(time.Now().Add(100 * time.Millisecond))
		if n, _ := socket.Read(make([]byte, 10)); n == 1 {
			return true
		}
	}
	return false
}
