package docs_test

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"callbridge/internal/testkit"
)

// The limits of CONTRIBUTING.md.
const (
	maxAvoidedWords  = 5    // per 1,000 comment lines
	maxPackageLines  = 2500 // without tests
	maxFunctionLines = 60
)

// avoided are the words of CONTRIBUTING.md that the test counts.
var avoided = regexp.MustCompile(`(?i)\b(who|nobody|somebody|everybody|stands|behind|anew|hangs on)\b`)

// sourceFile is a Go file that is not a test.
type sourceFile struct {
	name string // from the root of the repository
	text string
}

func sourceFiles(t *testing.T) []sourceFile {
	t.Helper()
	root := testkit.Path(".")
	var files []sourceFile
	err := filepath.WalkDir(root, func(file string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() && strings.HasPrefix(entry.Name(), ".") && file != root {
			return fs.SkipDir
		}
		if !strings.HasSuffix(file, ".go") || strings.HasSuffix(file, "_test.go") {
			return nil
		}
		name, err := filepath.Rel(root, file)
		name = filepath.ToSlash(name)
		files = append(files, sourceFile{name, testkit.Read(t, name)})
		return err
	})
	if err != nil || len(files) == 0 {
		t.Fatalf("%d source files: %v", len(files), err)
	}
	return files
}

// TestCommentsUsePlainWords counts the avoided words per 1,000 lines with a
// comment.
func TestCommentsUsePlainWords(t *testing.T) {
	t.Parallel()
	comment := regexp.MustCompile(`(?:^|\s)//(.*)`)
	var found []string
	comments, words := 0, 0
	for _, file := range sourceFiles(t) {
		number := 0
		for line := range strings.Lines(file.text) {
			number++
			m := comment.FindStringSubmatch(line)
			if m == nil || strings.HasPrefix(m[1], "go:") {
				continue
			}
			comments++
			if n := len(avoided.FindAllString(m[1], -1)); n > 0 {
				words += n
				found = append(found, fmt.Sprintf("%s:%d: %s", file.name, number, strings.TrimSpace(line)))
			}
		}
	}
	if words*1000 > maxAvoidedWords*comments {
		t.Errorf("%d avoided words in %d comment lines, %d per 1,000 allowed (CONTRIBUTING.md, Words):\n%s",
			words, comments, maxAvoidedWords, strings.Join(found, "\n"))
	}
}

func TestPackagesAreSmallEnoughToRead(t *testing.T) {
	t.Parallel()
	lines := map[string]int{}
	for _, file := range sourceFiles(t) {
		lines[path.Dir(file.name)] += strings.Count(file.text, "\n")
	}
	for name, n := range lines {
		if n > maxPackageLines {
			t.Errorf("package %s has %d lines, %d allowed", name, n, maxPackageLines)
		}
	}
}

func TestFunctionsFitAScreen(t *testing.T) {
	t.Parallel()
	for _, file := range sourceFiles(t) {
		positions := token.NewFileSet()
		parsed, err := parser.ParseFile(positions, file.name, file.text, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		for _, declaration := range parsed.Decls {
			function, ok := declaration.(*ast.FuncDecl)
			if !ok {
				continue
			}
			start := positions.Position(function.Pos())
			if n := positions.Position(function.End()).Line - start.Line + 1; n > maxFunctionLines {
				t.Errorf("%s: %s has %d lines, %d allowed", start, function.Name.Name, n, maxFunctionLines)
			}
		}
	}
}
