package handlers

import "callbridge/mapping"

// IsHandshake reports whether a delivery is answered before verification.
func IsHandshake(source *mapping.Source, d mapping.Delivery) bool {
	_, ok := answerHandshake(source.Handshakes(), d)
	return ok
}
