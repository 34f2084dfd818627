package outcome

import (
	_ "embed"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"callbridge/mapping/config"
	"callbridge/mapping/rule"
)

//go:embed callab.yaml
var callabYAML []byte

//go:embed phrases.yaml
var phrasesYAML []byte

// Rules are what the words of call objects mean, and the rules that make a class of them.
// They are safe for concurrent use.
type Rules struct {
	// statuses are open or final by word; how, machines, answers, tasks and flags
	// are answers by word.
	statuses, how, machines, answers, tasks, flags map[string]string
	// quotes are the names of outcomes by what is quoted.
	quotes map[string][]string
	rules  []classRule
}

type classRule struct {
	name  string
	when  *rule.Rule
	class Class
}

// Keys are the keys of outcomes:.
var Keys = []config.Key{
	{Name: "statuses", Kind: "object", Doc: "Words of call_status: open or final. After a final word no other follows; a word that is not known is never final."},
	{Name: "how", Kind: "object", Doc: "Words of disconnect_reason, and of call_status: how the call ended (no_answer, busy, failed, not_dialled …)."},
	{Name: "machines", Kind: "object", Doc: "Words of disconnect_reason and call_status that say what answered: voicemail, screening or ivr."},
	{Name: "answers", Kind: "object", Doc: "Values of the outcome answered_by: person, voicemail, screening, ivr, nobody or unknown."},
	{Name: "tasks", Kind: "object", Doc: "Words of agent_task_status: done or not_done."},
	{Name: "flags", Kind: "object", Doc: "Values of outcomes that are yes or no."},
	{Name: "quotes", Kind: "object", Doc: "Names of the agent's outcomes that say answered_by, opt_out and callback_at."},
	{Name: "rules", Kind: "list", Doc: "Rules that name the class of a call; the first that holds counts, before those of callbridge."},
}

// RuleKeys are the keys of one of rules:.
var RuleKeys = []config.Key{
	{Name: "name", Kind: "text", Doc: "Name of the rule in results; default: its place in the file."},
	{Name: "when", Kind: "text", Doc: "The rule, in CEL over the call object."},
	{Name: "class", Kind: "text", Values: given(), Doc: "The class of a call for which the rule holds."},
}

var quoteKeys = []config.Key{
	{Name: "answered_by", Kind: "list", Doc: "Outcomes that say who answered."},
	{Name: "opt_out", Kind: "list", Doc: "Outcomes that say whether the person wants no further call."},
	{Name: "callback_at", Kind: "list", Doc: "Outcomes with the time of a callback, RFC 3339."},
}

// given are the classes that a rule can give.
func given() []string {
	var all []string
	for _, class := range Classes() {
		if class != Unresolved {
			all = append(all, string(class))
		}
	}
	return all
}

// Default returns the rules that callbridge has for Callab.
var Default = sync.OnceValue(func() *Rules {
	reader := config.NewReader(config.Options{})
	rules := &Rules{quotes: map[string][]string{}}
	if top, ok := reader.Document("callab.yaml", callabYAML, "the keys of outcomes"); ok {
		rules.load(top, nil)
	}
	if err := reader.Err(); err != nil {
		panic("outcome: " + err.Error()) // the file is part of the binary
	}
	return rules
})

// Load reads outcomes: of callbridge.yaml. Its words are added to callbridge's own, or
// replace them, and its rules come before them. Whatever is wrong becomes a problem at its
// position in the file.
func Load(at config.Node) *Rules {
	own := Default()
	rules := &Rules{
		statuses: maps.Clone(own.statuses), how: maps.Clone(own.how), machines: maps.Clone(own.machines),
		answers: maps.Clone(own.answers), tasks: maps.Clone(own.tasks), flags: maps.Clone(own.flags),
		quotes: maps.Clone(own.quotes),
	}
	rules.load(at, own.how)
	rules.rules = append(rules.rules, own.rules...)
	return rules
}

// Parse reads a file that contains only the value of outcomes:. The error is
// config.Problems.
func Parse(file string, data []byte) (*Rules, error) {
	reader := config.NewReader(config.Options{})
	top, ok := reader.Document(file, data, "the keys of outcomes")
	if !ok {
		return nil, reader.Err()
	}
	rules := Load(top)
	return rules, reader.Err()
}

// load reads the keys. OwnHow is callbridge's own table of ends, nil for its own file.
func (r *Rules) load(at config.Node, ownHow map[string]string) {
	top, ok := at.Known(Keys)
	if !ok {
		return
	}
	for _, table := range []struct {
		name    string
		into    *map[string]string
		answers []string
		// proves is set if a word of the table decides about a class.
		proves bool
	}{
		{"statuses", &r.statuses, []string{"open", "final"}, false},
		{"how", &r.how, Ends, true},
		{"machines", &r.machines, []string{Machine, Screening, Menu}, true},
		{"answers", &r.answers, []string{Person, Machine, Screening, Menu, Nobody, Unknown}, true},
		{"tasks", &r.tasks, []string{"done", "not_done", Unknown}, false},
		{"flags", &r.flags, []string{Yes, No}, false},
	} {
		if *table.into == nil {
			*table.into = map[string]string{}
		}
		if node, there := top.Get(table.name); there {
			var refused map[string]string
			if table.proves {
				refused = ownHow
			}
			readTable(node, *table.into, table.answers, refused)
		}
	}
	if node, there := top.Get("quotes"); there {
		r.readQuotes(node)
	}
	if node, there := top.Get("rules"); there {
		r.readRules(node)
	}
}

// readTable adds the words of a table. Words that say only that a call is over may not
// mean anything more.
func readTable(at config.Node, into map[string]string, answers []string, ownHow map[string]string) {
	table, ok := at.Object()
	if !ok {
		return
	}
	for _, name := range table.Keys {
		value := table.Value(name)
		answer := value.OneOf(answers)
		switch {
		case word(name) != name:
			table.Name(name).Problem("a word is in lower case with _ between its parts", fmt.Sprintf("write %q", word(name)))
		case ownHow[name] == "completed" && answer != "completed":
			value.Problem(fmt.Sprintf("%q says only that the call is over", name), "what answered is in answered_by of the agent's outcomes")
		default:
			into[name] = answer
		}
	}
}

func (r *Rules) readQuotes(at config.Node) {
	quotes, _ := at.Known(quoteKeys)
	for _, name := range quotes.Keys {
		r.quotes[name] = nil
		for _, item := range quotes.Value(name).Items() {
			outcome := item.PlainText()
			if word(outcome) != outcome {
				item.Problem("the name of an outcome is compared in lower case with _ between its parts", fmt.Sprintf("write %q", word(outcome)))
			}
			r.quotes[name] = append(r.quotes[name], outcome)
		}
	}
}

func (r *Rules) readRules(at config.Node) {
	items, ok := at.List("a list of rules")
	if !ok {
		return
	}
	for i, item := range items {
		keys, ok := item.Known(RuleKeys)
		if !ok {
			continue
		}
		c := classRule{name: fmt.Sprintf("outcomes.rules[%d]", i), class: Class(keys.OneOf("class"))}
		if name, there := keys.Get("name"); there {
			c.name = name.PlainText()
			if !config.RouteName.MatchString(c.name) {
				name.Problem("a name has 1 to 64 of a-z, 0-9 and -", "")
			}
		}
		if _, there := keys.Get("class"); !there {
			item.Problem("has no class", "write class: and one of "+strings.Join(given(), ", "))
		}
		when, there := keys.Get("when")
		if !there {
			item.Problem("has no when", `write when: and a condition, such as disconnect_reason == "ring_timeout"`)
			continue
		}
		if c.when = environment().Compile(when); c.when != nil && c.class != "" {
			r.rules = append(r.rules, c)
		}
	}
}

// phrasebook are the phrases by which machines and wishes are known.
type phrasebook struct {
	voicemail, maybeVoicemail, screening, maybeScreening, menu, noise, unclear, closing, pickup, optOut, promise phrases
}

var phraseTable = sync.OnceValue(func() *phrasebook {
	book := &phrasebook{}
	lists := map[string]*phrases{
		"voicemail": &book.voicemail, "maybe_voicemail": &book.maybeVoicemail, "screening": &book.screening,
		"maybe_screening": &book.maybeScreening, "menu": &book.menu, "noise": &book.noise,
		"unclear": &book.unclear, "closing": &book.closing, "pickup": &book.pickup, "opt_out": &book.optOut, "promise": &book.promise,
	}
	reader := config.NewReader(config.Options{})
	top, _ := reader.Document("phrases.yaml", phrasesYAML, "lists of phrases")
	keys, _ := top.Object()
	for _, name := range keys.Keys {
		for _, text := range keys.Value(name).PlainTexts() {
			*lists[name] = append(*lists[name], spoken(text))
		}
	}
	if err := reader.Err(); err != nil || len(keys.Keys) != len(lists) {
		panic(fmt.Sprintf("outcome: phrases.yaml: %v", err)) // the file is part of the binary
	}
	for _, list := range lists {
		slices.Sort(*list)
	}
	return book
})
