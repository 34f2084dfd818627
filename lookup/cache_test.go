package lookup

import (
	"bytes"
	"strconv"
	"testing"
	"time"

	"callbridge/mapping/lookups"
)

func TestNumberOfRememberedVersionsIsLimited(t *testing.T) {
	t.Parallel()
	v := newVersionCache()
	request := func(object, version string) *lookups.Request {
		return &lookups.Request{Object: object, Version: version}
	}
	if !v.advance(request("first", "5"), "changed") || v.advance(request("first", "4"), "changed") {
		t.Error("an older version replaces a newer one")
	}
	if !v.superseded(request("first", "4"), "changed") || v.superseded(request("first", "5"), "changed") {
		t.Error("the newest version is not 5")
	}
	for i := range maxVersions {
		v.advance(request(strconv.Itoa(i), "1"), "changed")
	}
	if n := len(v.newest); n != maxVersions {
		t.Errorf("%d versions are kept, want %d", n, maxVersions)
	}
	if v.superseded(request("first", "4"), "changed") {
		t.Error("the oldest is not forgotten")
	}
	if v.superseded(request("1", ""), "changed") {
		t.Error("an event without a version is superseded")
	}
}

func TestCachedResponsesAreLimitedInSizeAndTime(t *testing.T) {
	t.Parallel()
	c := newResponseCache()
	large := response{body: bytes.Repeat([]byte{'x'}, maxCacheBytes/4), sent: noon}
	for i := range 8 {
		c.add(strconv.Itoa(i), large)
	}
	if c.bytes > maxCacheBytes || len(c.responses) != 4 {
		t.Errorf("%d bytes of %d responses are cached", c.bytes, len(c.responses))
	}
	if _, ok := c.get("0", noon.Add(-time.Second)); !ok {
		t.Error("an event received before the request gets no response")
	}
	if _, ok := c.get("0", noon); ok {
		t.Error("an event received with the request gets an outdated response")
	}
	c.add("later", response{body: []byte("{}"), sent: noon.Add(time.Hour)})
	if c.bytes != 2 || len(c.responses) != 1 {
		t.Errorf("%d bytes of %d responses are cached, want 2 of 1", c.bytes, len(c.responses))
	}
}

func TestOneRequestPerObjectIsInFlight(t *testing.T) {
	t.Parallel()
	c := newResponseCache()
	if !c.begin("x") || c.begin("x") || !c.begin("y") {
		t.Error("two requests for one object are in flight")
	}
	c.end("x")
	if !c.begin("x") {
		t.Error("no request may be sent after the end of the first")
	}
}
