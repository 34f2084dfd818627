package handlers

import (
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"net/netip"
	"strings"
	"testing"
	"testing/iotest"
)

func TestBudgetIsLimitedByNetworkAndAltogether(t *testing.T) {
	t.Parallel()
	b, ip := newBodyBudget(), netip.MustParseAddr("192.0.2.1")
	network := func() netip.Prefix { return networkOf(ip) }
	first := b.hold(network(), false)
	if err := first.take(maxNetwork); err != nil {
		t.Fatal(err)
	}
	again := b.hold(network(), true)
	if err := again.take(1); !errors.Is(err, networkFull) {
		t.Errorf("a network takes more than its part: %v", err)
	}
	all := []*held{&first}
	for b.total < maxUnproved {
		ip = ip.Next()
		h := b.hold(network(), false)
		if err := h.take(min(maxNetwork, maxUnproved-b.total)); err != nil {
			t.Fatal(err)
		}
		all = append(all, &h)
	}
	ip = ip.Next()
	unproved, proved := b.hold(network(), false), b.hold(network(), true)
	if err := unproved.take(1); !errors.Is(err, allFull) {
		t.Errorf("the budget is used up: %v", err)
	}
	if err := proved.take(maxUnverified - maxUnproved); err != nil {
		t.Errorf("a network that has proved itself has no part of its own: %v", err)
	}
	if err := proved.take(1); err == nil {
		t.Error("the budget has no end")
	}
	for _, h := range append(all, &proved, &unproved, &again) {
		h.release()
		h.release()
	}
	if b.total != 0 || len(b.networks) != 0 {
		t.Errorf("%d bytes of %d networks stay held", b.total, len(b.networks))
	}
}

func TestBodyHoldsWhatHasArrived(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name         string
		length, sent int
		most         int
		err          error
	}{
		{"small", 2000, 2000, firstBytes, nil},
		{"small, of unknown length", -1, 2000, firstBytes, nil},
		{"a large length, nothing sent", maxBodyBytes, 0, firstBytes, io.ErrUnexpectedEOF},
		{"a large length, little sent", maxBodyBytes, 10_000, firstBytes, io.ErrUnexpectedEOF},
		{"a large length, more sent", maxBodyBytes, 40_000, 64 << 10, io.ErrUnexpectedEOF},
		{"the largest", maxBodyBytes, maxBodyBytes, maxBodyBytes + 1, nil},
		{"the largest, of unknown length", -1, maxBodyBytes, maxBodyBytes + 1, nil},
		{"too large", -1, maxBodyBytes + 1, maxBodyBytes + 1, errTooLarge},
	} {
		b := newBodyBudget()
		h := b.hold(networkOf(netip.MustParseAddr("192.0.2.1")), false)
		if err := h.take(firstBytes); err != nil {
			t.Fatal(err)
		}
		var sent io.Reader = strings.NewReader(strings.Repeat("x", c.sent))
		if c.sent < c.length { // as net/http reports a body that is cut off
			sent = io.MultiReader(sent, iotest.ErrReader(io.ErrUnexpectedEOF))
		}
		steps := 0
		body, err := readAll(sent, c.length, &h, func(int) { steps++ })
		if !errors.Is(err, c.err) || c.err == nil && len(body) != c.sent {
			t.Errorf("%s: %d bytes, %v", c.name, len(body), err)
		}
		if h.bytes > c.most || cap(body) > h.bytes {
			t.Errorf("%s: %d bytes are held of %d for a buffer of %d", c.name, h.bytes, c.most, cap(body))
		}
		if c.sent >= 2*bodyStep && steps < 4 {
			t.Errorf("%s: %d reports of progress", c.name, steps)
		}
	}
}

func TestDecompressionHoldsItsMemory(t *testing.T) {
	t.Parallel()
	b := newBodyBudget()
	h := b.hold(networkOf(netip.MustParseAddr("192.0.2.1")), false)
	full := b.hold(h.network, false)
	if err := full.take(maxNetwork - 512<<10); err != nil {
		t.Fatal(err)
	}
	if _, err := decompress(packed(t, bytes.Repeat([]byte{0}, maxBodyBytes)), &h); !errors.Is(err, networkFull) {
		t.Errorf("1 MiB is decompressed without memory: %v", err)
	}
	full.release()
	if body, err := decompress(packed(t, bytes.Repeat([]byte{0}, maxBodyBytes)), &h); err != nil || len(body) != maxBodyBytes {
		t.Errorf("%d bytes, %v", len(body), err)
	}
}

func packed(t *testing.T, text []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	if _, err := z.Write(text); err != nil || z.Close() != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}
