package callabsim

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"
)

// columns can be sorted by. The documentation's list of filterable ones is cut
// off in every copy we know; the same are taken.
var columns = []string{
	"name", "created_at", "updated_at", "started_at", "ended_at", "call_duration", "call_sid", "call_from",
	"call_to", "call_provider", "call_status", "call_direction", "call_rating", "call_feedback", "record_url",
	"transcript", "transcript_language", "is_test", "cost", "price_unit", "latency", "disconnect_reason",
	"analysis_sentiment", "agent_task_status", "agent_task_feedback", "metadata", "notes",
	"agent_dynamic_variables", "agent_post_call_outcomes", "retry_at",
}

// value is one column of a call: null, a number, or a text.
type value struct {
	number float64
	text   string
	isNull bool
}

func column(c Call, name string) value {
	switch name {
	// The documentation: name "sorts by call_to".
	case "name":
		return value{text: c.CallTo}
	case "created_at":
		return moment(&c.CreatedAt)
	case "updated_at":
		return moment(&c.UpdatedAt)
	case "started_at":
		return moment(c.StartedAt)
	case "ended_at":
		return moment(c.EndedAt)
	case "retry_at":
		return moment(c.RetryAt)
	}
	// The JSON form has the column under its own name.
	var fields map[string]any
	data, err := json.Marshal(c)
	if err == nil {
		err = json.Unmarshal(data, &fields)
	}
	if err != nil {
		return value{isNull: true}
	}
	switch v := fields[name].(type) {
	case nil:
		return value{isNull: true}
	case float64:
		return value{number: v, text: fmt.Sprint(v)}
	case string:
		return value{text: v}
	default:
		text, _ := json.Marshal(v)
		return value{text: string(text)}
	}
}

// moment orders by time and compares as RFC 3339.
func moment(t *time.Time) value {
	if t == nil {
		return value{isNull: true}
	}
	return value{number: float64(t.UnixMicro()), text: t.Format(time.RFC3339)}
}

// sortBy sorts ascending; null comes first, and equals stay in the order they
// were created.
func sortBy(calls []Call, name string) {
	type keyed struct {
		key  value
		call Call
	}
	list := make([]keyed, len(calls))
	for i, c := range calls {
		list[i] = keyed{column(c, name), c}
	}
	slices.SortStableFunc(list, func(a, b keyed) int {
		if a.key.isNull != b.key.isNull {
			if a.key.isNull {
				return -1
			}
			return 1
		}
		return cmp.Or(cmp.Compare(a.key.number, b.key.number), strings.Compare(a.key.text, b.key.text))
	})
	for i, k := range list {
		calls[i] = k.call
	}
}

// filter is one row of filter_columns[], filter_operator[], filter_values[].
type filter struct{ column, operator, value string }

func readFilters(v url.Values) ([]filter, error) {
	names, values, operators := v["filter_columns[]"], v["filter_values[]"], v["filter_operator[]"]
	if len(names) != len(values) || len(names) != len(operators) {
		return nil, errors.New("filter_columns[], filter_values[] and filter_operator[] differ in length")
	}
	filters := make([]filter, len(names))
	for i, name := range names {
		if !slices.Contains(columns, name) {
			return nil, fmt.Errorf("filter column %q is not known", name)
		}
		if !slices.Contains([]string{"", "eq", "ne", "contains"}, operators[i]) {
			return nil, fmt.Errorf("filter operator %q is not known", operators[i])
		}
		filters[i] = filter{name, operators[i], strings.ToLower(values[i])}
	}
	return filters, nil
}

func (f filter) wants(c Call) bool {
	text := strings.ToLower(column(c, f.column).text)
	switch f.operator {
	case "contains":
		return strings.Contains(text, f.value)
	case "ne":
		return text != f.value
	}
	return text == f.value
}
