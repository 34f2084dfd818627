package power

import (
	"bytes"
	"fmt"
	"maps"
	"math/rand/v2"
	"path"
	"slices"
	"strings"
	"syscall"
	"testing"
)

// shell changes a disk by path, and fails the test at an error.
type shell struct {
	t    *testing.T
	disk *Disk
}

func (s shell) at(name string) *node {
	n := s.disk.root
	for part := range strings.SplitSeq(strings.Trim(path.Clean("/"+name), "/"), "/") {
		if part == "" {
			continue
		}
		next, errno := s.disk.find(n, part)
		if errno != 0 {
			s.t.Fatalf("find %s: %v", name, errno)
		}
		n = next
	}
	return n
}

func (s shell) must(errno syscall.Errno) {
	s.t.Helper()
	if errno != 0 {
		s.t.Fatal(errno)
	}
}

func (s shell) make(name string, dir bool) {
	s.t.Helper()
	_, errno := s.disk.create(s.at(path.Dir(name)), path.Base(name), dir, 0o644)
	s.must(errno)
}

func (s shell) write(name, text string, offset int64) {
	s.t.Helper()
	s.must(s.disk.write(s.at(name), []byte(text), offset))
}

func (s shell) flush(names ...string) {
	s.t.Helper()
	for _, name := range names {
		s.must(s.disk.flush(s.at(name)))
	}
}

func (s shell) rename(from, to string) {
	s.t.Helper()
	s.must(s.disk.rename(s.at(path.Dir(from)), path.Base(from), s.at(path.Dir(to)), path.Base(to)))
}

func (s shell) remove(name string) {
	s.t.Helper()
	s.must(s.disk.remove(s.at(path.Dir(name)), path.Base(name), s.at(name).dir))
}

// tree returns the content of every file by its path, and "dir" for a directory.
func tree(t *testing.T, d *Disk) map[string]string {
	t.Helper()
	files := map[string]string{}
	var walk func(n *node, at string)
	walk = func(n *node, at string) {
		entries, errno := d.list(n)
		if errno != 0 {
			t.Fatal(errno)
		}
		for _, e := range entries {
			name := path.Join(at, e.name)
			if e.node.dir {
				files[name] = "dir"
				walk(e.node, name)
				continue
			}
			files[name] = string(read(t, d, e.node))
		}
	}
	walk(d.root, "")
	return files
}

func read(t *testing.T, d *Disk, n *node) []byte {
	t.Helper()
	a, errno := d.stat(n)
	if errno != 0 {
		t.Fatal(errno)
	}
	data := make([]byte, a.size)
	if n, errno := d.read(n, data, 0); errno != 0 || int64(n) != a.size {
		t.Fatalf("read %d of %d bytes: %v", n, a.size, errno)
	}
	return data
}

func TestWhatACutLeaves(t *testing.T) {
	t.Parallel()
	writeNew := func(s shell) { s.make("a", false); s.write("a", "new", 0) }
	replace := func(s shell) {
		s.make("a", false)
		s.write("a", "old", 0)
		s.flush("a", "")
		s.make("a.tmp", false)
		s.write("a.tmp", "new", 0)
		s.rename("a.tmp", "a")
	}
	for name, c := range map[string]struct {
		act             func(shell)
		strict, inOrder map[string]string
	}{
		"nothing flushed":  {writeNew, map[string]string{}, map[string]string{}},
		"the file flushed": {func(s shell) { writeNew(s); s.flush("a") }, map[string]string{}, map[string]string{"a": "new"}},
		"the name flushed": {func(s shell) { writeNew(s); s.flush("") }, map[string]string{"a": ""}, map[string]string{"a": ""}},
		"both flushed":     {func(s shell) { writeNew(s); s.flush("a", "") }, map[string]string{"a": "new"}, map[string]string{"a": "new"}},
		"another file flushed": {func(s shell) { writeNew(s); s.make("b", false); s.flush("b") },
			map[string]string{}, map[string]string{"a": "", "b": ""}},
		"a directory whose own name was not flushed": {func(s shell) {
			s.make("d", true)
			s.make("d/a", false)
			s.flush("d/a", "d")
		}, map[string]string{}, map[string]string{"d": "dir", "d/a": ""}},
		"replaced": {replace, map[string]string{"a": "old"}, map[string]string{"a": "old"}},
		// What a file system with a journal makes of a rename without fsync.
		"replaced, and another file flushed": {func(s shell) { replace(s); s.make("b", false); s.flush("b") },
			map[string]string{"a": "old"}, map[string]string{"a": "", "b": ""}},
		"replaced, after a flush": {func(s shell) { replace(s); s.flush("a", "") }, map[string]string{"a": "new"}, map[string]string{"a": "new"}},
		"removed":                 {func(s shell) { writeNew(s); s.flush("a", ""); s.remove("a") }, map[string]string{"a": "new"}, map[string]string{"a": "new"}},
		"removed, then flushed":   {func(s shell) { writeNew(s); s.flush("a", ""); s.remove("a"); s.flush("") }, map[string]string{}, map[string]string{}},
		"truncated":               {func(s shell) { writeNew(s); s.flush("a", ""); s.must(s.disk.truncate(s.at("a"), 1)) }, map[string]string{"a": "new"}, map[string]string{"a": "new"}},
		"truncated, then flushed": {func(s shell) { writeNew(s); s.flush(""); s.must(s.disk.truncate(s.at("a"), 1)); s.flush("a") }, map[string]string{"a": "n"}, map[string]string{"a": "n"}},
		"a failed flush, then one that succeeds": {func(s shell) {
			writeNew(s)
			s.flush("")
			s.disk.FailNextFlush()
			if errno := s.disk.flush(s.at("a")); errno != syscall.EIO {
				s.t.Errorf("the flush returned %v", errno)
			}
			s.flush("a")
			if got := read(s.t, s.disk, s.at("a")); string(got) != "new" {
				s.t.Errorf("read %q", got)
			}
		}, map[string]string{"a": ""}, map[string]string{"a": ""}},
	} {
		for names, want := range map[Names]map[string]string{OfDirectory: c.strict, InOrder: c.inOrder} {
			t.Run(fmt.Sprint(name, " ", names), func(t *testing.T) {
				t.Parallel()
				s := shell{t, New(Options{Names: names})}
				c.act(s)
				s.disk.Cut()
				if got := tree(t, s.disk.Survivor(nil)); !maps.Equal(got, want) {
					t.Errorf("left %v, want %v", got, want)
				}
			})
		}
	}
}

func TestADiskThatLiesKeepsNothing(t *testing.T) {
	t.Parallel()
	s := shell{t, New(Options{Lies: true})}
	s.make("a", false)
	s.flush("a", "")
	if got := tree(t, s.disk.Survivor(nil)); len(got) > 0 {
		t.Errorf("left %v", got)
	}
}

func TestNothingWorksAfterTheCut(t *testing.T) {
	t.Parallel()
	s := shell{t, New(Options{})}
	s.make("a", false)
	a := s.at("a")
	s.disk.Cut()
	_, find := s.disk.find(s.disk.root, "a")
	_, list := s.disk.list(s.disk.root)
	_, create := s.disk.create(s.disk.root, "b", false, 0o600)
	_, read := s.disk.read(a, make([]byte, 1), 0)
	for name, errno := range map[string]syscall.Errno{
		"find": find, "list": list, "create": create, "read": read, "write": s.disk.write(a, []byte("x"), 0), "flush": s.disk.flush(a),
		"rename": s.disk.rename(s.disk.root, "a", s.disk.root, "b"), "remove": s.disk.remove(s.disk.root, "a", false), "truncate": s.disk.truncate(a, 0),
	} {
		if errno != syscall.EIO {
			t.Errorf("%s returned %v, want EIO", name, errno)
		}
	}
}

// Whatever else happens, a file that was flushed together with the names that lead to
// it is there after a cut, unless it was changed since.
func TestWhatWasFlushedSurvives(t *testing.T) {
	t.Parallel()
	for _, names := range []Names{OfDirectory, InOrder} {
		for seed := range uint64(300) {
			random := rand.New(rand.NewPCG(seed, uint64(names)))
			m := newModel(t, Options{Names: names}, random)
			for range 60 {
				m.step()
			}
			m.disk.Cut()
			var rest *rand.Rand
			if seed%3 > 0 {
				rest = random
			}
			left := tree(t, m.disk.Survivor(rest))
			for name, content := range m.promised {
				if got, there := left[name]; !there || got != content {
					t.Fatalf("names %d, seed %d: %s has %q (there: %v), want %q", names, seed, name, got, there, content)
				}
			}
			if t.Failed() {
				return
			}
		}
	}
}

// model changes a disk at random, and knows which files must survive a cut.
type model struct {
	shell
	random *rand.Rand
	files  []string
	// promised has the content of the files that were flushed with their names.
	promised map[string]string
}

var modelDirs = []string{"", "d", "d/e"}

func newModel(t *testing.T, options Options, random *rand.Rand) *model {
	m := &model{shell: shell{t, New(options)}, random: random, promised: map[string]string{}}
	for _, dir := range modelDirs[1:] {
		m.make(dir, true)
	}
	return m
}

func (m *model) step() {
	name := path.Join(modelDirs[m.random.IntN(len(modelDirs))], string(rune('p'+m.random.IntN(5))))
	if !slices.Contains(m.files, name) {
		m.make(name, false)
		m.files = append(m.files, name)
		return
	}
	switch m.random.IntN(8) {
	case 0:
		delete(m.promised, name)
		m.remove(name)
		m.files = slices.DeleteFunc(m.files, func(f string) bool { return f == name })
	case 1:
		other := m.files[m.random.IntN(len(m.files))]
		if other == name {
			return
		}
		delete(m.promised, name)
		delete(m.promised, other)
		m.rename(name, other)
		m.files = slices.DeleteFunc(m.files, func(f string) bool { return f == name })
	case 2:
		delete(m.promised, name)
		m.must(m.disk.truncate(m.at(name), int64(m.random.IntN(2*pageSize))))
	case 3, 4:
		delete(m.promised, name)
		m.write(name, strings.Repeat(string(rune('A'+m.random.IntN(26))), 1+m.random.IntN(2*pageSize)), int64(m.random.IntN(2*pageSize)))
	case 5:
		m.flush(name) // without its name
	default:
		m.flush(name)
		for dir := path.Dir(name); ; dir = path.Dir(dir) {
			m.flush(dir)
			if dir == "." {
				break
			}
		}
		m.promised[name] = string(read(m.t, m.disk, m.at(name)))
	}
}

func TestContentIsThatOfAByteSlice(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(1, 2))
	var c content
	var want []byte
	grow := func(size int) {
		if size > len(want) {
			want = append(want, make([]byte, size-len(want))...)
		}
	}
	for range 2000 {
		offset := random.IntN(5 * pageSize)
		if random.IntN(4) == 0 {
			c.truncate(int64(offset))
			grow(offset)
			want = want[:offset]
		} else {
			data := bytes.Repeat([]byte{byte(random.IntN(3))}, 1+random.IntN(2*pageSize))
			c.write(int64(offset), data)
			grow(offset + len(data))
			copy(want[offset:], data)
		}
		got := make([]byte, len(want)+10)
		if n := c.read(got, 0); n != len(want) || !bytes.Equal(got[:n], want) {
			t.Fatalf("content differs: %d bytes, want %d", n, len(want))
		}
	}
}
