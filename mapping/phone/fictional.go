package phone

import (
	"strings"

	"callbridge/event"
)

// reserved are the beginnings of numbers that regulators keep for films and
// examples, as far as the metadata has them for numbers that may be dialled
// (+44 7700 900xxx is invalid there anyway).
//
// +44: Ofcom, "Telephone numbers for use in TV and radio drama programmes".
// +33: ARCEP, numbering plan, numbers for audiovisual works.
// +49: Bundesnetzagentur, notice 148/2021, "Drama Numbers".
var reserved = []string{
	"+441134960", "+441144960", "+441164960", "+441174960", "+441184960",
	"+441214960", "+441314960", "+441414960", "+441514960", "+441614960",
	"+441914980", "+442079460", "+442896496", "+442920180",
	"+3319900", "+3326191", "+3335301", "+3346571", "+3353649",
	"+493023125", "+496990009", "+494066969", "+492214710", "+498999998",
}

// fictional reports whether the number cannot be anybody's. In the North
// American plan these are 555-0100 to 555-0199 of every area code (ATIS
// 0300115).
func fictional(number event.Phone) bool {
	e164 := number.Reveal()
	if strings.HasPrefix(e164, "+1") && len(e164) == len("+12025550100") {
		return e164[5:10] == "55501"
	}
	for _, start := range reserved {
		if strings.HasPrefix(e164, start) {
			return true
		}
	}
	return false
}
