package main

import (
	"fmt"
	"strings"
	"testing"
)

// TestStreamsRefusesWhatServeRefuses: else an administrator would make streams
// that serve does not start on. It sets real variables, so it runs alone.
func TestStreamsRefusesWhatServeRefuses(t *testing.T) {
	for name, c := range map[string]struct {
		env  map[string]string
		want string
	}{
		"replicas":        {map[string]string{"NATS_REPLICAS": "2"}, "NATS_REPLICAS 2 is none of 1, 3, 5"},
		"short retention": {map[string]string{"RETENTION": "1h"}, "RETENTION 1h0m0s is too short"},
		"no prefix":       {map[string]string{"NATS_SUBJECT_PREFIX": ""}, "NATS_SUBJECT_PREFIX"},
		"odd prefix":      {map[string]string{"NATS_SUBJECT_PREFIX": "call bridge; reboot"}, "NATS_SUBJECT_PREFIX"},
		"wildcard":        {map[string]string{"NATS_SUBJECT_PREFIX": "callbridge.>"}, "NATS_SUBJECT_PREFIX"},
		"no ack wait":     {map[string]string{"DIAL_ACK_WAIT": "0s"}, "DIAL_ACK_WAIT"},
		"long ack wait":   {map[string]string{"DIAL_ACK_WAIT": "10m"}, "DIAL_ACK_WAIT"},
		"not a number":    {map[string]string{"NATS_REPLICAS": "three"}, "NATS_REPLICAS"},
	} {
		t.Run(name, func(t *testing.T) {
			for variable, value := range c.env {
				t.Setenv(variable, value)
			}
			if code, out, errs := callbridge(t, "", "streams"); code != 1 || out != "" || !strings.Contains(errs, c.want) {
				t.Errorf("exit code %d, printed %d bytes, %q; want %q refused", code, len(out), errs, c.want)
			}
		})
	}
}

// TestStreamsNeedsNoAddress: an administrator may not have it yet.
func TestStreamsNeedsNoAddress(t *testing.T) {
	for _, env := range []map[string]string{
		{"NATS_REPLICAS": "3"},
		{"NATS_MANAGE": "false"},
		{"NATS_MANAGE": "false", "NATS_REPLICAS": "3", "NATS_URL": "nats://n1:4222,nats://n2:4222", "NATS_SUBJECT_PREFIX": "acme.call-bridge"},
	} {
		t.Run(fmt.Sprint(env), func(t *testing.T) {
			for variable, value := range env {
				t.Setenv(variable, value)
			}
			if code, out, errs := callbridge(t, "", "streams"); code != 0 || strings.Count(out, "nats stream add ") != 4 {
				t.Errorf("exit code %d: %s\n%s", code, errs, out)
			}
		})
	}
}
