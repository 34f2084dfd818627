package handlers

import (
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

// proxies tells from which address a request comes.
type proxies struct {
	trusted []netip.Prefix
	// header is the one header in which the trusted proxies write the sender's
	// address. Another one is never read: a proxy passes on what it does not set,
	// so the sender would choose its own address.
	header string
}

// newProxies ignores what is neither an address nor a network: cmd/callbridge has
// refused it at start.
func newProxies(trusted []string, header string) proxies {
	p := proxies{header: http.CanonicalHeaderKey(header)}
	if header == "" {
		p.header = "X-Forwarded-For"
	}
	for _, text := range trusted {
		if network, err := netip.ParsePrefix(text); err == nil {
			p.trusted = append(p.trusted, network.Masked())
		} else if ip, err := netip.ParseAddr(text); err == nil {
			ip = ip.Unmap()
			p.trusted = append(p.trusted, netip.PrefixFrom(ip, ip.BitLen()))
		}
	}
	return p
}

// address returns the sender's address, or the zero Addr if the connection has none.
// It reads the header from its end, where the nearest proxy has written, as long as
// proxies that are trusted have written it. Several lines of the header are one list
// (RFC 9110 section 5.3): HAProxy adds a line of its own. Where an entry is not an
// address, the proxy that wrote it counts as the sender.
func (p proxies) address(r *http.Request) netip.Addr {
	peer, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{}
	}
	ip := peer.Addr().Unmap().WithZone("")
	if len(p.trusted) == 0 {
		return ip
	}
	for _, line := range slices.Backward(r.Header[p.header]) {
		for rest, more := line, true; more; {
			if !p.trusts(ip) {
				return ip
			}
			var entry string
			rest, entry, more = cutLast(rest)
			next, ok := parseEntry(strings.TrimSpace(entry))
			if !ok {
				return ip
			}
			ip = next.Unmap().WithZone("")
		}
	}
	return ip
}

// parseEntry reads an address. Some proxies, such as Azure's Application Gateway, write
// the sender's port after it.
func parseEntry(text string) (netip.Addr, bool) {
	if ip, err := netip.ParseAddr(text); err == nil {
		return ip, true
	}
	withPort, err := netip.ParseAddrPort(text)
	return withPort.Addr(), err == nil
}

func (p proxies) trusts(ip netip.Addr) bool {
	return slices.ContainsFunc(p.trusted, func(n netip.Prefix) bool { return n.Contains(ip) })
}

// cutLast splits a list at its last comma.
func cutLast(list string) (before, last string, more bool) {
	i := strings.LastIndexByte(list, ',')
	if i < 0 {
		return "", list, false
	}
	return list[:i], list[i+1:], true
}

// networkOf returns an IPv4 address as /32 and the /64 of an IPv6 address: usually
// one host or site has all addresses of a /64. It returns the zero Prefix for the
// zero Addr.
func networkOf(ip netip.Addr) netip.Prefix {
	bits := 64
	if ip.Is4() {
		bits = 32
	}
	p, _ := ip.Prefix(bits)
	return p
}
