package mapping

import (
	"slices"
	"strings"

	"callbridge/mapping/config"
	"callbridge/mapping/field"
)

// personFields are fields whose value is the same in every event of a person.
var personFields = []string{"contact_id", "record_id", "person_id", "user_id", "customer_id", "email"}

// personKeys are the last members of paths to such values, in lower case and without
// _ and -.
var personKeys = []string{
	"contactid", "hsobjectid", "vid", "personid", "customerid", "userid", "recordid", "email", "phone", "phonenumber", "mobile", "mobilephone",
}

// warnPersonKey warns about an alternative of key: that names a person and not an
// event: when the person enters the workflow again, that event is a duplicate.
func (s *Source) warnPersonKey(n config.Node) {
	for i, parts := range s.key.Alternatives() {
		if len(parts) == 0 || slices.ContainsFunc(parts, func(p field.Place) bool { return !s.namesPerson(p) }) {
			continue
		}
		at := n
		if items := n.Items(); i < len(items) {
			at = items[i]
		}
		at.Warn("names the person, not the event: the second event of the same person is a duplicate and calls nobody",
			"add what differs, such as a time, the stage or an id of the event: [[body:contact_id, body:updated_at]]")
	}
}

// namesPerson reports whether the value at a place is that of a person.
func (s *Source) namesPerson(p field.Place) bool {
	if p.Origin == field.OriginHeader || p.Origin == field.OriginQuery {
		return false
	}
	for _, name := range s.names.Names() {
		isPerson := slices.Contains(personFields, name) || s.names.TypeOf(name) == field.TypePhone
		if isPerson && slices.Contains(s.names.Places(name), p) {
			return true
		}
	}
	members := strings.Split(strings.NewReplacer("_", "", "-", "").Replace(strings.ToLower(p.Name)), ".")
	last := members[len(members)-1]
	if last == "id" && len(members) > 1 {
		last = members[len(members)-2] + "id"
	}
	return slices.Contains(personKeys, last)
}
