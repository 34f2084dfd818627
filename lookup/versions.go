package lookup

import (
	"crypto/sha256"
	"sync"

	"callbridge/mapping"
)

// maxVersions is of how many records the newest version is remembered. Past
// it, and after a restart, the oldest are forgotten, and order is not kept for
// them.
const maxVersions = 10_000

// versions knows the newest version of each record that was looked up.
type versions struct {
	mu     sync.Mutex
	newest map[record]string
	order  [maxVersions]record
	next   int
}

// record is a digest: what is asked may be long, and names a person.
type record [sha256.Size]byte

func newVersions() *versions { return &versions{newest: map[record]string{}} }

// recordOf tells kinds of events apart: a change that came before a creation
// does not make the creation old.
func recordOf(q *mapping.LookupRequest, kind string) record {
	return sha256.Sum256([]byte(kind + "\n" + q.Object))
}

// superseded reports whether a newer version of the record was looked up.
func (v *versions) superseded(q *mapping.LookupRequest, kind string) bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	return mapping.Older(q.Version, v.newest[recordOf(q, kind)])
}

// advance notes the version as looked up, unless a newer one was.
func (v *versions) advance(q *mapping.LookupRequest, kind string) bool {
	if q.Version == "" {
		return true
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	r := recordOf(q, kind)
	newest, known := v.newest[r]
	if known && mapping.Older(q.Version, newest) {
		return false
	}
	if !known {
		delete(v.newest, v.order[v.next])
		v.order[v.next] = r
		v.next = (v.next + 1) % maxVersions
	}
	v.newest[r] = q.Version
	return true
}
