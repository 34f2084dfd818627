//go:build linux

package power

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
)

// FileSystem is one of the kernel's, for an image.
type FileSystem string

// The file systems that MountImage knows.
const (
	XFS   FileSystem = "xfs"
	Ext4  FileSystem = "ext4"
	Btrfs FileSystem = "btrfs"
)

// imageBytes is the size of an image: the smallest that mkfs.xfs makes.
const imageBytes = 320 << 20

const imageName = "disk.img"

// Missing returns what MountImage needs and this machine lacks, or nil.
func (s FileSystem) Missing() error {
	if err := Available(); err != nil {
		return err
	}
	for _, program := range []string{"mkfs." + string(s), "losetup", "mount", "umount"} {
		if _, err := exec.LookPath(program); err != nil {
			return fmt.Errorf("an image of %s needs %s", s, program)
		}
	}
	if _, err := os.Stat("/dev/loop-control"); err != nil {
		return fmt.Errorf("an image of %s needs loop devices: %w", s, err)
	}
	return nil
}

// MountImage mounts a file system of the kernel at dir, on a loop device whose image
// is a file of the disk. An empty disk is formatted first. A flush of the kernel is
// then a flush of the disk; what it writes without one is what a cut may lose. The
// caller must call unmount after the programs that use dir have ended, also after a
// cut.
func (d *Disk) MountImage(s FileSystem, dir string) (unmount func() error, err error) {
	below, err := os.MkdirTemp("", "power-image-")
	if err != nil {
		return nil, fmt.Errorf("make a directory for the image: %w", err)
	}
	steps := undo{func() error { return os.Remove(below) }}
	defer func() {
		if err != nil {
			err = errors.Join(err, steps.run())
		}
	}()
	release, err := d.Mount(below)
	if err != nil {
		return nil, err
	}
	steps = append(steps, release)
	image := filepath.Join(below, imageName)
	isNew, err := makeImage(image)
	if err != nil {
		return nil, err
	}
	device, err := command("losetup", "--find", "--show", image)
	if err != nil {
		return nil, err
	}
	steps = append(steps, func() error { _, err := command("losetup", "--detach", device); return err })
	if isNew {
		if err := s.format(device); err != nil {
			return nil, err
		}
	}
	if _, err := command("mount", "-t", string(s), device, dir); err != nil {
		return nil, err
	}
	steps = append(steps, func() error { _, err := command("umount", dir); return err })
	return steps.run, nil
}

// makeImage makes the image if it does not exist, and flushes its name.
func makeImage(name string) (isNew bool, err error) {
	image, err := os.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o600)
	if errors.Is(err, os.ErrExist) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("make the image: %w", err)
	}
	defer image.Close()
	dir, err := os.Open(filepath.Dir(name))
	if err != nil {
		return false, fmt.Errorf("make the image: %w", err)
	}
	defer dir.Close()
	if err := errors.Join(image.Truncate(imageBytes), image.Sync(), dir.Sync()); err != nil {
		return false, fmt.Errorf("make the image: %w", err)
	}
	return true, nil
}

// format makes the file system, without the discard that the disk does not know.
func (s FileSystem) format(device string) error {
	arguments := map[FileSystem][]string{XFS: {"-q", "-K"}, Ext4: {"-q", "-E", "nodiscard,lazy_itable_init=0"}, Btrfs: {"-q", "-K"}}[s]
	_, err := command("mkfs."+string(s), append(arguments, device)...)
	return err
}

// undo are the steps that take back what was done, the last one first.
type undo []func() error

func (u undo) run() error {
	var errs []error
	for i := len(u) - 1; i >= 0; i-- {
		errs = append(errs, u[i]())
	}
	return errors.Join(errs...)
}

// command runs a program and returns what it prints.
func command(name string, arguments ...string) (string, error) {
	cmd := exec.Command(name, arguments...)
	// It ends with this process, which serves the file system that it waits for.
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	out, err := cmd.CombinedOutput()
	text := strings.TrimSpace(string(out))
	if err != nil {
		return "", fmt.Errorf("run %s %s: %w: %s", name, strings.Join(arguments, " "), err, text)
	}
	return text, nil
}
