package main

import (
	"bytes"
	"strings"
	"testing"

	"callbridge/internal/testkit"
)

func TestHealthReportsReadiness(t *testing.T) {
	t.Parallel()
	b := startBridge(t, nil)
	_, port, _ := strings.Cut(strings.TrimPrefix(b.process.public.url(), "http://"), ":")
	var out bytes.Buffer
	testkit.Eventually(t, "healthy", func() bool {
		out.Reset()
		return health(t.Context(), &out, settings{HTTPAddr: ":" + port}, "/readyz") == nil
	})
	if !strings.Contains(out.String(), `"ready":true`) {
		t.Errorf("printed %s", out.String())
	}
	b.process.bus.Conn().Close()
	testkit.Eventually(t, "not healthy without NATS", func() bool {
		out.Reset()
		err := health(t.Context(), &out, settings{HTTPAddr: "0.0.0.0:" + port}, "/readyz")
		return err != nil && strings.Contains(err.Error(), "ADMIN_ADDR") && out.String() == "{\"ready\":false}\n"
	})
	if err := health(t.Context(), &out, settings{HTTPAddr: "0.0.0.0:" + port}, "/livez"); err != nil {
		t.Errorf("alive: %v", err)
	}
	if err := health(t.Context(), &out, settings{HTTPAddr: "127.0.0.1:1"}, "/livez"); err == nil {
		t.Error("a missing process is healthy")
	}
}
