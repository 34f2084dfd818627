package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"math/big"
	"net"
	"os"
	"time"
)

// callWire is a call as callbridge sends it; Connection: close is what a call
// on a connection of its own says.
const (
	callBody = `{"ai_agent_id":"6f1f8f0e-5f57-4c0e-9d0a-1f6f4b0a7c11","call_from":"+12025550100","call_to":"+12025550142","call_direction":"outbound",` +
		`"agent_dynamic_variables":{"first_name":"Maria","company":"Northwind Heating & Air","score":"72"},"metadata":{"lead":"-"}}`
	callHead = "POST /v1/calls HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer " + callabToken + "\r\nContent-Type: application/json\r\n"
)

// connection measures what it costs that every call has a connection of its own
// (docs/decisions/0003-dialling-once.md), without the network: a fresh one adds
// a round trip there, and one more where it is TLS.
func (c comparison) connection(ctx context.Context, t *table) error {
	server, client, err := certify()
	if err != nil {
		return err
	}
	for _, way := range []struct {
		name           string
		server, client *tls.Config
	}{{"http", nil, nil}, {"https", server, client}} {
		kept, err := c.callInTurn(ctx, way.server, way.client, true)
		if err != nil {
			return err
		}
		fresh, err := c.callInTurn(ctx, way.server, way.client, false)
		if err != nil {
			return err
		}
		t.add(way.name+", kept connection", microseconds(kept.p50), unknown, processor(kept.cpu, microseconds), unknown)
		t.add(way.name+", fresh connection", microseconds(fresh.p50), microseconds(fresh.p50-kept.p50),
			processor(fresh.cpu, microseconds), processor(fresh.cpu-kept.cpu, microseconds))
	}
	return nil
}

// one is what one call takes.
type one struct{ p50, cpu time.Duration }

// callInTurn places calls one after the other.
func (b *bench) callInTurn(ctx context.Context, server, client *tls.Config, keep bool) (got one, err error) {
	a, err := listen()
	if err != nil {
		return got, err
	}
	defer a.close()
	conn := &connection{dial: func() (net.Conn, error) { return net.Dial("tcp", a.socket.Addr().String()) }}
	defer conn.close()
	if server == nil {
		go a.serve(a.socket)
	} else {
		go a.serve(tls.NewListener(a.socket, server))
		conn.dial = func() (net.Conn, error) { return tls.Dial("tcp", a.socket.Addr().String(), client) }
	}
	head := fmt.Sprintf("%sContent-Length: %d\r\n", callHead, len(callBody))
	if !keep {
		head += "Connection: close\r\n"
	}
	var times []time.Duration
	before := cpu(os.Getpid())
	for end := time.Now().Add(b.time); time.Now().Before(end) && ctx.Err() == nil; {
		began := time.Now()
		if _, err := conn.post([]byte(head + "\r\n" + callBody)); err != nil {
			return got, fmt.Errorf("place a call: %w", err)
		}
		times = append(times, time.Since(began))
	}
	used := cpu(os.Getpid()) - before
	return one{p50: quantile(times, .5), cpu: used / time.Duration(max(1, len(times)))}, ctx.Err()
}

// certify makes a certificate for loopback, and who trusts it and resumes
// sessions, as the client of callbridge does.
func certify() (server, client *tls.Config, err error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, err
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		return nil, nil, err
	}
	made, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, nil, err
	}
	trusted := x509.NewCertPool()
	trusted.AddCert(made)
	return &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}},
		&tls.Config{RootCAs: trusted, ClientSessionCache: tls.NewLRUClientSessionCache(0)}, nil
}
