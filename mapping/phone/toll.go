package phone

import (
	"regexp"
	"strings"
)

// special are numbers that the metadata takes for lines of persons, by their first
// digits.
//
// +61: ACMA, Telecommunications Numbering Plan 2015: 0145 and 0147 are satellite
// services. +7: 954 is the code of a satellite network. +1: CRTC, non-geographic
// codes of Canada, where the caller pays for the service. +86: 1349 and 1740 are
// networks of satellites (MIIT, numbering plan). +62: 868 is one (Indonesia, FTP 2000),
// and so is +84 672 (Vietnam, circular 22/2014). +64 26 are pagers.
var special = []struct {
	prefix string
	reason Reason
}{
	{"+61145", Satellite}, {"+61147", Satellite}, {"+7954", Satellite},
	{"+861349", Satellite}, {"+861740", Satellite}, {"+62868", Satellite}, {"+84672", Satellite}, {"+6426", Pager},
	{"+1600", ServiceNumber}, {"+1622", ServiceNumber}, {"+1633", ServiceNumber}, {"+1644", ServiceNumber},
	{"+1655", ServiceNumber}, {"+1677", ServiceNumber}, {"+1688", ServiceNumber},
}

// service matches numbers of companies and authorities that are dialled behind an area
// code, which shares their cost or none. Korea: representative numbers of eight digits
// that begin with 1. China: five or six digits, 95588. India: 1600 and 1601, banks and
// authorities (DoT, 2024).
var service = regexp.MustCompile(`^\+(?:82(?:2|[3-6]\d)1\d{7}|86\d{5,9}|91160[01]\d+)$`)

// northAmerican is the length of a number of +1. Its digits from exchangeAt on are
// the exchange and the line.
const (
	northAmerican = len("+12025550100")
	exchangeAt    = len("+1202")
)

// specialKind is the kind of a number that costs extra or reaches no person, although
// the metadata says that a person has it; "" for every other number.
func specialKind(e164 string) Reason {
	if strings.HasPrefix(e164, "+1") && len(e164) == northAmerican {
		if reason := exchangeKind(e164[exchangeAt:]); reason != "" {
			return reason
		}
	}
	for _, s := range special {
		if strings.HasPrefix(e164, s.prefix) {
			return s.reason
		}
	}
	if (e164[1] == '8' || e164[1] == '9') && service.MatchString(e164) {
		return ServiceNumber
	}
	return ""
}

// exchangeKind judges exchange and line of a number of the North American plan: they
// mean the same in every area code (ATIS 0300115, NANPA: 976 is paid information, 950
// reaches a carrier, 555-1212 is directory assistance, 958 and 959 are test lines, and
// N11 is no exchange).
func exchangeKind(local string) Reason {
	switch exchange := local[:3]; {
	case exchange == "976":
		return PremiumRate
	case exchange == "950", exchange == "958", exchange == "959", local == "5551212":
		return ServiceNumber
	case exchange[1:] == "11":
		return InvalidNumber
	}
	return ""
}
