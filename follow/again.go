package follow

import "callbridge/follow/outcome"

// Again returns whether another attempt may be considered, and if not, why. It may only
// after a class that proves that no person was there, and only once the analysis has
// settled: a transcript that comes late may show that a person answered. Gates, caps and
// the time of the attempt are decided by others.
func (s State) Again() (may bool, why string) {
	r := s.Report
	switch {
	case s.Ended == "":
		return false, "the call has not ended"
	case !s.Analysed:
		return false, "the analysis has not settled"
	case !provesAbsence(s.Ended, r) || !provesAbsence(r.Class, r):
		return false, "it is not proved that no person was there"
	case r.OptOut.Answer != outcome.No:
		return false, "the person may not want another call"
	case r.RetryAt != nil:
		return false, "Callab calls again by itself"
	case s.Backwards > 0:
		return false, "the status went back after the end: the call may have gone on"
	}
	return true, ""
}

// provesAbsence reports whether a class says that no person was there. A failure of the
// provider does only if the call was never dialled.
func provesAbsence(class outcome.Class, r outcome.Report) bool {
	switch class {
	case outcome.NoAnswer, outcome.Busy, outcome.Voicemail, outcome.Screened:
		return true
	case outcome.ProviderFailed:
		return r.HowEnded.Answer == "not_dialled"
	}
	return false
}
