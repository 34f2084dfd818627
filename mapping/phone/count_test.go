package phone

import (
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/nyaruka/phonenumbers"

	"callbridge/event"
)

// example is an example number of the plans.
type example struct {
	number *phonenumbers.PhoneNumber
	e164   event.Phone
	region string
	// writings are the eight ways in which people and programs write it with its
	// calling code.
	writings []string
}

// examples are the fixed and the mobile example of each region.
var examples = sync.OnceValue(func() (all []example) {
	metadata, err := phonenumbers.MetadataCollection()
	if err != nil {
		panic(err)
	}
	for _, m := range metadata.GetMetadata() {
		for _, desc := range []*phonenumbers.PhoneNumberDesc{m.GetFixedLine(), m.GetMobile()} {
			e164 := "+" + strconv.Itoa(int(m.GetCountryCode())) + desc.GetExampleNumber()
			r, ok := parse(e164, "")
			if !ok || m.GetId() == phonenumbers.REGION_CODE_FOR_NON_GEO_ENTITY {
				continue
			}
			number, err := phonenumbers.Parse(e164, "")
			if err != nil {
				panic(err)
			}
			e := example{number: number, e164: r.E164, region: m.GetId()}
			e.writings = e.write()
			all = append(all, e)
		}
	}
	return all
})

func (e example) write() []string {
	spaced := phonenumbers.Format(e.number, phonenumbers.INTERNATIONAL)
	code, rest, _ := strings.Cut(strings.TrimPrefix(spaced, "+"), " ")
	return []string{
		e.e164.Reveal(),
		spaced,
		strings.ReplaceAll(spaced, " ", "-"),
		strings.ReplaceAll(spaced, " ", "."),
		"(+" + code + ") " + rest,
		"+" + code + " (0)" + rest,
		"tel:" + e.e164.Reveal(),
		"'+" + code + "/" + rest,
	}
}

// tally counts what becomes of numbers under a region.
type tally struct{ right, stranger, refused int }

func (n *tally) add(e example, raw string, o Options) (stranger bool) {
	got, err := Parse(raw, o)
	switch {
	case err != nil:
		n.refused++
	case got.E164 == e.e164:
		n.right++
	default:
		n.stranger++
		return true
	}
	return false
}

// countLostPlus counts the examples of all regions, written in eight ways without
// their +.
func countLostPlus(o Options) (n tally) {
	for _, e := range examples() {
		for _, raw := range e.writings {
			n.add(e, strings.Replace(raw, "+", "", 1), o)
		}
	}
	return n
}

// TestNumbersWithACallingCodeAreNobodyElses counts strangers. In regions with a
// trunk prefix there are none; in the others, a few numbers have the length and the
// first digits of a national number.
func TestNumbersWithACallingCodeAreNobodyElses(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../../docs/mapping.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, region := range []string{"DE", "US"} {
		var plus tally
		for _, e := range examples() {
			for _, raw := range e.writings {
				if plus.add(e, raw, Options{Region: region}) {
					t.Errorf("%q is somebody else under %s", raw, region)
				}
			}
		}
	}
	for _, region := range []string{"DE", "AT", "FR", "GB", "CH", "NL", "US", "CA", "ES", "IT", "IN", "BR", "DK", "NO"} {
		lost := countLostPlus(Options{Region: region})
		if conventions()[region].when == always && lost.stranger > 0 {
			t.Errorf("under %s, %d numbers without + are somebody else", region, lost.stranger)
		}
		if lost.stranger > 0 {
			if n := countLostPlus(Options{Region: region, Plus: PlusRequired}); n.stranger > 0 {
				t.Errorf("under %s with plus: required, %d numbers are somebody else", region, n.stranger)
			}
		}
		national := countNational(region)
		row := fmt.Sprintf("| %s | %d | %d | %d of %d |", region, lost.right+lost.stranger+lost.refused, lost.stranger, national.refused, national.refused+national.right+national.stranger)
		if !strings.Contains(string(page), row+"\n") {
			t.Errorf("docs/mapping.md has no row %s", row)
		}
		if national.stranger > 0 {
			t.Errorf("under %s, %d national numbers are somebody else", region, national.stranger)
		}
	}
}

// countNational counts numbers of a region as people write them there.
func countNational(region string) (n tally) {
	for _, e := range examples() {
		if e.region != region {
			continue
		}
		for range 50 {
			e := e.neighbour()
			raw := phonenumbers.Format(e.number, phonenumbers.NATIONAL)
			n.add(e, raw, Options{Region: region})
			n.add(e, phonenumbers.NormalizeDigitsOnly(raw), Options{Region: region})
		}
	}
	return n
}

// neighbour returns another valid number of the same plan: the digits of e changed
// from the end on.
func (e *example) neighbour() example {
	next := *e
	for {
		*e.number.NationalNumber += 7919 // a prime, so that many digits change
		raw := phonenumbers.Format(e.number, phonenumbers.E164)
		if r, ok := parse(raw, ""); ok && r.Region == e.region && refusedKind(r) == "" {
			next.e164 = r.E164
			next.number = &phonenumbers.PhoneNumber{CountryCode: e.number.CountryCode, NationalNumber: new(*e.number.NationalNumber), ItalianLeadingZero: e.number.ItalianLeadingZero}
			return next
		}
	}
}

// TestConventionsFollowThePlans compares national.txt with the formatting rules of
// the library, apart from the rows that say why they differ.
func TestConventionsFollowThePlans(t *testing.T) {
	t.Parallel()
	seen := map[string]int{}
	for line := range strings.Lines(nationalTable) {
		row := strings.Split(strings.TrimSpace(line), ";")
		if strings.HasPrefix(line, "#") {
			continue
		}
		if len(row) != 4 || row[3] == "" || !slices.Contains([]when{always, landline, mobile, never}, when(row[2])) {
			t.Errorf("%q is not region;prefixes;when;reason", row)
			continue
		}
		seen[row[0]]++
	}
	for _, e := range examples() {
		c, known := conventions()[e.region]
		if !known || seen[e.region] != 1 {
			t.Errorf("%s has %d rows in national.txt", e.region, seen[e.region])
		}
		written := phonenumbers.NormalizeDigitsOnly(phonenumbers.Format(e.number, phonenumbers.NATIONAL))
		withPrefix := written != phonenumbers.GetNationalSignificantNumber(e.number)
		ours := strings.Contains(nationalTable, "\n"+e.region+";"+strings.Join(c.prefixes, ",")+";"+string(c.when)+";ours: ")
		kind := phonenumbers.GetNumberType(e.number)
		if !ours && c.needsPrefix(kind) != withPrefix && kind != phonenumbers.FIXED_LINE_OR_MOBILE {
			t.Errorf("%s writes %s, national.txt says %s", e.region, written, c.when)
		}
		for _, p := range c.prefixes {
			if c.when != never && withPrefix && p == c.prefixes[0] && !strings.HasPrefix(written, p) {
				t.Errorf("%s: %s does not begin with %s", e.region, written, p)
			}
		}
	}
}
