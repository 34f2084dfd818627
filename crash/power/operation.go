package power

import (
	"bytes"
	"maps"
	"slices"
	"syscall"
	"time"
)

// find returns the node of a directory entry.
func (d *Disk) find(dir *node, name string) (*node, syscall.Errno) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.off {
		return nil, syscall.EIO
	}
	n := dir.names[name]
	if n == nil {
		return nil, syscall.ENOENT
	}
	return n, 0
}

// entry is a directory entry: a name and its node.
type entry struct {
	name string
	node *node
}

// list returns the content of a directory in the order of names.
func (d *Disk) list(dir *node) ([]entry, syscall.Errno) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.off {
		return nil, syscall.EIO
	}
	var entries []entry
	for _, name := range slices.Sorted(maps.Keys(dir.names)) {
		entries = append(entries, entry{name, dir.names[name]})
	}
	return entries, 0
}

// create makes a file or a directory.
func (d *Disk) create(in *node, name string, dir bool, mode uint32) (*node, syscall.Errno) {
	d.lockToChange()
	defer d.mu.Unlock()
	if d.off {
		return nil, syscall.EIO
	}
	if d.refused != 0 {
		return nil, d.refused
	}
	if in.names[name] != nil {
		return nil, syscall.EEXIST
	}
	n := d.newNode(dir, mode&0o7777)
	d.changeNames(rename{{in, name, n}})
	return n, 0
}

// remove removes a name.
func (d *Disk) remove(in *node, name string, dir bool) syscall.Errno {
	d.lockToChange()
	defer d.mu.Unlock()
	if d.off {
		return syscall.EIO
	}
	if d.refused != 0 {
		return d.refused
	}
	n := in.names[name]
	switch {
	case n == nil:
		return syscall.ENOENT
	case dir && !n.dir:
		return syscall.ENOTDIR
	case !dir && n.dir:
		return syscall.EISDIR
	case len(n.names) > 0:
		return syscall.ENOTEMPTY
	}
	d.changeNames(rename{{in, name, nil}})
	return 0
}

// rename gives a file or a directory another name, whose file or empty directory it
// replaces.
func (d *Disk) rename(in *node, name string, to *node, newName string) syscall.Errno {
	d.lockToChange()
	defer d.mu.Unlock()
	if d.off {
		return syscall.EIO
	}
	if d.refused != 0 {
		return d.refused
	}
	n, replaced := in.names[name], to.names[newName]
	switch {
	case n == nil:
		return syscall.ENOENT
	case replaced == n:
		return 0
	case replaced != nil && n.dir && !replaced.dir:
		return syscall.ENOTDIR
	case replaced != nil && !n.dir && replaced.dir:
		return syscall.EISDIR
	case replaced != nil && len(replaced.names) > 0:
		return syscall.ENOTEMPTY
	}
	d.changeNames(rename{{in, name, nil}, {to, newName, n}})
	if d.options.Renamed != nil {
		d.options.Renamed(newName)
	}
	return 0
}

// read fills data from an offset of a file and returns how much there was.
func (d *Disk) read(n *node, data []byte, offset int64) (int, syscall.Errno) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.off {
		return 0, syscall.EIO
	}
	return n.data.read(data, offset), 0
}

// write writes data at an offset of a file, and does not keep data.
func (d *Disk) write(n *node, data []byte, offset int64) syscall.Errno {
	if len(data) == 0 {
		return 0
	}
	return d.change(n, change{offset: offset, data: bytes.Clone(data)})
}

// truncate sets the size of a file.
func (d *Disk) truncate(n *node, size int64) syscall.Errno { return d.change(n, change{size: size}) }

func (d *Disk) change(n *node, c change) syscall.Errno {
	d.lockToChange()
	defer d.mu.Unlock()
	if d.off {
		return syscall.EIO
	}
	if d.refused != 0 {
		return d.refused
	}
	n.data.apply(c)
	n.pending = append(n.pending, c)
	n.modified = time.Now()
	return 0
}

// setMode changes the permissions, without a flush as a journal would keep them.
func (d *Disk) setMode(n *node, mode uint32) syscall.Errno {
	d.lockToChange()
	defer d.mu.Unlock()
	if d.off {
		return syscall.EIO
	}
	if d.refused != 0 {
		return d.refused
	}
	n.mode = mode & 0o7777
	return 0
}

// attributes are what stat shows of a file or a directory.
type attributes struct {
	id       uint64
	dir      bool
	mode     uint32
	size     int64
	modified time.Time
}

func (d *Disk) stat(n *node) (attributes, syscall.Errno) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.off {
		return attributes{}, syscall.EIO
	}
	return attributes{n.id, n.dir, n.mode, n.data.size, n.modified}, 0
}
