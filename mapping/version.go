package mapping

import (
	"math/big"
	"regexp"
)

// versionNumber is short enough to be compared in no time: others write it.
var versionNumber = regexp.MustCompile(`^[0-9]{1,40}(\.[0-9]{1,20})?$`)

// Older reports whether one version of a record is older than another: both
// are numbers or both are times. Versions that cannot be compared are not
// older, since an event is left out on the strength of it.
func Older(version, than string) bool {
	if versionNumber.MatchString(version) && versionNumber.MatchString(than) {
		a, _ := new(big.Rat).SetString(version)
		b, _ := new(big.Rat).SetString(than)
		return a.Cmp(b) < 0
	}
	a, isTime := parseTimeAs(version, formatRFC3339)
	b, areTimes := parseTimeAs(than, formatRFC3339)
	return isTime && areTimes && a.Before(b)
}
