package bus

import "sync"

// page is where messages are written, one behind the other, until they are
// published.
type page struct{ text []byte }

// add takes the text with one message more, and returns that message.
func (p *page) add(text []byte, err error) ([]byte, error) {
	if err != nil {
		return nil, err
	}
	began := len(p.text)
	p.text = text
	return text[began:len(text):len(text)], nil
}

var pages = sync.Pool{New: func() any { return &page{} }}

// newPage is a page to give back. A webhook's is what it needs most memory for,
// and for a moment only.
func newPage() *page { return pages.Get().(*page) }

// mostKept is how large a page may be that waits for the next webhook, in bytes.
const mostKept = 64 << 10

// free gives a page back when all that was written on it has been published:
// nats.go has copied it then.
func (p *page) free() {
	if cap(p.text) > mostKept {
		return
	}
	p.text = p.text[:0]
	pages.Put(p)
}
