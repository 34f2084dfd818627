package payload_test

import (
	"encoding/json"
	"errors"
	"io"
	"reflect"
	"strings"
	"testing"
	"unicode/utf8"

	"callbridge/mapping/payload"
)

func decodeJSON(body string) (payload.Value, error) {
	return payload.Decode("application/json", payload.Auto, []byte(body))
}

func TestDecodeJSONKeepsNumbersExactly(t *testing.T) {
	t.Parallel()
	for _, digits := range []string{"9007199254740993", "1.10", "-0", "1E+300", "0.30000000000000004"} {
		tree, err := decodeJSON(`{"id":` + digits + `}`)
		if err != nil {
			t.Fatal(err)
		}
		want := map[string]any{"id": json.Number(digits)}
		if !reflect.DeepEqual(tree, want) {
			t.Errorf("%s came out as %v", digits, tree)
		}
	}
}

func TestDecodeJSONRefusals(t *testing.T) {
	t.Parallel()
	const (
		duplicate = "a key that its object already has"
		early     = "the text ends too early"
	)
	tests := []struct {
		name, body   string
		problem      string
		line, column int
	}{
		{"duplicate key", `{"a":1,"b":{"a":2,"a":3}}`, duplicate, 1, 19},
		{"duplicate key written in two ways", "{\"phone\":1,\n \"\\u0070hone\":2}", duplicate, 2, 2},
		{"trailing value", `{"a":1} {}`, "more text after the end of the value", 1, 9},
		{"cut off in a string", `{"a":"b`, early, 1, 8},
		{"cut off after an escape", `{"a":"b\`, early, 1, 9},
		{"cut off in an object", `{"a":1`, early, 1, 7},
		{"cut off after a colon", `{"a":`, early, 1, 6},
		{"bare word", "{\n  \"a\": nil}", "not JSON: a word without quotes", 2, 8},
		{"column in characters", `{"é":x}`, "not JSON: a word without quotes", 1, 6},
		{"not a number", `{"a":NaN}`, "not JSON: a word without quotes", 1, 6},
		{"leading zero", `{"a":01}`, "not JSON: a number that JSON does not have", 1, 7},
		{"lonely minus", `[-]`, "not JSON: a number that JSON does not have", 1, 2},
		{"no digits after the point", `[1.]`, "not JSON: a number that JSON does not have", 1, 2},
		{"empty exponent", `[1e+]`, "not JSON: a number that JSON does not have", 1, 2},
		{"comma before the end", `[1,]`, "not JSON: a comma before } or ]", 1, 4},
		{"comma before the end of an object", "{\"a\":1,\n}", "not JSON: a comma before } or ]", 2, 1},
		{"wrong bracket", `{"a":[1}}`, "not JSON: a } or ] where a value or another bracket belongs", 1, 8},
		{"no comma", "{\"a\":1\n \"b\":2}", "not JSON: a comma or a colon is missing before this", 2, 2},
		{"no colon", `{"a" "b"}`, "not JSON: a comma or a colon is missing before this", 1, 6},
		{"no comma in a list", `[{"a":1} {"b":2}]`, "not JSON: a comma or a colon is missing before this", 1, 10},
		{"key without quotes", `{a:1}`, "not JSON: a word without quotes", 1, 2},
		{"single quotes", `{'a':1}`, `not JSON: a text in other quotes than "`, 1, 2},
		{"curly quotes", `{“a”:1}`, `not JSON: a text in other quotes than "`, 1, 2},
		{"comment", "{\"a\":1, // x\n}", "not JSON: a comment", 1, 9},
		{"HTML", `<html>`, "not JSON: HTML or XML", 1, 1},
		{"line break in a string", "[\"a\nb\"]", `not JSON: a line break or another control character in a text, which JSON writes as \n`, 1, 4},
		{"unknown escape", `["\x"]`, `not JSON: a \ in a text, which JSON writes as \\`, 1, 2},
		{"beyond a float64", `[1e400]`, "a number of more than 64 characters, with an exponent of more than 3 digits, or beyond 1e308", 1, 2},
		{"beyond a float64, negative", `[-1.5E+309]`, "a number of more than 64 characters, with an exponent of more than 3 digits, or beyond 1e308", 1, 2},
		{"not UTF-8", "{\"a\":\"\xff\"}", "not UTF-8", 1, 7},
		{"too deep", strings.Repeat("[", payload.MaxDepth+1), "nested too deeply", 1, payload.MaxDepth + 1},
		{"too many values", "[" + strings.Repeat("1,", payload.MaxNodes) + "1]", "too many values", 1, 2 * payload.MaxNodes},
	}
	for _, tt := range tests {
		_, err := decodeJSON(tt.body)
		var syntax *payload.SyntaxError
		if !errors.As(err, &syntax) {
			t.Errorf("%s: error %v, want a syntax error", tt.name, err)
			continue
		}
		if syntax.Problem != tt.problem || syntax.Line != tt.line || syntax.Column != tt.column {
			t.Errorf("%s: %v, want line %d, column %d: %s", tt.name, err, tt.line, tt.column, tt.problem)
		}
	}
}

func TestDecodeJSONErrorsHoldNothingOfTheBody(t *testing.T) {
	t.Parallel()
	for _, body := range []string{`{"secret":"hush"`, `{"secret":hush}`, `{"secret":1,"secret":2}`, `{} secret`} {
		_, err := decodeJSON(body)
		if err == nil || strings.Contains(err.Error(), "secret") || strings.Contains(err.Error(), "hush") {
			t.Errorf("%s: error %v", body, err)
		}
	}
}

func TestDecodeJSONReachesItsLimits(t *testing.T) {
	t.Parallel()
	deep := strings.Repeat("[", payload.MaxDepth) + strings.Repeat("]", payload.MaxDepth)
	tree, err := decodeJSON(deep)
	if err != nil {
		t.Fatal(err)
	}
	roundTrips(t, tree)
}

// FuzzDecodeJSON compares with encoding/json: the same trees, and no errors but
// those that Decode documents.
func FuzzDecodeJSON(f *testing.F) {
	for _, seed := range []string{
		`{"a":[1,-2.5e+3,"x\n\u00e9\ud83d\ude00",true,false,null,{}],"b":{"c":""}}`,
		`{"a":1,"a":2}`, `[1,]`, `"\ud800"`, `01`, "\xff", `{"a"`, ` [] `, `nullx`, "[\"\x00\"]",
	} {
		f.Add(seed)
	}
	documented := map[string]bool{
		"a key that its object already has": true, "nested too deeply": true, "too many values": true,
		"not UTF-8": true, "the body is empty": true,
	}
	f.Fuzz(func(t *testing.T, body string) {
		dec := json.NewDecoder(strings.NewReader(strings.TrimPrefix(body, "\ufeff")))
		dec.UseNumber()
		var want any
		wantErr := dec.Decode(&want)
		if _, more := dec.Token(); wantErr == nil && !errors.Is(more, io.EOF) {
			wantErr = errors.New("more text")
		}
		got, err := decodeJSON(body)
		switch {
		case err == nil && (wantErr != nil || !utf8.ValidString(body)):
			t.Fatalf("read what encoding/json refuses: %v", wantErr)
		case err == nil && !reflect.DeepEqual(got, want):
			t.Fatalf("read %v, encoding/json %v", got, want)
		case err == nil:
			roundTrips(t, got)
		case wantErr == nil && !documented[problem(err)] && !strings.Contains(err.Error(), "a number of more than 64 characters"):
			t.Fatalf("refused what encoding/json reads: %v", err)
		}
	})
}
