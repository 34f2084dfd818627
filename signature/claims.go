package signature

import (
	"crypto/sha256"
	"encoding/json"
	"math"
	"slices"
	"time"
)

// claims of a token. A map, because names are to be matched exactly, which
// encoding/json does not do for structs.
type claims map[string]json.RawMessage

// time reads a NumericDate (RFC 7519 §2): seconds, possibly with a fraction.
// It is zero where there is none.
func (c claims) time(name string) (time.Time, bool) {
	raw, ok := c[name]
	if !ok {
		return time.Time{}, true
	}
	var seconds float64
	// Beyond the year 30000 lies overflow.
	if json.Unmarshal(raw, &seconds) != nil || math.Abs(seconds) > 1e12 || string(raw) == "null" {
		return time.Time{}, false
	}
	return time.UnixMilli(int64(seconds * 1000)), true
}

// texts reads a claim that is a text or a list of texts, as aud may be.
func (c claims) texts(name string) []string {
	var one string
	if json.Unmarshal(c[name], &one) == nil {
		return []string{one}
	}
	var many []string
	_ = json.Unmarshal(c[name], &many)
	return many
}

func (j *jwt) checkTime(c claims, now time.Time) *Failure {
	expires, ok := c.time("exp")
	begins, ok2 := c.time("nbf")
	switch {
	case !ok || !ok2:
		return failed(ReasonMalformed, "exp or nbf is no time")
	case expires.IsZero() && j.bodyClaim == "":
		return failed(ReasonClaim, "the token never expires")
	case !expires.IsZero() && now.Sub(expires) >= j.leeway:
		return failed(ReasonStale, "token expired %s ago, leeway %s", now.Sub(expires).Round(time.Second), j.leeway)
	case !begins.IsZero() && begins.Sub(now) > j.leeway:
		return failed(ReasonStale, "token begins in %s, leeway %s", begins.Sub(now).Round(time.Second), j.leeway)
	}
	return nil
}

func (j *jwt) checkClaims(c claims, r Request) *Failure {
	if len(j.audience) > 0 && !overlap(j.audience, c.texts("aud")) {
		return failed(ReasonClaim, "aud is not one of ours")
	}
	if len(j.issuer) > 0 && !overlap(j.issuer, c.texts("iss")) {
		return failed(ReasonClaim, "iss is not one of ours")
	}
	if j.bodyClaim == "" {
		return nil
	}
	sum := sha256.Sum256(r.Body)
	expected := j.encoding.append(nil, sum[:])
	for _, given := range c.texts(j.bodyClaim) {
		if j.encoding.equal(expected, []byte(given)) {
			return nil
		}
	}
	return failed(ReasonClaim, "%s is not the hash of the body", j.bodyClaim)
}

func overlap(ours, theirs []string) bool {
	return slices.ContainsFunc(theirs, func(text string) bool { return slices.Contains(ours, text) })
}
