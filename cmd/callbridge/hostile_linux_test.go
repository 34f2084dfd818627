package main

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/tls"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"callbridge/demo"
	"callbridge/internal/testkit"
)

// asCallbridge makes the program of the tests run callbridge instead.
const asCallbridge = "TEST_AS_CALLBRIDGE"

func TestMain(m *testing.M) {
	if os.Getenv(asCallbridge) != "" {
		os.Exit(run(context.Background(), os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
	}
	os.Exit(m.Run())
}

// child is callbridge serve in a process of its own, whose memory can be measured.
type child struct {
	t    *testing.T
	pid  int
	log  testkit.Log
	url  string
	addr string
}

func startChild(t *testing.T, more ...string) *child {
	t.Helper()
	c := &child{t: t}
	cmd := exec.Command(os.Args[0], "serve")
	cmd.Env = append(os.Environ(), asCallbridge+"=1", "CONFIG_FILE=example/callbridge.yaml",
		"WEBSITE_SECRET="+demo.Secrets["WEBSITE_SECRET"], "HUBSPOT_CLIENT_SECRET="+demo.Secrets["HUBSPOT_CLIENT_SECRET"])
	for name, value := range environment(t, "http://127.0.0.1:1") {
		cmd.Env = append(cmd.Env, name+"="+value)
	}
	cmd.Env = append(cmd.Env, more...)
	cmd.Stderr = &c.log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	started := regexp.MustCompile(`"webhooks":"(https?://([^"]+))"`)
	testkit.Eventually(t, "callbridge runs", func() bool { return started.MatchString(c.log.String()) })
	found := started.FindStringSubmatch(c.log.String())
	c.pid, c.url, c.addr = cmd.Process.Pid, found[1], found[2]
	return c
}

// peak returns the largest resident memory that the process has had, in bytes.
func (c *child) peak() int {
	c.t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", c.pid))
	if err != nil {
		c.t.Fatal(err)
	}
	found := regexp.MustCompile(`VmHWM:\s+(\d+) kB`).FindSubmatch(status)
	if found == nil {
		c.t.Fatalf("no peak in %s", status)
	}
	kilobytes, err := strconv.Atoi(string(found[1]))
	if err != nil {
		c.t.Fatal(err)
	}
	return kilobytes << 10
}

// dial connects from one of 50 addresses.
func (c *child) dial(i int) net.Conn {
	c.t.Helper()
	from := &net.TCPAddr{IP: net.IPv4(127, 0, 1, byte(1+i%50))}
	conn, err := (&net.Dialer{LocalAddr: from, Timeout: 10 * time.Second}).Dial("tcp", c.addr)
	if err != nil {
		c.t.Fatal(err)
	}
	return conn
}

// attack opens connections from 50 addresses and has send work on each until the deadline.
// It returns at once; wait returns when all have ended.
func (c *child) attack(connections int, patience time.Duration, send func(i int, conn net.Conn)) (wait func()) {
	c.t.Helper()
	var all sync.WaitGroup
	for i := range connections {
		conn := c.dial(i)
		if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
			c.t.Fatal(err)
		}
		all.Go(func() {
			defer func() { _ = conn.Close() }()
			send(i, conn)
		})
	}
	return all.Wait
}

// checkMemory compares the peak with maxHostileMemory.
func (c *child) checkMemory() {
	c.t.Helper()
	peak := c.peak()
	if peak > maxHostileMemory {
		c.t.Errorf("%d MB of memory, want %d at most", peak>>20, maxHostileMemory>>20)
	}
	c.t.Logf("%d MB at most", peak>>20)
}

// hostileConnections is how many connections an attack holds open.
const hostileConnections = 1000

// bomb is a small gzip stream that decompresses to 1 MiB.
func bomb(t *testing.T) []byte {
	t.Helper()
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	if _, err := z.Write(make([]byte, 1<<20)); err != nil || z.Close() != nil {
		t.Fatal("compress")
	}
	return packed.Bytes()
}

// maxHostileMemory holds for the program as it is built for use; the race detector needs
// several times the memory.
const maxHostileMemory = (200 << 20) * memoryFactor

// TestMemoryUnderHostileConnectionsIsBounded holds 1,000 connections from 50 addresses
// open. Half of them withhold the end of a gzip stream, half send 900 kB of 1 MiB.
func TestMemoryUnderHostileConnectionsIsBounded(t *testing.T) {
	t.Parallel()
	c := startChild(t)
	body := exampleBody(t, "website-lead.json")
	if got := testkit.Post(t, c.url+"/webhooks/website", body, signed(body)); got.Status != http.StatusAccepted {
		t.Fatalf("answered %d %s", got.Status, got.Body)
	}
	packed, plain := bomb(t), make([]byte, 900_000)
	wait := c.attack(hostileConnections, 8*time.Second, func(i int, conn net.Conn) {
		// Until the server has answered or closed, which for gzip takes bodyTime.
		defer func() { _, _ = io.Copy(io.Discard, conn) }()
		if i%2 == 0 {
			_, _ = fmt.Fprintf(conn, "POST /webhooks/website HTTP/1.1\r\nHost: x\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n", len(packed))
			_, _ = conn.Write(packed[:len(packed)-8])
			return
		}
		_, _ = io.WriteString(conn, "POST /webhooks/website HTTP/1.1\r\nHost: x\r\nContent-Length: 1048576\r\n\r\n")
		_, _ = conn.Write(plain) // refused before its end if there is no memory
	})
	second := strings.Replace(body, "lead-1001", "lead-1002", 1)
	if got := testkit.Post(t, c.url+"/webhooks/website", second, signed(second)); got.Status != http.StatusAccepted {
		t.Errorf("during the attack a sender that has proved itself is answered %d %s", got.Status, got.Body)
	}
	wait()
	c.checkMemory()
	if !strings.Contains(c.log.String(), `"reason":"memory"`) {
		t.Error("no webhook was refused because of the budget")
	}
}

func TestSlowBodyIsCutOff(t *testing.T) {
	t.Parallel()
	b := startBridge(t, nil)
	conn, err := net.Dial("tcp", b.process.public.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	begun := time.Now()
	if _, err := io.WriteString(conn, "POST /webhooks/website HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n{"); err != nil {
		t.Fatal(err)
	}
	if err := conn.SetReadDeadline(begun.Add(20 * time.Second)); err != nil {
		t.Fatal(err)
	}
	answer, err := io.ReadAll(conn)
	if took := time.Since(begun); err != nil || !bytes.HasPrefix(answer, []byte("HTTP/1.1 408 ")) || took > 12*time.Second {
		t.Errorf("after %s: %.80q, %v", took, answer, err)
	}
}

// TestHTTP2StreamsAreFew reads what the server offers when a connection begins.
func TestHTTP2StreamsAreFew(t *testing.T) {
	t.Parallel()
	certFile, keyFile := testkit.NewAuthority(t).Issue("tls")
	b := startBridge(t, map[string]string{"HTTP_TLS_CERT": certFile, "HTTP_TLS_KEY": keyFile})
	conn, err := tls.Dial("tcp", b.process.public.Addr().String(), &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"h2"}})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	if _, err := io.WriteString(conn, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00"); err != nil {
		t.Fatal(err)
	}
	head := make([]byte, 9) // RFC 9113 section 4.1
	if _, err := io.ReadFull(conn, head); err != nil || head[3] != 4 {
		t.Fatalf("the first frame is %x, %v", head, err)
	}
	settings := make([]byte, int(head[1])<<8|int(head[2]))
	if _, err := io.ReadFull(conn, settings); err != nil {
		t.Fatal(err)
	}
	const maxConcurrentStreams = 3
	streams := uint32(0)
	for ; len(settings) >= 6; settings = settings[6:] {
		if binary.BigEndian.Uint16(settings) == maxConcurrentStreams {
			streams = binary.BigEndian.Uint32(settings[2:])
		}
	}
	if streams == 0 || streams > 32 {
		t.Errorf("%d streams at once", streams)
	}
}
