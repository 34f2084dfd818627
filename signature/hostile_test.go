package signature_test

import (
	"strings"
	"testing"

	"callbridge/signature"
)

// hostileBodies are bodies of a MiB, each the most expensive of its kind for a
// parser that builds something of it.
func hostileBodies() map[string]struct{ contentType, body string } {
	const mib = 1 << 20
	fill := func(before, repeated, after string) string {
		return before + strings.Repeat(repeated, (mib-len(before)-len(after))/len(repeated)) + after
	}
	return map[string]struct{ contentType, body string }{
		"members":          {"application/json", fill(`{`, `"a":0,`, `"b":0}`)},
		"members, escaped": {"application/json", fill(`{`, `"\u0061":0,`, `"b":0}`)},
		"numbers":          {"application/json", fill(`{"x":[`, `0,`, `0]}`)},
		"nested objects":   {"application/json", fill(``, `{"a":{"secret":`, ``)},
		"nested lists":     {"application/json", fill(`{"a":`, `[`, ``)},
		"objects":          {"application/json", fill(`{"a":[`, `{},`, `{}]}`)},
		"one text":         {"application/json", fill(`{"x":"`, `x`, `"}`)},
		"form":             {formType, fill(``, `a&`, ``)},
		"form, escaped":    {formType, fill(``, `%61=%61&`, ``)},
		"repeated secret":  {formType, fill(``, `secret=a&`, ``)},
		"escaped quotes":   {"application/json", fill(`{"x":"`, `\"`, `"}`)},
		"backslashes":      {"application/json", fill(`{"x":"`, `\\`, `"}`)},
	}
}

// TestAHostileMebibyteCostsNoMemory holds what an unverified sender can cause: the
// body is read once, and nothing is built of it. What made it expensive was memory,
// which does not depend on the speed of the machine.
func TestAHostileMebibyteCostsNoMemory(t *testing.T) {
	// AllocsPerRun counts the allocations of the whole process: not parallel.
	for _, path := range []string{"secret", "a.a.secret"} {
		v := verifier(t, signature.Config{Kind: "token", BodyPath: path}.WithSecrets(key))
		for name, hostile := range hostileBodies() {
			r := request(headers{"Content-Type": hostile.contentType})
			r.Body = []byte(hostile.body)
			const most = 20
			got := testing.AllocsPerRun(2, func() {
				if v.Verify(r, now) == nil {
					t.Errorf("%s at %s: accepted", name, path)
				}
			})
			if got > most {
				t.Errorf("%s at %s: %g allocations, want at most %d", name, path, got, most)
			}
		}
	}
}

func TestAFormOfTooManyParametersIsRefusedUnread(t *testing.T) {
	t.Parallel()
	v := verifier(t, twilio().WithSecrets(key))
	for _, n := range []int{9_999, 10_000} {
		r := request(headers{"Content-Type": formType, "X-Twilio-Signature": "AAAA"})
		r.Body = []byte(strings.Repeat("a=1&", n) + "b=1")
		want := "hmac: no signature matches"
		if n == 10_000 {
			want = "hmac: body has more than 10000 parameters"
		}
		expect(t, v.Verify(r, now), want)
	}
}

func TestTheFieldIsFoundInAnyShape(t *testing.T) {
	t.Parallel()
	v := verifier(t, signature.Config{Kind: "token", BodyPath: "a.secret"}.WithSecrets("to\"ken\\-é"))
	const token = `"to\"ken\\-é"`
	for name, c := range map[string]struct{ body, want string }{
		"first":                     {`{"a":{"secret":` + token + `}}`, ""},
		"spaced":                    {"\r\n{ \"a\"\t:\n{ \"secret\" : " + token + " } }", ""},
		"behind other members":      {`{"x":1,"y":[{"a":{"secret":"no"}},"]}"],"z":"\\","a":{"b":{},"c":[],"d":-1.5e3,"e":null,"f":true,"secret":` + token + `}}`, ""},
		"escaped":                   {`{"\u0061":{"secre\u0074":"to\u0022ken\u005c-\u00e9"}}`, ""},
		"a name with a quote":       {`{"a\"":{},"\\":"\\\"","a":{"secret":` + token + `}}`, ""},
		"of another case":           {`{"a":{"Secret":` + token + `}}`, "token: body field a.secret is missing"},
		"one level too high":        {`{"secret":` + token + `,"a":{}}`, "token: body field a.secret is missing"},
		"one level too deep":        {`{"a":{"a":{"secret":` + token + `}}}`, "token: body field a.secret is missing"},
		"in a text":                 {`{"b":"\"a\":{\"secret\":` + `\"x\"}"}`, "token: body field a.secret is missing"},
		"null":                      {`{"a":{"secret":null}}`, "token: body field a.secret is missing"},
		"empty":                     {`{"a":{"secret":""}}`, "token: body field a.secret is missing"},
		"a list":                    {`{"a":{"secret":[` + token + `]}}`, "token: body field a.secret cannot be read"},
		"true":                      {`{"a":{"secret":true}}`, "token: body field a.secret cannot be read"},
		"no JSON number":            {`{"a":{"secret":01}}`, "token: body field a.secret cannot be read"},
		"not a string":              {`{"a":{"secret":"\x"}}`, "token: body field a.secret cannot be read"},
		"cut off in the value":      {`{"a":{"secret":"to`, "token: body field a.secret cannot be read"},
		"cut off in a list":         {`{"b":[1,2`, "token: body field a.secret cannot be read"},
		"cut off in a name":         {`{"a`, "token: body field a.secret cannot be read"},
		"without a comma":           {`{"b":1 "a":{"secret":` + token + `}}`, "token: body field a.secret cannot be read"},
		"a list on top":             {`[{"a":{"secret":` + token + `}}]`, "token: body field a.secret cannot be read"},
		"the first of two counts":   {`{"a":{"secret":"no","secret":` + token + `}}`, "token: body field a.secret does not match"},
		"the first object of two":   {`{"a":{},"a":{"secret":` + token + `}}`, "token: body field a.secret is missing"},
		"a number is a text":        {`{"a":{"secret":12}}`, "token: body field a.secret does not match"},
		"a word that is no literal": {`{"a":{"secret":nil}}`, "token: body field a.secret cannot be read"},
	} {
		r := request(headers{"Content-Type": "application/json"})
		r.Body = []byte(c.body)
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			expect(t, v.Verify(r, now), c.want)
		})
	}
}

// BenchmarkVerifyHostileBody measures a body of a MiB from an unverified sender.
func BenchmarkVerifyHostileBody(b *testing.B) {
	for name, hostile := range hostileBodies() {
		b.Run(name, func(b *testing.B) {
			v := verifier(b, signature.Config{Kind: "token", BodyPath: "secret"}.WithSecrets(key))
			r := request(headers{"Content-Type": hostile.contentType})
			r.Body = []byte(hostile.body)
			b.ReportAllocs()
			for b.Loop() {
				if v.Verify(r, now) == nil {
					b.Fatal("accepted")
				}
			}
		})
	}
}
