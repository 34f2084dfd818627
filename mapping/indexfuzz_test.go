package mapping_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
)

// FuzzIndex makes routes and events by dice, and holds what is decided with
// the index against what is decided without.
func FuzzIndex(f *testing.F) {
	for seed := range uint64(30) {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, seed uint64) {
		d := dice{rand.New(rand.NewPCG(seed, 0))}
		config := parse(t, indexConfig+d.routes())
		for range 20 {
			in := single(t, config, d.event())
			sameAsEveryRule(t, config, in)
			answered, err := in.WithLookup([]byte(d.event()), "application/json")
			if err != nil {
				t.Fatal(err)
			}
			sameAsEveryRule(t, config, answered)
		}
	})
}

type dice struct{ *rand.Rand }

func (d dice) of(all ...string) string { return all[d.IntN(len(all))] }

func (d dice) routes() string {
	var text strings.Builder
	for i := range 1 + d.IntN(20) {
		more := d.of("", "mode: live, ") + d.of("", "", "stop: true, ") + d.of("", "", "", "enabled: false, ")
		text.WriteString(route(fmt.Sprint("r", i), more, d.of(d.rule(3), d.rule(3), d.rule(3), d.rule(3), "")))
	}
	return text.String()
}

func (d dice) rule(depth int) string {
	switch {
	case depth == 0:
		return d.condition()
	case d.IntN(2) == 0:
		return d.of(d.test(), d.test()+" && "+d.rule(depth-1), "("+d.rule(depth-1)+") && "+d.test())
	}
	a, b := d.rule(depth-1), d.rule(depth-1)
	return d.of("("+a+") && ("+b+")", a+" || "+b, "!("+a+")", "("+a+") ? ("+b+") : "+d.condition())
}

func (d dice) condition() string {
	field, text := d.field(), d.text()
	return d.of(field+" != "+text, field+" in []", field+" in ["+text+", stage]", field+" == stage",
		"present("+field+")", "consent", d.bound(), d.bound(), text+" in tags", `tags[1] == `+text,
		"tags.all(tag, !"+field+".contains(tag))")
}

// test is what the index is made of.
func (d dice) test() string {
	field, a, b := d.field(), d.text(), d.text()
	return d.of(field+" == "+a, a+" == "+field, field+" in ["+a+", "+b+"]", "("+field+" == "+a+" || "+b+" == "+field+")",
		d.bound(), d.bound())
}

// bound is a number that the index looks at.
func (d dice) bound() string {
	operator, number := d.of("<", "<=", ">", ">="), d.number()
	if d.IntN(4) == 0 {
		operator, number = "==", d.of("9", "8.0", "0") // no larger ones are taken there
	}
	return d.of("score "+operator+" "+number, number+" "+operator+" score")
}

func (d dice) number() string {
	return d.of("9", "9.0", "-9.5", "10", "8", "0", "9007199254740993", "9007199254740992.0", "1e300", "-1e300")
}

func (d dice) field() string {
	return d.of("stage", "stage", "stage", "owner", "owner", "type", "job", "nation", "plan", "key")
}

func (d dice) text() string { return d.of(`"a"`, `"b"`, `"DE"`, `"free"`) }

// event lacks fields, and has odd ones.
func (d dice) event() string {
	var members []string
	for _, field := range []string{"id", "type", "stage", "owner", "job", "nation", "plan", "consent", "score", "tags", "phone", "ask"} {
		switch d.IntN(8) {
		case 0:
		case 1:
			members = append(members, fmt.Sprintf("%q: {}", field))
		case 2:
			members = append(members, fmt.Sprintf("%q: %s", field, d.of(`null`, `" "`, `7`, `["a", "b"]`, `[]`, `true`)))
		default:
			value, ok := map[string]string{"phone": `"+12025550142"`, "consent": `"yes"`, "score": d.of("9", d.number()), "ask": "true"}[field]
			if !ok {
				value = d.text()
			}
			members = append(members, fmt.Sprintf("%q: %s", field, value))
		}
	}
	return "{" + strings.Join(members, ", ") + "}"
}
