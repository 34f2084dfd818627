package handlers

import (
	"net/http"
	"testing"
)

func TestAddressIsTheLastThatNoTrustedProxyHas(t *testing.T) {
	t.Parallel()
	forwarded := func(lines ...string) http.Header { return http.Header{"X-Forwarded-For": lines} }
	for _, c := range []struct {
		name, peer string
		proxies    []string
		setting    string
		header     http.Header
		want       string
	}{
		{"nobody is trusted", "127.0.0.1:9", nil, "", forwarded("198.51.100.7"), "127.0.0.1"},
		{"another proxy is trusted", "127.0.0.1:9", []string{"192.0.2.0/24"}, "", forwarded("198.51.100.7"), "127.0.0.1"},
		{"one value", "127.0.0.1:9", []string{"127.0.0.1"}, "", forwarded("198.51.100.7"), "198.51.100.7"},
		{"a network is trusted", "127.0.0.1:9", []string{"127.0.0.9/8"}, "", forwarded("198.51.100.7"), "198.51.100.7"},
		{"a first value of the sender", "127.0.0.1:9", []string{"127.0.0.1"}, "", forwarded("203.0.113.9, 198.51.100.7"), "198.51.100.7"},
		{"a first line of the sender", "127.0.0.1:9", []string{"127.0.0.1"}, "", forwarded("203.0.113.9", "198.51.100.7"), "198.51.100.7"},
		{"two proxies", "127.0.0.1:9", []string{"127.0.0.1", "10.0.0.0/8"}, "", forwarded("203.0.113.9, 198.51.100.7, 10.1.2.3"), "198.51.100.7"},
		{"two proxies, the second is not trusted", "127.0.0.1:9", []string{"127.0.0.1"}, "", forwarded("198.51.100.7, 10.1.2.3"), "10.1.2.3"},
		{"a value that is no address", "127.0.0.1:9", []string{"127.0.0.1"}, "", forwarded("198.51.100.7, unknown"), "127.0.0.1"},
		{"with a port", "127.0.0.1:9", []string{"127.0.0.1"}, "", forwarded("203.0.113.9:1, 198.51.100.7:443"), "198.51.100.7"},
		{"IPv6 with a port", "127.0.0.1:9", []string{"127.0.0.1"}, "", forwarded("[2001:470::7]:443"), "2001:470::7"},
		{"an empty value", "127.0.0.1:9", []string{"127.0.0.1"}, "", forwarded(""), "127.0.0.1"},
		{"no header", "127.0.0.1:9", []string{"127.0.0.1"}, "", nil, "127.0.0.1"},
		{"the sender sends X-Real-IP", "127.0.0.1:9", []string{"127.0.0.1"}, "", http.Header{"X-Real-Ip": {"203.0.113.9"}}, "127.0.0.1"},
		{"the proxy sets X-Real-IP, the sender sends X-Forwarded-For", "127.0.0.1:9", []string{"127.0.0.1"}, "X-Real-IP",
			http.Header{"X-Forwarded-For": {"203.0.113.9"}, "X-Real-Ip": {"198.51.100.7"}}, "198.51.100.7"},
		{"X-Real-IP from nobody", "192.0.2.1:9", []string{"127.0.0.1"}, "X-Real-IP", http.Header{"X-Real-Ip": {"198.51.100.7"}}, "192.0.2.1"},
		{"IPv4 in IPv6", "[::ffff:127.0.0.1]:9", []string{"127.0.0.1"}, "", forwarded("::ffff:198.51.100.7"), "198.51.100.7"},
		{"IPv6", "[2001:db8::1]:9", []string{"2001:db8::/32"}, "", forwarded("2001:470::7"), "2001:470::7"},
	} {
		got := newProxies(c.proxies, c.setting).address(&http.Request{RemoteAddr: c.peer, Header: c.header})
		if got.String() != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
	}
	if got := newProxies(nil, "").address(&http.Request{RemoteAddr: "@"}); got.IsValid() || networkOf(got).IsValid() {
		t.Errorf("a connection without an address comes from %s", got)
	}
}
