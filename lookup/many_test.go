package lookup_test

import (
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"callbridge/internal/testkit"
)

// All sources but one hang at the same time, each with its four lookups.
func TestManyCRMsThatHangDoNotDelayTheEventsOfAnother(t *testing.T) {
	t.Parallel()
	const hanging = 23
	var running atomic.Int64
	ended := make(chan struct{})
	slow := newCRM(t, func(http.ResponseWriter, *http.Request) {
		running.Add(1)
		<-ended
	})
	t.Cleanup(func() { close(ended) })
	fast := newCRM(t, ada)
	text, names := "sources:", []string{}
	for i := range hanging {
		names = append(names, fmt.Sprintf("slow%d", i))
		text += fmt.Sprintf(source, names[i], slow.URL, "timeout: 5m")
	}
	text += fmt.Sprintf(source, "fast", fast.URL, "") + fmt.Sprintf(routes, strings.Join(append(names, "fast"), ", "))
	f := setupWith(t, t.TempDir(), text)
	for i := range 6 {
		for _, name := range names {
			f.send(name, fmt.Sprintf(`{"id":"s%d","object":%d}`, i, i))
		}
	}
	testkit.Eventually(t, "four lookups of each hang", func() bool { return running.Load() >= 4*hanging })
	f.send("fast", `{"id":"f1","object":1}`)
	if got := f.next(); got.key != "f1" || got.what != "requested" {
		t.Errorf("%s: %s (%s)", got.key, got.what, got.text)
	}
}
