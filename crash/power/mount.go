//go:build linux

package power

import (
	"context"
	"errors"
	"fmt"
	"os"
	"syscall"

	"github.com/hanwen/go-fuse/v2/fs"
	"github.com/hanwen/go-fuse/v2/fuse"
)

// Mount makes the disk available at the directory dir. It needs the right to mount
// (root), or fusermount3. The caller must call unmount after the programs that use
// dir have ended; files that are still open then fail with EIO.
func (d *Disk) Mount(dir string) (unmount func() error, err error) {
	root := &inode{disk: d, node: d.root}
	server, err := fs.Mount(dir, root, &fs.Options{
		MountOptions:   fuse.MountOptions{FsName: "power", Name: "power", DirectMount: true, MaxWrite: 1 << 20, DisableXAttrs: true},
		RootStableAttr: &fs.StableAttr{Mode: fuse.S_IFDIR, Ino: d.root.id},
	})
	if err != nil {
		return nil, fmt.Errorf("mount a FUSE file system on %s (it needs /dev/fuse, and root or fusermount3): %w", dir, err)
	}
	return server.Unmount, nil
}

// inode is a node of the disk as go-fuse wants it.
type inode struct {
	fs.Inode
	disk *Disk
	node *node
}

var _ interface {
	fs.NodeLookuper
	fs.NodeReaddirer
	fs.NodeGetattrer
	fs.NodeSetattrer
	fs.NodeCreater
	fs.NodeMkdirer
	fs.NodeUnlinker
	fs.NodeRmdirer
	fs.NodeRenamer
	fs.NodeOpener
	fs.NodeReader
	fs.NodeWriter
	fs.NodeFsyncer
	fs.NodeStatfser
} = (*inode)(nil)

// child makes the go-fuse form of a node below i, and fills out its attributes.
func (i *inode) child(ctx context.Context, n *node, out *fuse.EntryOut) (*fs.Inode, syscall.Errno) {
	a, errno := i.disk.stat(n)
	if errno != 0 {
		return nil, errno
	}
	a.fill(&out.Attr)
	return i.NewInode(ctx, &inode{disk: i.disk, node: n}, fs.StableAttr{Mode: a.kind(), Ino: a.id}), 0
}

func (a attributes) kind() uint32 {
	if a.dir {
		return fuse.S_IFDIR
	}
	return fuse.S_IFREG
}

func (a attributes) fill(out *fuse.Attr) {
	out.Ino, out.Mode, out.Size, out.Nlink = a.id, a.kind()|a.mode, uint64(a.size), 1
	out.Blocks, out.Blksize = uint64((a.size+sectorSize-1)/sectorSize), pageSize
	out.SetTimes(&a.modified, &a.modified, &a.modified)
	out.Owner = fuse.Owner{Uid: uint32(syscall.Getuid()), Gid: uint32(syscall.Getgid())}
}

// Lookup finds a name.
func (i *inode) Lookup(ctx context.Context, name string, out *fuse.EntryOut) (*fs.Inode, syscall.Errno) {
	n, errno := i.disk.find(i.node, name)
	if errno != 0 {
		return nil, errno
	}
	return i.child(ctx, n, out)
}

// Readdir lists a directory.
func (i *inode) Readdir(context.Context) (fs.DirStream, syscall.Errno) {
	entries, errno := i.disk.list(i.node)
	if errno != 0 {
		return nil, errno
	}
	var list []fuse.DirEntry
	for _, e := range entries {
		list = append(list, fuse.DirEntry{Name: e.name, Ino: e.node.id, Mode: attributes{dir: e.node.dir}.kind()})
	}
	return fs.NewListDirStream(list), 0
}

// Getattr is stat.
func (i *inode) Getattr(_ context.Context, _ fs.FileHandle, out *fuse.AttrOut) syscall.Errno {
	a, errno := i.disk.stat(i.node)
	a.fill(&out.Attr)
	return errno
}

// Setattr is truncate and chmod. It ignores owners and times.
func (i *inode) Setattr(ctx context.Context, f fs.FileHandle, in *fuse.SetAttrIn, out *fuse.AttrOut) syscall.Errno {
	if size, set := in.GetSize(); set {
		if errno := i.disk.truncate(i.node, int64(size)); errno != 0 {
			return errno
		}
	}
	if mode, set := in.GetMode(); set {
		if errno := i.disk.setMode(i.node, mode); errno != 0 {
			return errno
		}
	}
	return i.Getattr(ctx, f, out)
}

// Create makes a file and opens it.
func (i *inode) Create(ctx context.Context, name string, flags, mode uint32, out *fuse.EntryOut) (*fs.Inode, fs.FileHandle, uint32, syscall.Errno) {
	n, errno := i.disk.create(i.node, name, false, mode)
	if errno != 0 {
		return nil, nil, 0, errno
	}
	made, errno := i.child(ctx, n, out)
	return made, handle(flags), 0, errno
}

// Mkdir makes a directory.
func (i *inode) Mkdir(ctx context.Context, name string, mode uint32, out *fuse.EntryOut) (*fs.Inode, syscall.Errno) {
	n, errno := i.disk.create(i.node, name, true, mode)
	if errno != 0 {
		return nil, errno
	}
	return i.child(ctx, n, out)
}

// Unlink removes a file.
func (i *inode) Unlink(_ context.Context, name string) syscall.Errno {
	return i.disk.remove(i.node, name, false)
}

// Rmdir removes an empty directory.
func (i *inode) Rmdir(_ context.Context, name string) syscall.Errno {
	return i.disk.remove(i.node, name, true)
}

// Rename renames a file or a directory. It knows no flags.
func (i *inode) Rename(_ context.Context, name string, to fs.InodeEmbedder, newName string, flags uint32) syscall.Errno {
	parent, ours := to.(*inode)
	if !ours || flags != 0 {
		return syscall.EINVAL
	}
	return i.disk.rename(i.node, name, parent.node, newName)
}

// handle is the flags of open(2).
type handle uint32

// Open opens a file.
func (i *inode) Open(_ context.Context, flags uint32) (fs.FileHandle, uint32, syscall.Errno) {
	return handle(flags), 0, 0
}

// Read reads from a file.
func (i *inode) Read(_ context.Context, _ fs.FileHandle, data []byte, offset int64) (fuse.ReadResult, syscall.Errno) {
	n, errno := i.disk.read(i.node, data, offset)
	return fuse.ReadResultData(data[:n]), errno
}

// Write writes to a file, and flushes it if it was opened with O_SYNC or O_DSYNC.
func (i *inode) Write(_ context.Context, f fs.FileHandle, data []byte, offset int64) (uint32, syscall.Errno) {
	if errno := i.disk.write(i.node, data, offset); errno != 0 {
		return 0, errno
	}
	if flags, _ := f.(handle); flags&(syscall.O_SYNC|syscall.O_DSYNC) != 0 {
		if errno := i.disk.flush(i.node); errno != 0 {
			return 0, errno
		}
	}
	return uint32(len(data)), 0
}

// Fsync flushes a file or a directory.
func (i *inode) Fsync(context.Context, fs.FileHandle, uint32) syscall.Errno {
	return i.disk.flush(i.node)
}

// Statfs shows a disk with a terabyte of free space.
func (i *inode) Statfs(_ context.Context, out *fuse.StatfsOut) syscall.Errno {
	const blocks = 1 << 40 / pageSize
	out.Bsize, out.Frsize, out.NameLen = pageSize, pageSize, 255
	out.Blocks, out.Bfree, out.Bavail = blocks, blocks, blocks
	return 0
}

// Available returns why this process cannot mount a file system, or nil.
func Available() error {
	if syscall.Geteuid() != 0 {
		return errors.New("mounting a FUSE file system needs root")
	}
	device, err := os.OpenFile("/dev/fuse", os.O_RDWR, 0)
	if err != nil {
		return fmt.Errorf("mounting a FUSE file system needs /dev/fuse: %w", err)
	}
	return device.Close()
}
