package main

import (
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"strings"
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
			c.attack(hostileConnections, 8*time.Second, func(i int, conn net.Conn) {
				if secure {
					conn = tls.Client(conn, &tls.Config{InsecureSkipVerify: true})
				}
				holdHeader(conn, fields, i%2 == 0)
			})()
			c.checkMemory()
		})
	}
}

// holdHeader sends a header and waits until the server closes the connection.
func holdHeader(conn net.Conn, fields string, complete bool) {
	defer func() { _ = conn.Close() }() // a TLS connection says that it ends
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
	c.attack(200, 20*time.Second, func(_ int, conn net.Conn) {
		_, _ = io.WriteString(conn, head.String()+"\r\n"+body)
		_, _ = conn.Read(make([]byte, 1))
	})()
	c.checkMemory()
}
