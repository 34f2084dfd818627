package control

import "sync/atomic"

// Known is the document that a process has last read. It is safe for concurrent use.
type Known struct{ document atomic.Pointer[Document] }

// Set says what was read.
func (k *Known) Set(d Document) { k.document.Store(&d) }

// Document returns what was read last, and before that the zero Document.
func (k *Known) Document() Document {
	if d := k.document.Load(); d != nil {
		return *d
	}
	return Document{}
}
