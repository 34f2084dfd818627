package power

import (
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"syscall"
	"time"
)

// Names says when a new, renamed or removed name of a directory is on the disk.
type Names int

const (
	// OfDirectory: after a flush of the directory, and not before. This is all that
	// POSIX promises.
	OfDirectory Names = iota
	// InOrder: after any flush, all names changed before it. Later changes may be on
	// the disk up to any one of them. XFS, ext4 and btrfs write a journal like that.
	InOrder
)

// Options configures a Disk.
type Options struct {
	Names Names
	// Lies: a flush reports success and does nothing.
	Lies bool
	// Renamed is called after each rename with the new name, without its directory.
	// It must not use the disk.
	Renamed func(name string)
}

// Disk is a file system in memory. It is safe for concurrent use.
type Disk struct {
	options Options

	mu     sync.Mutex
	root   *node
	lastID uint64
	// journal holds the changes of names that are not on the disk, oldest first.
	journal []rename
	off     bool
	// failing: the next flush of a file fails.
	failing bool
	// refused is the error of all changes; 0 if they are taken.
	refused syscall.Errno
	// hung is closed when changes and flushes go on; nil if they do not wait.
	hung    chan struct{}
	flushes int64
}

// node is a file or a directory.
type node struct {
	id       uint64
	dir      bool
	mode     uint32
	modified time.Time

	// names is the content of a directory, keptNames the part of it on the disk.
	names, keptNames map[string]*node

	// data is the content of a file. kept is on the disk, and pending leads from
	// kept to data, unless a flush has failed.
	data, kept content
	pending    []change
}

// rename is an atomic change of one or two directory entries. The entry of name in the
// directory in points to the node to afterwards; nil removes the entry.
type rename []struct {
	in   *node
	name string
	to   *node
}

// New makes an empty disk.
func New(options Options) *Disk {
	d := &Disk{options: options}
	d.root = d.newNode(true, 0o755)
	return d
}

func (d *Disk) newNode(dir bool, mode uint32) *node {
	d.lastID++
	n := &node{id: d.lastID, dir: dir, mode: mode, modified: time.Now()}
	if dir {
		n.names, n.keptNames = map[string]*node{}, map[string]*node{}
	}
	return n
}

// Cut switches the power off: from now on every operation fails with EIO, so that
// nothing is promised any more.
func (d *Disk) Cut() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.off = true
}

// FailNextFlush lets the next flush of a file with unflushed data fail with EIO. As
// with Linux, the data is lost, can still be read, and the flush after it succeeds.
func (d *Disk) FailNextFlush() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.failing = true
}

// Refuse lets every change of the disk fail with an error, such as EIO or EROFS, until
// it is called with 0. What is on the disk can be read meanwhile.
func (d *Disk) Refuse(with syscall.Errno) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.refused = with
}

// Hang lets every change and every flush wait until release is called.
func (d *Disk) Hang() (release func()) {
	d.mu.Lock()
	defer d.mu.Unlock()
	hung := make(chan struct{})
	d.hung = hung
	return sync.OnceFunc(func() {
		d.mu.Lock()
		defer d.mu.Unlock()
		d.hung = nil
		close(hung)
	})
}

// lockToChange locks mu when the disk does not hang.
func (d *Disk) lockToChange() {
	d.mu.Lock()
	for d.hung != nil {
		hung := d.hung
		d.mu.Unlock()
		<-hung
		d.mu.Lock()
	}
}

// Flushes returns the number of flushes of files and directories so far.
func (d *Disk) Flushes() int64 {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.flushes
}

// Survivor returns a disk with what is left after a cut. Everything that was flushed
// is there. Of the rest nothing is, or with random what a disk may have written of it.
func (d *Disk) Survivor(random *rand.Rand) *Disk {
	d.mu.Lock()
	defer d.mu.Unlock()
	if random != nil && d.options.Names == InOrder {
		d.keepNames(random.IntN(len(d.journal) + 1))
	}
	s := New(d.options)
	s.root = s.survive(d.root, random)
	return s
}

// survive copies what is on the disk of a file, or of a directory and all below it.
// The order is fixed, so that a seed leads to the same disk.
func (s *Disk) survive(n *node, random *rand.Rand) *node {
	left := s.newNode(n.dir, n.mode)
	if !n.dir {
		left.kept = n.kept.clone()
		if random != nil {
			left.kept.applySome(n.pending, random)
		}
		left.data = left.kept.clone()
		return left
	}
	for _, name := range slices.Sorted(maps.Keys(n.keptNames)) {
		left.names[name] = s.survive(n.keptNames[name], random)
	}
	left.keptNames = maps.Clone(left.names)
	return left
}

// keepNames writes the first count changes of the journal to the disk.
func (d *Disk) keepNames(count int) {
	for _, change := range d.journal[:count] {
		for _, c := range change {
			if c.to == nil {
				delete(c.in.keptNames, c.name)
			} else {
				c.in.keptNames[c.name] = c.to
			}
		}
	}
	d.journal = d.journal[count:]
}

// changeNames makes a change of names in memory.
func (d *Disk) changeNames(change rename) {
	for _, c := range change {
		if c.to == nil {
			delete(c.in.names, c.name)
		} else {
			c.in.names[c.name] = c.to
		}
		c.in.modified = time.Now()
	}
	if d.options.Names == InOrder {
		d.journal = append(d.journal, change)
	}
}

// flush is fsync of a file or a directory.
func (d *Disk) flush(n *node) syscall.Errno {
	d.lockToChange()
	defer d.mu.Unlock()
	if d.off {
		return syscall.EIO
	}
	d.flushes++
	if d.options.Lies {
		return 0
	}
	if d.failing && len(n.pending) > 0 {
		d.failing, n.pending = false, nil
		return syscall.EIO
	}
	for _, p := range n.pending {
		n.kept.apply(p)
	}
	n.pending = nil
	switch {
	case d.options.Names == InOrder:
		d.keepNames(len(d.journal))
	case n.dir:
		n.keptNames = maps.Clone(n.names)
	}
	return 0
}
