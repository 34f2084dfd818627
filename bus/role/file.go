package role

import (
	"bufio"
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"callbridge/bus/flush"
)

// FileName is the file with the passwords of the embedded server, in the directory of
// its store. It has one line a role, "<role>:<password>", as it is written in a URL.
const FileName = "nats-users"

// Passwords are the passwords by role.
type Passwords map[string]string

// header is the beginning of the file.
const header = "# The users of the embedded NATS. To give one a new password, delete its line and start callbridge again.\n"

// Read reads the file of a directory. The error is os.ErrNotExist if there is none. A
// file that other users of this machine may read is refused.
func Read(dir string) (Passwords, error) {
	name := filepath.Join(dir, FileName)
	info, err := os.Lstat(name)
	if err != nil {
		return nil, fmt.Errorf("read users of NATS: %w", err)
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is not a regular file: whoever has put it there may know the passwords; delete it, and callbridge makes new ones", name)
	}
	if mode := info.Mode().Perm(); mode&0o077 != 0 && runtime.GOOS != "windows" {
		return nil, fmt.Errorf("%s has the mode %04o, so others can read its passwords: delete it, and callbridge makes new ones; or `chmod 600` it if nobody else uses this machine", name, mode)
	}
	content, err := os.ReadFile(name)
	if err != nil {
		return nil, fmt.Errorf("read users of NATS: %w", err)
	}
	all := Passwords{}
	lines := bufio.NewScanner(bytes.NewReader(content))
	for n := 1; lines.Scan(); n++ {
		line := strings.TrimSpace(lines.Text())
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		role, password, ok := strings.Cut(line, ":")
		if !ok || role == "" || len(password) < minPassword || url.UserPassword(role, password).String() != line {
			return nil, fmt.Errorf("%s, line %d: write <role>:<password> with at least %d letters and digits, or delete the line for a new one", name, n, minPassword)
		}
		all[role] = password
	}
	return all, nil
}

// minPassword is the length of the shortest password that is accepted.
const minPassword = 16

// Ensure reads the file, and generates the passwords that are missing. A crash leaves
// the old file or the new one. A file of another user is refused, since that user knows
// its passwords.
func Ensure(dir string) (Passwords, error) {
	name := filepath.Join(dir, FileName)
	if info, err := os.Lstat(name); err == nil && foreign(info) {
		return nil, fmt.Errorf("%s belongs to another user, who knows its passwords: delete it, and callbridge makes new ones; or chown it if you have moved the directory", name)
	}
	all, err := Read(dir)
	if errors.Is(err, os.ErrNotExist) {
		all, err = Passwords{}, nil
	}
	if err != nil {
		return nil, err
	}
	missing := false
	for _, name := range Names {
		if all[name] == "" {
			all[name], missing = rand.Text(), true
		}
	}
	if !missing {
		return all, nil
	}
	if err := all.write(dir); err != nil {
		return nil, fmt.Errorf("write users of NATS: %w", err)
	}
	return all, nil
}

func (p Passwords) write(dir string) error {
	text := header
	for _, name := range Names {
		text += name + ":" + p[name] + "\n"
	}
	return flush.Replace(filepath.Join(dir, FileName), []byte(text))
}

// URL is the address with the user and the password of a role.
func (p Passwords) URL(name, address string) string {
	if p[name] == "" {
		return address
	}
	parsed, err := url.Parse(address)
	if err != nil {
		return address
	}
	parsed.User = url.UserPassword(name, p[name])
	return parsed.String()
}
