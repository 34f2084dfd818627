package numberfile

import (
	"fmt"
	"log/slog"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"callbridge/event"
)

// File is a list of numbers in a file that may change. It is safe for concurrent use.
type File struct {
	path   string
	maxAge time.Duration
	log    *slog.Logger

	mu sync.Mutex
	// numbers are the digits of the numbers, sorted: 8 bytes a person.
	numbers []uint64
	// known is the file that numbers were read from; nil while they are not known.
	known os.FileInfo
	// problem is why they are not known, and failed the file that has it.
	problem error
	failed  os.FileInfo
	reading bool
}

// settled is how long a file is unchanged before it is read: it may still be written.
const settled = time.Second

// New reads the file. Every line has to hold a number. A file that cannot be read, or whose
// last change is older than maxAge, is a Problem until it is corrected; 0 is no limit.
func New(path string, maxAge time.Duration, log *slog.Logger) *File {
	f := &File{path: path, maxAge: maxAge, log: log, reading: true}
	f.read()
	return f
}

// Listed reports whether a number is in the file as it is now. An error means that this is
// not known: the file has changed and is read again, or cannot be read.
func (f *File) Listed(number event.Phone) (detail string, is bool, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.current(); err != nil {
		return "", false, err
	}
	digits, err := strconv.ParseUint(strings.TrimPrefix(number.Reveal(), "+"), 10, 64)
	if err != nil {
		return "", false, fmt.Errorf("DNC_FILE: %s is no number", number)
	}
	if _, is = slices.BinarySearch(f.numbers, digits); is {
		detail = "the number is in DNC_FILE"
	}
	return detail, is, nil
}

// Problem returns why the file cannot be used now, or nil.
func (f *File) Problem() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.current()
}

// current returns nil if the numbers are those of the file as it is now. Otherwise it
// begins to read the file.
func (f *File) current() error {
	info, err := os.Stat(f.path)
	if err != nil {
		f.known = nil
		return fmt.Errorf("DNC_FILE cannot be read, so nobody is called: %w", err)
	}
	if f.known != nil && same(f.known, info) {
		return f.tooOld(info)
	}
	if f.failed != nil && same(f.failed, info) {
		return f.problem
	}
	if age := time.Since(info.ModTime()); !f.reading && age.Abs() >= settled {
		f.reading = true
		go f.read()
	}
	if f.problem != nil {
		return f.problem
	}
	return fmt.Errorf("DNC_FILE %s has changed and is being read again; nobody is called meanwhile", f.path)
}

func same(a, b os.FileInfo) bool {
	return os.SameFile(a, b) && a.ModTime().Equal(b.ModTime()) && a.Size() == b.Size()
}

func (f *File) tooOld(info os.FileInfo) error {
	if age := time.Since(info.ModTime()); f.maxAge > 0 && age > f.maxAge {
		return fmt.Errorf("DNC_FILE %s was last changed %s ago, which is more than DNC_FILE_MAX_AGE (%s), so nobody is called: bring it up to date",
			f.path, age.Round(time.Second), f.maxAge)
	}
	return nil
}

// read reads the file again, and uses it if it has not changed meanwhile.
func (f *File) read() {
	path := f.path
	before, err := os.Stat(path)
	if err != nil {
		err = fmt.Errorf("DNC_FILE cannot be read, so nobody is called: %w", err)
	}
	var numbers []uint64
	if err == nil {
		numbers, err = f.load()
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.reading = false
	if err != nil {
		if f.problem == nil || f.problem.Error() != err.Error() {
			f.log.Error("dnc.file_refused", "error", err, "hint", "nobody is called until the file can be read")
		}
		f.known, f.problem, f.failed = nil, err, before
		return
	}
	after, err := os.Stat(path)
	if err != nil || !same(before, after) || time.Since(after.ModTime()).Abs() < settled {
		return // the next question reads it again
	}
	f.numbers, f.known, f.problem, f.failed = numbers, before, nil, nil
	f.log.Info("dnc.file_read", "file", path, "numbers", len(numbers))
}

// load returns the numbers of the file, sorted.
func (f *File) load() (numbers []uint64, err error) {
	file, err := os.Open(f.path)
	if err != nil {
		return nil, fmt.Errorf("DNC_FILE cannot be read, so nobody is called: %w", err)
	}
	defer func() { _ = file.Close() }()
	err = Scan(file, "", func(l Line) error {
		if l.Err != nil {
			return fmt.Errorf("line %d holds no number (%w): write it with its country code, such as +12025550142, or remove the line", l.At, l.Err)
		}
		digits, err := strconv.ParseUint(strings.TrimPrefix(l.Number.Reveal(), "+"), 10, 64)
		numbers = append(numbers, digits)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("DNC_FILE %s, so nobody is called: %w", f.path, err)
	}
	slices.Sort(numbers)
	return slices.Compact(numbers), nil
}
