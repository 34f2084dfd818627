package mapping_test

import (
	"fmt"
	"testing"
)

const permitConfig = `sources:
  crm:
    verify: {kind: token, header: X-Api-Key, values: ["${SECRET}"]}
    key: body:id
    fields: {phone: {path: phone, type: phone}}
routes:
  - {name: lead, source: crm, mode: live, %s call: {call_to: %s}}
`

func TestRoutesPermitNumbers(t *testing.T) {
	t.Parallel()
	const literal = `"+12025550142"`
	for _, c := range []struct{ keys, to, phone, want string }{
		{"", "phone", "+12025550142", ""},
		{"regions: [CA, US],", "phone", "+12025550142", ""},
		{"regions: [CA],", "phone", "+12025550142", "phone: region_not_allowed: +12•••••••42: the number is in US"},
		{"regions: [GB],", "phone", "+447911123456", ""}, // Guernsey
		{"", "phone", "+12025550142 ext 7", "phone: has_extension: an extension cannot be dialled"},
		{"allow_extension: true,", "phone", "+12025550142 ext 7", ""},
		{"allow_extension: true, regions: [CA],", "phone", "+12025550142 ext 7", "phone: region_not_allowed: +12•••••••42: the number is in US"},
		{"", literal, "", ""},
		{"regions: [US],", literal, "", ""},
		{"regions: [CA],", literal, "", ": region_not_allowed: +12•••••••42: the number is in US"},
	} {
		config := parse(t, fmt.Sprintf(permitConfig, c.keys, c.to))
		d := config.Map(read(t, config, "crm", "application/json", fmt.Sprintf(`{"id": 1, "phone": %q}`, c.phone))[0])[0]
		got := ""
		if d.Result != nil {
			got = d.Result.Field + ": " + d.Result.Detail
		}
		if got != c.want {
			t.Errorf("%s of %q: got %q, want %q", c.keys, c.phone, got, c.want)
		}
	}
}
