package untrusted_test

import (
	"errors"
	"reflect"
	"testing"

	"callbridge/untrusted"
)

func TestCheckJSONCountsLevelsAndNumbersOutsideOfStrings(t *testing.T) {
	t.Parallel()
	long := func(number []byte) bool { return len(number) > 3 }
	for text, want := range map[string]error{
		`{"a":[1,-2,"[[[[ 12345 \" [[[["]}`: nil,
		`[[1]]`:                             nil,
		`[[[1]]]`:                           untrusted.ErrTooDeep,
		`[1],[2],[3]`:                       nil,
		`{"\\":1234}`:                       untrusted.ErrBadNumber,
		`-1e5`:                              untrusted.ErrBadNumber,
		`"open [[[[ 12345`:                  nil,
		`"\`:                                nil,
		``:                                  nil,
	} {
		if got := untrusted.CheckJSON([]byte(text), 2, long); !errors.Is(got, want) {
			t.Errorf("%s: %v, want %v", text, got, want)
		}
	}
}

func TestEachTextReachesNestedTextsOnly(t *testing.T) {
	t.Parallel()
	value := map[string]any{"a": "x", "b": []any{"x", 1.5, map[string]any{"x": "x"}}, "c": nil}
	got := untrusted.EachText(value, func(text string) string { return text + "!" })
	want := map[string]any{"a": "x!", "b": []any{"x!", 1.5, map[string]any{"x": "x!"}}, "c": nil}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %v", got)
	}
}
