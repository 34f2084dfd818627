package phone

// Reason says in one fixed word why a field gives no number to dial. Operators
// mend their data by it.
type Reason string

// Reasons that no number came out.
const (
	// NotANumber: no digits, or many letters among them.
	NotANumber Reason = "not_a_number"
	// TooLong: more than 64 bytes; a note, not a number.
	TooLong Reason = "too_long"
	// InvalidNumber: no number of the numbering plan, or other signs in it.
	InvalidNumber Reason = "invalid_number"
	// NoRegion: neither a country code nor a country to read it by.
	NoRegion Reason = "no_region"
	// AmbiguousNumber: two valid readings, of which one lost its +.
	AmbiguousNumber Reason = "ambiguous_number"
	// Emergency: 112, 911 and their like.
	Emergency Reason = "emergency"
)

// Reasons that a valid number is not called.
const (
	PremiumRate    Reason = "premium_rate"
	SharedCost     Reason = "shared_cost"
	Satellite      Reason = "satellite"
	TollFree       Reason = "toll_free"
	Voicemail      Reason = "voicemail"
	Pager          Reason = "pager"
	UAN            Reason = "uan" // universal access number, a company's hotline
	PersonalNumber Reason = "personal_number"
	// RegionNotAllowed: the digits are not of Options.Regions.
	RegionNotAllowed Reason = "region_not_allowed"
	// HasExtension: a switchboard would answer.
	HasExtension Reason = "has_extension"
	// FictionalNumber: reserved for films and examples.
	FictionalNumber Reason = "fictional_number"
)

// Error is a phone field that gives no number to dial.
type Error struct {
	Reason Reason
	// Detail is for people. Numbers in it are masked.
	Detail string
}

// Error returns the reason and the detail.
func (e *Error) Error() string { return string(e.Reason) + ": " + e.Detail }
