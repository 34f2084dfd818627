package mapping_test

import (
	"fmt"
	"strings"
	"testing"

	"callbridge/mapping"
)

func TestEachTextOfACallHasAMaximum(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("word ", 600) // 3,000 characters, a blank at each fifth
	for name, c := range map[string]struct {
		keys, key string
		want      int
	}{
		"a variable":             {`agent_dynamic_variables: {said: "{{product}}"}`, "agent_dynamic_variables.said", 200},
		"with a maximum":         {`agent_dynamic_variables: {said: {text: "{{product}}", max: 57}}`, "agent_dynamic_variables.said", 54},
		"up to 500":              {`agent_dynamic_variables: {said: {text: "{{product}}", max: 500}}`, "agent_dynamic_variables.said", 499},
		"a longer literal":       {`agent_dynamic_variables: {said: "` + long + `"}`, "agent_dynamic_variables.said", 199},
		"text without a maximum": {`agent_dynamic_variables: {said: {text: "{{product}}"}}`, "agent_dynamic_variables.said", 200},
		"notes":                  {`notes: "{{product}}"`, "notes", 1999},
		"notes with a maximum":   {`notes: {text: "{{product}}", max: 100}`, "notes", 99},
		"metadata":               {`metadata: {said: "{{product}}"}`, "metadata.said", 1999},
		"metadata inside":        {`metadata: {deep: [{said: "x {{product}}"}]}`, "metadata.said", 2000},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			config := parseWith(t, fmt.Sprintf(callConfig, c.keys), longSecret)
			body := fmt.Sprintf(`{"id": 1, "phone": "+12025550142", "product": %q, "price": 1, "contact": "c", "flag": true, "direction": "outbound"}`, long)
			x := config.Explain(read(t, config, "crm", "application/json", body)[0])
			d := x.Decisions[0]
			if d.Outcome != "requested" || len(d.Cut) != 1 || d.Cut[0].Name != c.key || d.Cut[0].Length < 2999 {
				t.Fatalf("got %s %s, cut %v; want a cut of %s", d.Outcome, d.Detail, d.Cut, c.key)
			}
			longest := 0
			for text := range strings.SplitSeq(string(d.Call), `"`) {
				if strings.HasPrefix(text, "word") || strings.HasPrefix(text, "x word") {
					said, _, _ := strings.Cut(text, `\n`)
					longest = len(said)
					if !strings.HasSuffix(said, "word") {
						t.Errorf("ends in %q", said[len(said)-5:])
					}
				}
			}
			if longest > d.Cut[0].Max || longest < d.Cut[0].Max-5 || longest > c.want || longest < c.want-5 {
				t.Errorf("%d characters are left, want %d", longest, c.want)
			}
		})
	}
}

func TestTextWithinItsMaximumIsNotCut(t *testing.T) {
	t.Parallel()
	config := parseWith(t, fmt.Sprintf(callConfig, `agent_dynamic_variables: {said: "{{product}}"}`), longSecret)
	body := fmt.Sprintf(`{"id": 1, "phone": "+12025550142", "product": %q}`, strings.Repeat("ü", 200))
	d := config.Explain(read(t, config, "crm", "application/json", body)[0]).Decisions[0]
	if len(d.Cut) != 0 || !strings.Contains(string(d.Call), strings.Repeat("ü", 200)) {
		t.Errorf("got %v, %s", d.Cut, d.Call)
	}
}

func TestMaximumThatCannotBeIsAProblem(t *testing.T) {
	t.Parallel()
	for keys, want := range map[string]string{
		`agent_dynamic_variables: {said: {text: "x", max: 0}}`:     "must be a number above 0; the maximum length in characters, up to 500",
		`agent_dynamic_variables: {said: {text: "x", max: 501}}`:   "501 is too long for an agent; the maximum length in characters, up to 500",
		`agent_dynamic_variables: {said: {max: 20}}`:               `"text" is missing; write {text: "{{field}}", max: 200}`,
		`agent_dynamic_variables: {said: {text: "x", most: 20}}`:   `unknown key "most"`,
		`notes: {text: "{{product}}", max: 2001}`:                  "2001 is too long for an agent; the maximum length in characters, up to 2000",
		`agent_dynamic_variables: {said: {text: "{{prodct}}"}}`:    `undeclared name "prodct"`,
		`agent_dynamic_variables: {said: {text: "", max: 20}}`:     "is empty",
		`agent_dynamic_variables: {said: {text: product}, a: "b"}`: `"product" is the name of a field, not its value`,
	} {
		_, err := mapping.Parse("callbridge.yaml", []byte(fmt.Sprintf(callConfig, keys)), withSecret())
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", keys, err, want)
		}
	}
	config := parseWith(t, fmt.Sprintf(callConfig, `agent_dynamic_variables: {said: "`+strings.Repeat("long ", 50)+`"}`), longSecret)
	if got := mapping.Problems(config.Warnings()).Error(); !strings.Contains(got, "said: the text has more than 200 characters and is cut") {
		t.Errorf("got %s", got)
	}
}
