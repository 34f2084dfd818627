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

// callHead and callBody are a call as callbridge sends it, without the header
// Connection: close of a call on its own connection.
const (
	callBody = `{"ai_agent_id":"6f1f8f0e-5f57-4c0e-9d0a-1f6f4b0a7c11","call_from":"+12025550100","call_to":"+12025550142","call_direction":"outbound",` +
		`"agent_dynamic_variables":{"first_name":"Maria","company":"Northwind Heating & Air","score":"72"},"metadata":{"lead":"-"}}`
	callHead = "POST /v1/calls HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer " + callabToken + "\r\nContent-Type: application/json\r\n"
)

// connection measures the cost of a new connection for every call
// (docs/decisions/0003-dialling-once.md) without the network, where a new
// connection adds one round trip, and TLS another one.
func (c comparison) connection(ctx context.Context, t *table) error {
	server, client, err := selfSigned()
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

// callCost is the time and the processor time of one call.
type callCost struct{ p50, cpu time.Duration }

// callInTurn places calls one after another and returns the cost of one.
func (b *bench) callInTurn(ctx context.Context, server, client *tls.Config, reuse bool) (got callCost, err error) {
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
	if !reuse {
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
	return callCost{p50: quantile(times, .5), cpu: used / time.Duration(max(1, len(times)))}, ctx.Err()
}

// selfSigned returns a server configuration with a certificate for loopback, and
// a client configuration that trusts it and resumes sessions, as callbridge does.
func selfSigned() (server, client *tls.Config, err error) {
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
