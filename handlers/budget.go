package handlers

import (
	"net/netip"
	"sync"
)

// The budget of memory for webhooks that are not verified yet. A usual webhook is
// verified within a millisecond, so a thousand a second from one proxy hold a few
// hundred kilobytes.
const (
	maxUnverified = 32 << 20
	// maxUnproved is the part of it for networks that have not proved themselves, so
	// that they cannot use up that of the others.
	maxUnproved = 24 << 20
	// maxNetwork is the part of one network.
	maxNetwork = 8 << 20
	// firstBytes is held for each webhook: its connection and goroutine, and the
	// first firstBytes of its body.
	firstBytes = 16 << 10
)

// budgetError says which part of the budget is used up.
type budgetError string

const (
	networkFull budgetError = "network"
	allFull     budgetError = "all"
)

func (e budgetError) Error() string {
	return "too much is held of webhooks that are not verified: " + string(e)
}

// bodyBudget counts the memory of webhooks that are not verified yet.
type bodyBudget struct {
	mu       sync.Mutex
	total    int
	networks map[netip.Prefix]int
}

func newBodyBudget() *bodyBudget { return &bodyBudget{networks: map[netip.Prefix]int{}} }

// held is the part of the budget that one webhook has.
type held struct {
	budget  *bodyBudget
	network netip.Prefix
	// most is the limit of the total for this sender, mostNetwork that of its network.
	most, mostNetwork, bytes int
}

// hold returns the part of a new webhook, without memory.
func (b *bodyBudget) hold(network netip.Prefix, proved bool) held {
	h := held{budget: b, network: network, most: maxUnproved, mostNetwork: maxNetwork}
	if proved {
		h.most = maxUnverified
	}
	return h
}

// take adds memory to the part before it is allocated. Without an error it is given
// back by give or release.
func (h *held) take(n int) error {
	b := h.budget
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case b.networks[h.network]+n > h.mostNetwork:
		return networkFull
	case b.total+n > h.most:
		return allFull
	}
	b.total += n
	b.networks[h.network] += n
	h.bytes += n
	return nil
}

// give gives a part of the memory back.
func (h *held) give(n int) {
	if n == 0 {
		return
	}
	b := h.budget
	b.mu.Lock()
	defer b.mu.Unlock()
	b.total -= n
	h.bytes -= n
	if b.networks[h.network] -= n; b.networks[h.network] <= 0 {
		delete(b.networks, h.network)
	}
}

// release ends the hold: the sender was verified or refused. It may be called twice.
func (h *held) release() { h.give(h.bytes) }
