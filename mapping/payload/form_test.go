package payload_test

import (
	"strings"
	"testing"

	"callbridge/mapping/payload"
)

func decodeForm(body string) (payload.Value, error) {
	return payload.Decode("application/x-www-form-urlencoded", payload.Auto, []byte(body))
}

func TestDecodeForm(t *testing.T) {
	t.Parallel()
	const conflict = "a key that is both a text and an object"
	tests := []struct {
		name, body, want, problem string
	}{
		{name: "flat", body: "first_name=Jane+Q.&phone=%2B12025550142", want: `{"first_name":"Jane Q.","phone":"+12025550142"}`},
		{name: "nested with numeric ids", body: "contact%5Bemail%5D=j%40example.com&contact%5Bfields%5D%5B39%5D=x&contact[fields][40]=y", want: `{"contact":{"email":"j@example.com","fields":{"39":"x","40":"y"}}}`},
		{name: "list", body: "tag[]=a&tag[]=b", want: `{"tag":["a","b"]}`},
		{name: "list of one", body: "tag[]=a", want: `{"tag":["a"]}`},
		{name: "repeated name", body: "tag=a&tag=b&tag=c", want: `{"tag":["a","b","c"]}`},
		{name: "numbered list", body: "item[1][sku]=b&item[0][sku]=a", want: `{"item":[{"sku":"a"},{"sku":"b"}]}`},
		{name: "numbered with a gap", body: "item[0]=a&item[2]=b", want: `{"item":{"0":"a","2":"b"}}`},
		{name: "numbers at the top stay names", body: "0=a", want: `{"0":"a"}`},
		{name: "no value", body: "a&b=&&", want: `{"a":"","b":""}`},
		{name: "semicolon is text", body: "a=1;b=2", want: `{"a":"1;b=2"}`},
		{name: "brackets within a name", body: "Phone+[mobile]+no.=1&[x]=2&a[b=3&a[][b]=4&a]=5", want: `{"Phone [mobile] no.":"1","[x]":"2","a[][b]":"4","a[b":"3","a]":"5"}`},
		{name: "text, then object", body: "a=1&a[b]=2", problem: conflict},
		{name: "object, then text", body: "a[b]=2&a=1", problem: conflict},
		{name: "list, then object", body: "a[]=2&a[b]=1", problem: conflict},
		{name: "broken escape", body: "a=1&b=%zz", problem: "a % that two hex digits do not follow"},
		{name: "too deep", body: "a" + strings.Repeat("[b]", payload.MaxDepth) + "=1", problem: "nested too deeply"},
		{name: "too many values", body: strings.Repeat("a=&", payload.MaxNodes+1), problem: "too many values"},
	}
	for _, tt := range tests {
		tree, err := decodeForm(tt.body)
		if problem(err) != tt.problem {
			t.Errorf("%s: error %v, want %q", tt.name, err, tt.problem)
			continue
		}
		if err == nil && asJSON(t, tree) != tt.want {
			t.Errorf("%s: %s, want %s", tt.name, asJSON(t, tree), tt.want)
		}
	}
}

func TestDecodeFormSaysWhere(t *testing.T) {
	t.Parallel()
	_, err := decodeForm("a=1&secret=%zz")
	want := "read form body: line 1, column 5: a % that two hex digits do not follow"
	if err == nil || err.Error() != want {
		t.Errorf("error %v, want %s", err, want)
	}
}

func FuzzDecodeForm(f *testing.F) {
	for _, seed := range []string{
		"a=1&b[c]=2&b[d][]=3&b[d][]=4", "a[0]=1&a[1]=2", "a=%zz", "a[=1&]=2&[]=3&=", "a=1&a[b]=2", "a%00=%FF",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, body string) {
		if tree, err := decodeForm(body); err == nil {
			roundTrips(t, tree)
		}
	})
}
