package mapping_test

import (
	"fmt"
	"strings"
	"testing"
)

const phoneConfig = `sources:
  crm:
    verify: {kind: token, header: X-Api-Key, values: ["${SECRET}"]}
    key: sha256:body
    fields:
      x: {type: phone, %s}
routes: []
`

// readPhone reads the field x of a delivery.
func readPhone(t *testing.T, keys, contentType, body string) (value, detail string) {
	t.Helper()
	config := parse(t, fmt.Sprintf(phoneConfig, keys))
	for _, f := range config.Explain(read(t, config, "crm", contentType, body)[0]).Reveal().Fields {
		if f.Name == "x" && f.State == "there" {
			return fmt.Sprint(f.Value), f.Detail
		}
		if f.Name == "x" {
			return "refused", f.Detail
		}
	}
	t.Fatal("no field x")
	return "", ""
}

func TestPhoneFieldsNeverReachSomebodyElse(t *testing.T) {
	t.Parallel()
	const refused = "refused"
	de, withCountry := "path: phone, region: DE", "path: phone, region: DE, country: address.country"
	for _, tt := range []struct{ keys, body, want string }{
		{de, `{"phone": "436641234567"}`, refused},
		{de + ", plus: optional", `{"phone": "436641234567"}`, "+436641234567"},
		{de + ", plus: required", `{"phone": "0151 23456789"}`, refused},
		{de, `{"phone": "15123456789"}`, refused},
		{de + ", trunk: optional", `{"phone": "15123456789"}`, "+4915123456789"},
		{de, `{"phone": 1713920123.0}`, refused},
		{de, `{"phone": 1713920123}`, refused},
		{withCountry, `{"phone": "0664 1234567", "address": {"country": "AT"}}`, "+436641234567"},
		{withCountry, `{"phone": "0664 1234567", "address": {"country": {"code": "AT"}}}`, "+436641234567"},
		{withCountry, `{"phone": "0664 1234567", "address": {"country": {"code": "AT", "name": "Österreich", "id": 7}}}`, "+436641234567"},
		{withCountry, `{"phone": "0664 1234567", "address": {"country": {"code": "AT", "name": "Germany"}}}`, refused},
		{withCountry, `{"phone": "0664 1234567", "address": {"country": {"id": 7}}}`, refused},
		{withCountry, `{"phone": "0664 1234567", "address": {"country": ["AT"]}}`, "+436641234567"},
		{withCountry, `{"phone": "0664 1234567", "address": {"country": ["AT", "DE"]}}`, refused},
		{withCountry, `{"phone": "0664 1234567", "address": {"country": true}}`, refused},
		{withCountry, `{"phone": "0664 1234567", "address": {"country": "Narnia"}}`, refused},
		{withCountry, `{"phone": "+43 664 1234567", "address": {"country": {"id": 7}}}`, "+436641234567"},
		{withCountry, `{"phone": "0151 23456789", "address": {"country": null}}`, "+4915123456789"},
		{"path: phone, country: cc", `{"phone": "98765 43210", "cc": "+91"}`, "+919876543210"},
		{"path: phone, country: cc", `{"phone": "98765 43210", "cc": 91}`, "+919876543210"},
		{"path: [phone, mobile]", `{"phone": "() Not provided.", "mobile": "+12025550142"}`, "+12025550142"},
		{"path: [phone, mobile], region: DE", `{"phone": "call office", "mobile": "0151 23456789"}`, "+4915123456789"},
		{"path: [phone, mobile]", `{"phone": {"a": 1}, "mobile": "+12025550142"}`, "+12025550142"},
		{`path: "phones[*].number"`, `{"phones": [{"number": "n/a"}, {"number": "+12025550142"}]}`, "+12025550142"},
		{"path: [phone, mobile]", `{"phone": "call office", "mobile": "12"}`, refused},
	} {
		if got, detail := readPhone(t, tt.keys, "application/json", tt.body); got != tt.want {
			t.Errorf("{%s} reads %s as %s (%s), want %s", tt.keys, tt.body, got, detail, tt.want)
		}
	}
}

func TestPlusOfAFormThatWasNotEscaped(t *testing.T) {
	t.Parallel()
	for _, region := range []string{"DE", "US"} {
		for _, number := range []string{"436641234567", "3212345678"} {
			got, detail := readPhone(t, "path: phone, region: "+region, "application/x-www-form-urlencoded", "phone=+"+number)
			if got != "refused" {
				t.Errorf("phone=+%s is %s under %s (%s)", number, got, region, detail)
			}
		}
	}
	got, _ := readPhone(t, "path: phone, region: DE", "application/x-www-form-urlencoded", "phone=%2B436641234567")
	if got != "+436641234567" {
		t.Errorf("an escaped plus gave %s", got)
	}
}

func TestPhoneFieldTellsWhatItPassedOver(t *testing.T) {
	t.Parallel()
	_, detail := readPhone(t, "path: [phone, mobile]", "application/json", `{"phone": "call office", "mobile": "+12025550142"}`)
	if detail != "passed over: not_a_number: no digits (body:phone)" {
		t.Errorf("the detail is %q", detail)
	}
	_, detail = readPhone(t, "path: phone, country: c", "application/json", `{"phone": "0664 1234567", "c": {"id": 7}}`)
	if !strings.HasSuffix(detail, "found an object where a country belongs (body:c) (body:phone)") {
		t.Errorf("the detail is %q", detail)
	}
}
