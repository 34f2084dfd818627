package callab

// Trace holds functions that are told how far a call has come, in the order
// below. Any of them may be nil. They run on the way of the call, so what they
// take is taken from its write window or timeout; crash tests end the process
// in them.
type Trace struct {
	// GotConn: the connection is there, TLS included; nothing is sent.
	GotConn func()
	// BeforeWrite: the write window was found open; the write is next.
	BeforeWrite func()
	// WroteFirstByte: at least one byte of the request has been handed to
	// the kernel.
	WroteFirstByte func()
	// GotAnswer: the answer has been read, and nobody knows of it yet.
	GotAnswer func()
}

func (t *Trace) gotConn() {
	if t != nil && t.GotConn != nil {
		t.GotConn()
	}
}

func (t *Trace) beforeWrite() {
	if t != nil && t.BeforeWrite != nil {
		t.BeforeWrite()
	}
}

func (t *Trace) wroteFirstByte() {
	if t != nil && t.WroteFirstByte != nil {
		t.WroteFirstByte()
	}
}

func (t *Trace) gotAnswer() {
	if t != nil && t.GotAnswer != nil {
		t.GotAnswer()
	}
}
