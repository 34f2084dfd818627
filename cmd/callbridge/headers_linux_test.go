package main

import (
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"callbridge/internal/testkit"
)

// manyFields is a header of the given size with as many fields as it can have: each costs
// the server much more memory than its four bytes.
func manyFields(size int) string {
	const letters = "abcdefghijklmnopqrstuvwxyz0123456789"
	var text strings.Builder
	for i := 0; text.Len() < size; i++ {
		name := []byte{letters[i%36], letters[i/36%36]}
		if i >= 36*36 {
			name = append(name, letters[i/36/36%36])
		}
		fmt.Fprintf(&text, "%s:\n", name)
	}
	return text.String()
}

// TestMemoryUnderHostileHeadersIsBounded holds 1,000 connections from 50 addresses open,
// whose headers have thousands of fields. Half of them withhold the end of the header,
// half the body.
func TestMemoryUnderHostileHeadersIsBounded(t *testing.T) {
	t.Parallel()
	for name, secure := range map[string]bool{"http": false, "https": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var more []string
			if secure {
				certFile, keyFile := testkit.NewAuthority(t).Issue("tls")
				more = []string{"HTTP_TLS_CERT=" + certFile, "HTTP_TLS_KEY=" + keyFile}
			}
			c := startChild(t, more...)
			fields := manyFields(15 << 10)
			var all sync.WaitGroup
			const connections = 1000
			for i := range connections {
				conn := c.dial(i)
				if err := conn.SetDeadline(time.Now().Add(8 * time.Second)); err != nil {
					t.Fatal(err)
				}
				all.Go(func() {
					if secure {
						conn = tls.Client(conn, &tls.Config{InsecureSkipVerify: true})
					}
					holdHeader(conn, fields, i%2 == 0)
				})
			}
			all.Wait()
			if peak := c.peak(); peak > maxHostileMemory {
				t.Errorf("%d MB of memory under %d hostile connections, want %d at most", peak>>20, connections, maxHostileMemory>>20)
			}
			t.Logf("%d MB at most", c.peak()>>20)
		})
	}
}

// holdHeader sends a header and waits until the server closes the connection.
func holdHeader(conn net.Conn, fields string, complete bool) {
	defer func() { _ = conn.Close() }()
	_, _ = io.WriteString(conn, "POST /webhooks/website HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n")
	_, _ = io.WriteString(conn, fields)
	if complete {
		_, _ = io.WriteString(conn, "\r\n")
	}
	_, _ = io.Copy(io.Discard, conn)
}

// TestMemoryUnderLargeSignedBodiesIsBounded sends 200 signed bodies of 1 MiB at once,
// each of which needs forty times its size when it is decoded.
func TestMemoryUnderLargeSignedBodiesIsBounded(t *testing.T) {
	t.Parallel()
	c := startChild(t)
	const member = `{"a":0},`
	body := `{"id":"lead-1","type":"lead.created","a":[` + strings.Repeat(member, (1<<20)/len(member)-10) + "0]}"
	header := signed(body)
	header.Set("Content-Type", "application/json")
	var head strings.Builder
	fmt.Fprintf(&head, "POST /webhooks/website HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n", len(body))
	if err := header.Write(&head); err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	for i := range 200 {
		conn := c.dial(i)
		if err := conn.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
			t.Fatal(err)
		}
		all.Go(func() {
			defer func() { _ = conn.Close() }()
			_, _ = io.WriteString(conn, head.String()+"\r\n"+body)
			_, _ = conn.Read(make([]byte, 1))
		})
	}
	all.Wait()
	if peak := c.peak(); peak > maxHostileMemory {
		t.Errorf("%d MB of memory, want %d at most", peak>>20, maxHostileMemory>>20)
	}
}
