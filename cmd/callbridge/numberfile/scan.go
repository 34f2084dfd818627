// Package numberfile reads files of phone numbers that must not be called, one a line.
package numberfile

import (
	"bufio"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"strings"

	"callbridge/event"
	"callbridge/mapping/phone"
)

// Line is a line that has a number, or should have one.
type Line struct {
	// At is its number in the file, from 1.
	At     int
	Number event.Phone
	// Err is why it holds no number.
	Err error
}

// maxLineBytes is the length of the longest line that is read.
const maxLineBytes = 1 << 16

// Scan calls fn with each line of a CSV file whose first column is a number, and stops at
// its error. Empty lines, lines that begin with # and a first line without digits are
// skipped. Numbers without a country code are of the region, an ISO 3166 code; without one
// they are an error of their line.
func Scan(r io.Reader, region string, fn func(Line) error) error {
	lines := bufio.NewScanner(r)
	lines.Buffer(make([]byte, 0, 4096), maxLineBytes)
	at := 0
	for lines.Scan() {
		at++
		text := strings.TrimSpace(strings.TrimPrefix(lines.Text(), "\ufeff"))
		if text == "" || strings.HasPrefix(text, "#") || at == 1 && !strings.ContainsAny(text, "0123456789") {
			continue
		}
		number, err := firstColumn(text, region)
		if err := fn(Line{at, number, err}); err != nil {
			return err
		}
	}
	if errors.Is(lines.Err(), bufio.ErrTooLong) {
		return fmt.Errorf("line %d is longer than %d bytes: it is no file of numbers", at+1, maxLineBytes)
	}
	return lines.Err()
}

func firstColumn(text, region string) (event.Phone, error) {
	if strings.HasPrefix(text, `"`) {
		columns, err := csv.NewReader(strings.NewReader(text)).Read()
		if err != nil {
			return "", errors.New("the quotes are not closed")
		}
		return Parse(columns[0], region)
	}
	column, _, _ := strings.Cut(text, ",")
	return Parse(column, region)
}

// Parse reads a number for the do-not-call list, without its extension. It also reads
// numbers of kinds that callbridge never calls.
func Parse(text, region string) (event.Phone, error) {
	n, err := phone.Parse(text, phone.Options{Region: region, AllowExtension: true})
	if err == nil {
		if count(text) > count(n.E164.Reveal())+count(n.Extension)+mostPrefix {
			return "", fmt.Errorf("%s: there is more than one number", n.E164)
		}
		return n.E164, nil
	}
	var refused *phone.Error
	plain := strings.Map(withoutSeparators, text)
	if errors.As(err, &refused) && neverCalled(refused.Reason) && event.IsE164(plain) {
		return event.Phone(plain), nil
	}
	return "", err
}

// mostPrefix is how many digits an international prefix and a trunk prefix have at most.
const mostPrefix = 5

func count(text string) (digits int) {
	for _, r := range text {
		if r >= '0' && r <= '9' {
			digits++
		}
	}
	return digits
}

func withoutSeparators(r rune) rune {
	if strings.ContainsRune(" -().\u00a0", r) {
		return -1
	}
	return r
}

// neverCalled reports whether a number is one, of a kind that is not called.
func neverCalled(r phone.Reason) bool {
	switch r {
	case phone.PremiumRate, phone.SharedCost, phone.TollFree, phone.Pager, phone.UAN, phone.PersonalNumber, phone.Voicemail, phone.Satellite,
		phone.ServiceNumber:
		return true
	}
	return false
}
