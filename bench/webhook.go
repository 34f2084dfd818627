package main

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash"
	"strconv"
	"strings"
)

// secret is what webhooks are signed with, and what every system verifies.
const secret = "a-secret-for-benchmarks"

// numberMark stands before the number of a webhook in its id, and so in the
// call that comes of it; numberDigits is how long the number is.
const (
	numberMark   = "bench-"
	numberDigits = 10
)

// contact is an event of about 1.2 KB, as CRMs send them about a contact. The
// number makes its id and its telephone number.
const contact = `{"id":"bench-0000000000","type":"contact.updated","occurred_at":"2026-01-02T03:04:05Z","portal_id":8123456,` +
	`"contact":{"id":"90210","created_at":"2025-11-20T09:14:00Z","updated_at":"2026-01-02T03:04:04Z","properties":{` +
	`"firstname":"Maria","lastname":"Whitfield","email":"maria.whitfield@example.com","mobilephone":"+12025550000",` +
	`"phone":"","country":"US","city":"Washington","timezone":"America/New_York","jobtitle":"Head of Operations",` +
	`"hs_lead_score":"72","consent_voice_ai":"true","lifecyclestage":"opportunity","hs_analytics_source":"ORGANIC_SEARCH",` +
	`"hs_lead_status":"OPEN","num_notes":"4","recent_conversion":"Request a demo: website form","gdpr_basis":"consent"}},` +
	`"company":{"id":"5150","name":"Northwind Heating & Air","domain":"northwind.example","industry":"CONSTRUCTION","employees":48},` +
	`"deal":{"id":"33811","name":"Northwind: 3 heat pumps","stage":"appointmentscheduled","pipeline":"default","amount":14850.5,` +
	`"currency":"USD","closedate":"2026-02-28"},"owner":{"id":"77","name":"Sam Ortiz","email":"sam.ortiz@example.com"},` +
	`"changes":[{"property":"lifecyclestage","from":"lead","to":"opportunity"},{"property":"hs_lead_score","from":"48","to":"72"}],` +
	`"meta":{"attempt":1,"subscription":"contact.propertyChange","app":"benchmark"}}`

const phoneMark = `"mobilephone":"+1202555`

// webhook is one signed HTTP request that is changed in place from number to
// number. It is for one connection at a time.
type webhook struct {
	// wire is the request as it is sent; the others are parts of it.
	wire, body, signature []byte
	numbers, phones       [][]byte
	mac                   hash.Hash
	sum                   [sha256.Size]byte
}

// newWebhook makes a webhook of so many contacts: one alone, or a list.
func newWebhook(path string, contacts int) *webhook {
	body := contact
	if contacts > 1 {
		body = "[" + strings.Repeat(contact+",", contacts-1) + contact + "]"
	}
	head := fmt.Sprintf("POST %s HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nUser-Agent: bench\r\n"+
		"X-Signature: sha256=%s\r\nContent-Length: %d\r\n\r\n", path, strings.Repeat("0", 2*sha256.Size), len(body))
	w := &webhook{wire: []byte(head + body), mac: hmac.New(sha256.New, []byte(secret))}
	w.body = w.wire[len(head):]
	at := strings.Index(head, "sha256=") + len("sha256=")
	w.signature = w.wire[at : at+2*sha256.Size]
	w.numbers = after(w.body, numberMark, numberDigits)
	w.phones = after(w.body, phoneMark, 4)
	return w
}

// after finds so many bytes behind each mark.
func after(body []byte, mark string, length int) (found [][]byte) {
	for {
		_, rest, is := bytes.Cut(body, []byte(mark))
		if !is || len(rest) < length {
			return found
		}
		found, body = append(found, rest[:length]), rest[length:]
	}
}

// number makes it the webhook of that number, and of those after it where it
// holds several contacts, and signs it.
func (w *webhook) number(n int) []byte {
	for i := range w.numbers {
		digits(w.numbers[i], n+i)
		// Numbers for fiction are 0100 to 0199.
		digits(w.phones[i], 100+(n+i)%100)
	}
	w.mac.Reset()
	w.mac.Write(w.body)
	hex.Encode(w.signature, w.mac.Sum(w.sum[:0]))
	return w.wire
}

func digits(into []byte, n int) {
	for i := len(into) - 1; i >= 0; i-- {
		into[i] = byte('0' + n%10)
		n /= 10
	}
}

// numberIn reads the number of the webhook that a message or a call came of.
func numberIn(body []byte) (int, bool) {
	found := after(body, numberMark, numberDigits)
	if len(found) == 0 {
		return 0, false
	}
	n, err := strconv.Atoi(string(found[0]))
	return n, err == nil
}

// numbersIn reads all numbers of a message, each once.
func numbersIn(body []byte) map[int]bool {
	all := map[int]bool{}
	for _, found := range after(body, numberMark, numberDigits) {
		if n, err := strconv.Atoi(string(found)); err == nil {
			all[n] = true
		}
	}
	return all
}
