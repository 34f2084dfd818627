package handlers_test

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"callbridge/event"
)

// trick is a request that two HTTP implementations may read differently. Its text has the
// marks SIGNATURE and BODY of a signed lead, LENGTH of that lead, and EVIL: a whole second
// request with a lead that is not signed.
type trick struct{ name, text string }

const trickHead = "POST /webhooks/website HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nX-Signature: SIGNATURE\r\n"

var tricks = []trick{
	{"a second request in the pipe", trickHead + "Content-Length: LENGTH\r\n\r\nBODYEVIL"},
	{"length and chunks", trickHead + "Content-Length: LENGTH\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nEVIL"},
	{"chunks and length", trickHead + "Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\nHEX\r\nBODY\r\n0\r\n\r\nEVIL"},
	{"two lengths", trickHead + "Content-Length: LENGTH\r\nContent-Length: 0\r\n\r\nBODYEVIL"},
	{"the same length twice", trickHead + "Content-Length: LENGTH\r\nContent-Length: LENGTH\r\n\r\nBODYEVIL"},
	{"a list of lengths", trickHead + "Content-Length: LENGTH, 0\r\n\r\nBODYEVIL"},
	{"a length with a sign", trickHead + "Content-Length: +LENGTH\r\n\r\nBODYEVIL"},
	{"a negative length", trickHead + "Content-Length: -1\r\n\r\nBODYEVIL"},
	{"a length in hexadecimal", trickHead + "Content-Length: 0x10\r\n\r\nBODYEVIL"},
	{"a length with a blank before the colon", trickHead + "Content-Length : LENGTH\r\n\r\nBODYEVIL"},
	{"an empty length", trickHead + "Content-Length: \r\n\r\nBODYEVIL"},
	{"a chunk with an extension", trickHead + "Transfer-Encoding: chunked\r\n\r\nHEX;x=\"\r\n\"\r\nBODY\r\n0\r\n\r\nEVIL"},
	{"a chunk with a quiet extension", trickHead + "Transfer-Encoding: chunked\r\n\r\nHEX;name=value\r\nBODY\r\n0\r\n\r\nEVIL"},
	{"a chunk size with a sign", trickHead + "Transfer-Encoding: chunked\r\n\r\n+HEX\r\nBODY\r\n0\r\n\r\nEVIL"},
	{"a chunk size with a prefix", trickHead + "Transfer-Encoding: chunked\r\n\r\n0xHEX\r\nBODY\r\n0\r\n\r\nEVIL"},
	{"a huge chunk size", trickHead + "Transfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\nBODY\r\n0\r\n\r\nEVIL"},
	{"chunks that end with line feeds", trickHead + "Transfer-Encoding: chunked\r\n\r\nHEX\nBODY\n0\n\nEVIL"},
	{"a trailer with a length", trickHead + "Transfer-Encoding: chunked\r\nTrailer: Content-Length\r\n\r\nHEX\r\nBODY\r\n0\r\nContent-Length: 5\r\n\r\nEVIL"},
	{"a trailer with a signature", trickHead + "Transfer-Encoding: chunked\r\n\r\nHEX\r\nBODY\r\n0\r\nX-Signature: sha256=00\r\n\r\nEVIL"},
	{"chunked twice", trickHead + "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\nHEX\r\nBODY\r\n0\r\n\r\nEVIL"},
	{"chunked, identity", trickHead + "Transfer-Encoding: chunked, identity\r\n\r\nHEX\r\nBODY\r\n0\r\n\r\nEVIL"},
	{"an unknown transfer encoding", trickHead + "Transfer-Encoding: xchunked\r\nContent-Length: LENGTH\r\n\r\nBODYEVIL"},
	{"chunked with a tab", trickHead + "Transfer-Encoding:\tchunked\r\n\r\nHEX\r\nBODY\r\n0\r\n\r\nEVIL"},
	{"chunked with a vertical tab", trickHead + "Transfer-Encoding: \x0bchunked\r\nContent-Length: LENGTH\r\n\r\nBODYEVIL"},
	{"chunked in HTTP/1.0", strings.Replace(trickHead, "HTTP/1.1", "HTTP/1.0", 1) + "Transfer-Encoding: chunked\r\n\r\nHEX\r\nBODY\r\n0\r\n\r\nEVIL"},
	{"HTTP/1.0 without a length", strings.Replace(trickHead, "HTTP/1.1", "HTTP/1.0", 1) + "\r\nBODYEVIL"},
	{"HTTP/1.0 kept alive", strings.Replace(trickHead, "HTTP/1.1", "HTTP/1.0", 1) + "Connection: keep-alive\r\nContent-Length: LENGTH\r\n\r\nBODYEVIL"},
	{"HTTP/0.9", "POST /webhooks/website\r\n\r\nBODYEVIL"},
	{"an unknown version", strings.Replace(trickHead, "HTTP/1.1", "HTTP/1.9", 1) + "Content-Length: LENGTH\r\n\r\nBODYEVIL"},
	{"a folded header", trickHead + "X-Other: a\r\n Content-Length: 0\r\nContent-Length: LENGTH\r\n\r\nBODYEVIL"},
	{"a folded transfer encoding", trickHead + "Transfer-Encoding:\r\n chunked\r\nContent-Length: LENGTH\r\n\r\nBODYEVIL"},
	{"headers that end with line feeds", strings.ReplaceAll(trickHead, "\r\n", "\n") + "Content-Length: LENGTH\n\nBODYEVIL"},
	{"a carriage return in a header", trickHead + "X-Other: a\rContent-Length: 0\r\nContent-Length: LENGTH\r\n\r\nBODYEVIL"},
	{"a zero byte in a header", trickHead + "X-Other: a\x00b\r\nContent-Length: LENGTH\r\n\r\nBODYEVIL"},
	{"a header without a name", trickHead + ": x\r\nContent-Length: LENGTH\r\n\r\nBODYEVIL"},
	{"an absolute target", strings.Replace(trickHead, "/webhooks", "http://other.example.com/webhooks", 1) + "Content-Length: LENGTH\r\n\r\nBODYEVIL"},
	{"a target with a fragment", strings.Replace(trickHead, "website", "website#/../batch", 1) + "Content-Length: LENGTH\r\n\r\nBODYEVIL"},
	{"dots in the path", strings.Replace(trickHead, "website", "batch/../website", 1) + "Content-Length: LENGTH\r\n\r\nBODYEVIL"},
	{"encoded dots in the path", strings.Replace(trickHead, "website", "batch/%2e%2e/website", 1) + "Content-Length: LENGTH\r\n\r\nBODYEVIL"},
	{"a backslash in the path", strings.Replace(trickHead, "/webhooks/", "\\webhooks\\", 1) + "Content-Length: LENGTH\r\n\r\nBODYEVIL"},
	{"two hosts", trickHead + "Host: y\r\nContent-Length: LENGTH\r\n\r\nBODYEVIL"},
	{"no host", strings.Replace(trickHead, "Host: x\r\n", "", 1) + "Content-Length: LENGTH\r\n\r\nBODYEVIL"},
	{"a method of another", trickHead + "X-HTTP-Method-Override: GET\r\nContent-Length: LENGTH\r\n\r\nBODYEVIL"},
	{"a path of another", trickHead + "X-Original-URL: /webhooks/batch\r\nX-Rewrite-URL: /webhooks/batch\r\nContent-Length: LENGTH\r\n\r\nBODYEVIL"},
	{"two signatures", trickHead + "X-Signature: sha256=00\r\nContent-Length: LENGTH\r\n\r\nBODYEVIL"},
	{"an upgrade", trickHead + "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\nContent-Length: LENGTH\r\n\r\nBODYEVIL"},
	{"an expectation", trickHead + "Expect: 100-continue\r\nContent-Length: LENGTH\r\n\r\nBODYEVIL"},
	{"a length that is too short", trickHead + "Content-Length: 10\r\n\r\nBODYEVIL"},
	{"a length that is too long", trickHead + "Content-Length: 99999\r\n\r\nBODYEVIL"},
}

func TestTricksOfHTTPMakeOneEventAtMostAndNoneThatIsNotSigned(t *testing.T) {
	t.Parallel()
	for i, c := range tricks {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			f := setup(t)
			id := fmt.Sprintf("trick-%d", i)
			body := strings.Replace(lead, "lead-1", id, 1)
			evil := strings.Replace(lead, "lead-1", "evil", 1)
			evil = fmt.Sprintf("POST /webhooks/website HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s", len(evil), evil)
			text := strings.NewReplacer("SIGNATURE", signed(body).Get("X-Signature"), "BODY", body, "EVIL", evil,
				"LENGTH", fmt.Sprint(len(body)), "HEX", fmt.Sprintf("%x", len(body))).Replace(c.text)
			conn, answers := f.raw(text)
			if err := conn.(*net.TCPConn).CloseWrite(); err != nil {
				t.Fatal(err)
			}
			_, _ = io.ReadAll(answers) // until the server closes the connection
			if n := f.stored("CALLBRIDGE_REQUESTS"); n > 1 || i == 0 && n != 1 {
				t.Errorf("%d requests are stored", n)
			}
			stream, err := f.js.Stream(t.Context(), "CALLBRIDGE_REQUESTS")
			if err != nil {
				t.Fatal(err)
			}
			for _, name := range []string{"new-lead", ""} {
				request := event.RequestID(event.EventID("website", "evil"), name)
				if _, err := stream.GetLastMsgForSubject(t.Context(), "callbridge.request.website."+request.String()+".ready"); err == nil {
					t.Error("a lead that is not signed is stored")
				}
			}
			if n := strings.Count(f.log.String(), `"status":202`); n > 1 {
				t.Errorf("%d webhooks are accepted", n)
			}
			if strings.Contains(f.log.String(), event.EventID("website", "evil").String()) {
				t.Error("a lead that is not signed has become an event")
			}
		})
	}
}

// Each value is text of an unverified sender that would be a line of its own, or a number.
func TestPathAndTraceOfAnUnverifiedSenderDoNotForgeTheLog(t *testing.T) {
	t.Parallel()
	f := setup(t)
	header := forgedHeader()
	header.Set("Traceparent", `00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01","msg":"forged`)
	f.do(http.MethodPost, "/webhooks/a%22,%22msg%22:%22forged%0a%7b%22msg%22:%22forged%22%7d", lead, header)
	f.do(http.MethodPost, "/webhooks/website", lead, header)
	f.do(http.MethodPost, "/lead/%1b%5b2Jforged%0a/+12025550142", lead, header)
	for _, line := range f.log.Lines(t, 3) { // each decodes as one object
		if line["msg"] != "webhook.received" || len(line["trace_id"].(string)) != 32 {
			t.Errorf("a forged line: %v", line)
		}
	}
	if text := f.log.String(); strings.Count(text, "\n") != 3 || strings.Contains(text, "5550142") || strings.Contains(text, "\x1b") || strings.Contains(text, `\u001b`) {
		t.Errorf("the log shows what was sent:\n%s", text)
	}
}

// An honest sender on a slow line: it is slower than bodyTime, and never stops.
func TestSlowButSteadyBodyIsAccepted(t *testing.T) {
	t.Parallel()
	f := setup(t)
	body := strings.Replace(lead, `"consent"`, `"note":"`+strings.Repeat("x", 700<<10)+`","consent"`, 1)
	conn, answers := f.raw("POST /webhooks/website HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nX-Signature: " +
		signed(body).Get("X-Signature") + fmt.Sprintf("\r\nContent-Length: %d\r\n\r\n", len(body)))
	const step = 50 << 10
	tick := time.NewTicker(500 * time.Millisecond)
	defer tick.Stop()
	for rest := body; rest != ""; <-tick.C {
		n := min(step, len(rest))
		if _, err := io.WriteString(conn, rest[:n]); err != nil {
			t.Fatal(err)
		}
		rest = rest[n:]
	}
	answer, err := http.ReadResponse(answers, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := answer.Body.Close(); err != nil || answer.StatusCode != http.StatusAccepted {
		t.Errorf("answered %d (%v)", answer.StatusCode, err)
	}
}
