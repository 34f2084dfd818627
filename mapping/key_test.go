package mapping_test

import (
	"fmt"
	"testing"

	"callbridge/event"
)

// All people would have the same key, and only the first would be called.
func TestPlaceholderIsNoKey(t *testing.T) {
	t.Parallel()
	for name, config := range map[string]string{
		"as usual":              fmt.Sprintf(identityConfig, "body:id"),
		"placeholders are kept": fmt.Sprintf(identityConfig, "body:id\n    text: {placeholders: keep}"),
	} {
		config := parse(t, config)
		for _, key := range []string{"{{id}}", "${Leads.Id}", "undefined", "[object Object]", "%ID%", "*|ID|*", " "} {
			in := read(t, config, "crm", "application/json", fmt.Sprintf(`{"id":%q,"phone":"+12025550142"}`, key))[0]
			if d := config.Map(in)[0]; d.Result == nil || d.Result.Reason != event.ReasonBadEvent {
				t.Errorf("%s: %q is a key: %+v", name, key, d)
			}
		}
	}
}
