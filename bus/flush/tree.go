package flush

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
)

// Tree flushes all files and directories below dir: nats-server writes the
// definitions of streams and consumers without a flush. A file that the server
// removes meanwhile is skipped.
func Tree(dir string) error { return tree(dir, (*os.File).Sync) }

func tree(dir string, sync func(*os.File) error) error {
	if runtime.GOOS == "windows" {
		return nil // directories cannot be flushed, and NTFS journals their entries
	}
	return filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
		if err == nil {
			err = syncPath(path, sync)
		}
		if errors.Is(err, fs.ErrNotExist) && path != dir {
			return nil
		}
		if err != nil {
			return fmt.Errorf("flush the store: %w", err)
		}
		return nil
	})
}

// Dir flushes the names in a directory.
func Dir(dir string) error { return syncDir(dir, (*os.File).Sync) }

func syncDir(dir string, sync func(*os.File) error) error {
	if runtime.GOOS == "windows" {
		return nil // directories cannot be flushed, and NTFS journals their entries
	}
	return syncPath(dir, sync)
}

func syncPath(path string, sync func(*os.File) error) error {
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(sync(file), file.Close())
}

// Names flushes dir and every directory above it: the name of a new directory is on
// the disk when its parent is. Directories that this process may not open are
// skipped, and those of file systems that flush no directories.
func Names(dir string) error { return names(dir, "", (*os.File).Sync) }

// names flushes dir and the directories above it, up to and including root.
func names(dir, root string, sync func(*os.File) error) error {
	if runtime.GOOS == "windows" {
		return nil
	}
	dir, err := filepath.Abs(dir)
	if err != nil {
		return fmt.Errorf("flush the name of the store: %w", err)
	}
	for {
		if err := syncPath(dir, sync); err != nil && !cannotFlush(err) {
			return fmt.Errorf("flush the name of the store: %w", err)
		}
		parent := filepath.Dir(dir)
		if dir == root || parent == dir {
			return nil
		}
		dir = parent
	}
}

func cannotFlush(err error) bool {
	for _, reason := range []error{fs.ErrPermission, syscall.EINVAL, syscall.ENOTSUP, syscall.EROFS} {
		if errors.Is(err, reason) {
			return true
		}
	}
	return false
}

// rewriteExt ends the name of a copy that has not taken the place of its file yet.
const rewriteExt = ".rewrite"

// Rewrite replaces each file below dir by a flushed copy of what can be read of it.
// After a failed fsync the kernel takes pages for clean that are not on the disk; only
// writing them again makes sure that what is read now is read after a power cut too.
// No server may have dir open. It needs free space for the largest file. A call that
// was interrupted can be repeated.
func Rewrite(dir string) error {
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case !entry.Type().IsRegular():
			return nil
		case strings.HasSuffix(path, rewriteExt):
			if err := os.Remove(path); !errors.Is(err, fs.ErrNotExist) {
				return err
			}
			return nil
		default:
			return rewriteFile(path)
		}
	})
	if err != nil {
		return fmt.Errorf("write the store again: %w", err)
	}
	return Tree(dir)
}

func rewriteFile(path string) error {
	from, err := os.Open(path)
	if err != nil {
		return err
	}
	defer from.Close()
	info, err := from.Stat()
	if err != nil {
		return err
	}
	to, err := os.OpenFile(path+rewriteExt, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, info.Mode().Perm())
	if err != nil {
		return err
	}
	_, err = io.Copy(to, from)
	if err = errors.Join(err, to.Sync(), to.Close()); err != nil {
		return errors.Join(err, os.Remove(path+rewriteExt))
	}
	return os.Rename(path+rewriteExt, path)
}
