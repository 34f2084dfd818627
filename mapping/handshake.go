package mapping

import (
	"crypto/sha256"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// readAnswers reads what the source says to a CRM, beside taking its events.
func (l *loader) readAnswers(s *Source, keys object) {
	if n, ok := keys.get("challenge"); ok {
		s.challenges = l.readChallenges(n)
	}
	if n, ok := keys.get("answer"); ok {
		s.answer = readAnswer(n)
	}
}

// readChallenges reads the handshakes of a source.
func (l *loader) readChallenges(at node) []challenge {
	var challenges []challenge
	for _, item := range at.items() {
		if c, ok := l.challenge(item); ok {
			challenges = append(challenges, c)
		}
	}
	return challenges
}

func (l *loader) challenge(at node) (challenge, bool) {
	keys, ok := at.known(challengeSectionKeys)
	if !ok {
		return challenge{}, false
	}
	n, ok := keys.get("kind")
	if !ok {
		at.problem(`"kind" is missing`, "write "+strings.Join(challengeKinds(), ", "))
		return challenge{}, false
	}
	c := challenge{kind: oneOf(n, challengeKinds())}
	if c.kind == "" {
		return c, false
	}
	l.readChallenge(&c, keys)
	return c, true
}

func challengeKinds() []string { return slices.Sorted(maps.Keys(challengeKeys)) }

// readChallenge wants the keys of the kind, and no others.
func (l *loader) readChallenge(c *challenge, keys object) {
	takes := challengeKeys[c.kind]
	for _, key := range keys.keys {
		if key != "kind" && !slices.Contains(takes, key) {
			keys.names[key].problem("kind "+c.kind+" does not take it", "")
		}
	}
	for _, key := range takes {
		n, ok := keys.get(key)
		switch {
		case !ok && key != "only_if_absent" && key != "field" && key != "allowed_rate":
			keys.at.problem(quote(key)+" is missing", "")
		case ok:
			l.challengeKey(c, key, n)
		}
	}
}

func (l *loader) challengeKey(c *challenge, key string, n node) {
	switch key {
	case "token":
		for _, token := range l.secrets(n) {
			if !l.options.WithoutSecrets {
				c.tokens = append(c.tokens, sha256.Sum256([]byte(token)))
			}
		}
		return
	case "allowed_origins":
		c.allowedOrigins = plainTexts(n)
		return
	}
	text := plainText(n)
	if text == "" {
		n.problem("is empty", "")
		return
	}
	switch key {
	case "allowed_rate":
		var err error
		if c.allowedRate, err = strconv.Atoi(text); err != nil || c.allowedRate < 1 {
			n.problem("must be a number above 0", "requests a minute")
		}
	case "path":
		c.member = text
		c.path, _ = readPath(n, text)
	default:
		*map[string]*string{
			"mode_param": &c.modeParam, "mode": &c.mode, "token_param": &c.tokenParam, "echo_param": &c.echoParam,
			"only_if_absent": &c.onlyIfAbsent, "header": &c.header, "field": &c.field, "equals": &c.equals,
		}[key] = text
	}
}

// Answer is what a CRM wants to read after a success.
type Answer struct {
	// Status is one of 200 to 299.
	Status int
	// ContentType and Body are empty where callbridge's own JSON will do.
	ContentType string
	Body        string
}

// Answer returns what the CRM wants to read when everything that came out of a
// delivery is stored: 202 and callbridge's JSON, unless the source says else.
func (s *Source) Answer() Answer {
	if s.answer.Status == 0 {
		return Answer{Status: http.StatusAccepted}
	}
	return s.answer
}

func readAnswer(n node) Answer {
	a := Answer{Status: http.StatusOK}
	keys, ok := n.known(answerKeys)
	if !ok {
		return a
	}
	if n, ok := keys.get("status"); ok {
		var err error
		if a.Status, err = strconv.Atoi(plainText(n)); err != nil || a.Status < 200 || a.Status > 299 {
			n.problem("must be 200 to 299", "what is refused has statuses of its own")
		}
	}
	contentType, hasType := keys.get("content_type")
	body, hasBody := keys.get("body")
	if hasType != hasBody {
		n.problem("content_type and body go together", "")
	}
	if hasType && hasBody {
		a.ContentType, a.Body = plainText(contentType), plainText(body)
	}
	return a
}
