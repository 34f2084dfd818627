package payload_test

import (
	"errors"
	"testing"

	"callbridge/mapping/payload"
)

func TestParsePathSaysWhatIsWrongAndWhere(t *testing.T) {
	t.Parallel()
	tests := []struct {
		path, problem string
		column        int
	}{
		{``, `the path ends where a key should be`, 1},
		{`a.`, `the path ends where a key should be`, 3},
		{`.a`, `expected a key`, 1},
		{`a..b`, `expected a key`, 3},
		{`First Name`, `expected . or [ or the end`, 6},
		{`größe name`, `expected . or [ or the end`, 6},
		{`a.[0]`, `expected a key`, 3},
		{`a[0]b`, `expected . or [ or the end`, 5},
		{`a["b`, `the quote is not closed`, 3},
		{`"a\n"`, `\ stands before " and \ only`, 3},
		{`a[`, `the path ends where a key should be`, 3},
		{`a[]`, `expected a position, * or key=text`, 3},
		{`a[b]`, `expected =`, 4},
		{`a[--]`, `expected a position, * or key=text`, 3},
		{`a[1`, `expected =`, 4},
		{`a[*`, `expected ]`, 4},
		{`a[b=`, `expected a text after =`, 5},
		{`a[b=]`, `expected a text after =`, 5},
		{`a[b=Work phone]`, `expected ]`, 9},
		{`a[b="x"y]`, `expected ]`, 8},
		{`a[b[*]=x]`, `[*] cannot stand inside of brackets`, 3},
		{`a[99999999999999999999]`, `expected a position, * or key=text`, 3},
	}
	for _, tt := range tests {
		_, err := payload.ParsePath(tt.path)
		var wrong *payload.PathError
		if !errors.As(err, &wrong) {
			t.Errorf("%s: error %v, want a path error", tt.path, err)
			continue
		}
		if wrong.Problem != tt.problem || wrong.Column != tt.column {
			t.Errorf("%s: %v, want column %d: %s", tt.path, err, tt.column, tt.problem)
		}
	}
}

func TestPathErrorHints(t *testing.T) {
	t.Parallel()
	_, err := payload.ParsePath(`phones[type=Work phone]`)
	want := `path "phones[type=Work phone]": column 17: expected ] (a text with other characters than letters and digits goes in quotes: [type="Work phone"])`
	if err == nil || err.Error() != want {
		t.Errorf("error %v\nwant  %s", err, want)
	}
}

// FuzzPath holds that what can be parsed can be written and used, and that
// Lookup is the first of All.
func FuzzPath(f *testing.F) {
	for _, seed := range []string{
		`contact.phone`, `"First Name"`, `phone[label=mobile].value`, `answers[field.ref="my phone"]`, `a[-1][*]`, `entry[*].changes[0]`,
		`a[b[0].c=d]`, `[[[`, `"\`, "\xff", `[a="]`, `phone[-9223372036854775808]`,
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		p, err := payload.ParsePath(text)
		if err != nil {
			var wrong *payload.PathError
			if !errors.As(err, &wrong) || wrong.Column < 1 {
				t.Fatalf("error %v", err)
			}
			return
		}
		if _, err := payload.ParsePath(p.String()); err != nil {
			t.Fatalf("%q was read, but not %q: %v", text, p, err)
		}
		v := tree(t)
		first, ok := p.Lookup(v)
		all := p.All(v)
		if ok != (len(all) > 0) || ok && asJSON(t, first) != asJSON(t, all[0]) {
			t.Fatalf("Lookup = %v, %t; All = %v", first, ok, all)
		}
	})
}
