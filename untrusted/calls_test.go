package untrusted_test

import (
	"bytes"
	"go/ast"
	"go/parser"
	"go/printer"
	"go/token"
	"io/fs"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"callbridge/untrusted"
)

// own lists what the attributes that are not masked may get: texts and addresses of
// this process. A value that is not in it gets another key, or passes Log.
var own = map[string][]string{
	"version":  {"version()"},
	"remote":   {"l.address()"},
	"webhooks": {"p.public.URL()"}, "nats": {"p.bus.ClientURL()"},
	"config": {"s.ConfigFile"}, "config_hash": {"config.current().Hash()", "config.Hash()", "old.config.Hash()", "next.config.Hash()", "l.config", "r.Config", "j.config.Hash()"},
	"file": {"c.file", "path"}, "replaced_hash": {"old.config.Hash()"},
	"stack": {"string(debug.Stack())"},
}

// logged is one attribute of one log call.
type logged struct {
	at, key, value string
	constant       bool
}

// logCalls finds the log calls of the module, and what is wrong with them.
type logCalls struct {
	t          *testing.T
	files      *token.FileSet
	attributes []logged
	calls      int
}

// elsewhere are packages that do not log: the measurements, and this one.
var elsewhere = []string{"bench", "untrusted"}

func TestEveryLogCallPassesTheCleaningLogger(t *testing.T) {
	t.Parallel()
	c := logCalls{t: t, files: token.NewFileSet()}
	err := filepath.WalkDir("..", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") || slices.Contains(elsewhere, filepath.Base(filepath.Dir(path))) {
			return err
		}
		file, err := parser.ParseFile(c.files, path, nil, 0)
		if err == nil {
			c.checkImports(path, file)
			ast.Inspect(file, c.visit)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if c.calls < 30 || len(c.attributes) < 80 {
		t.Fatalf("found only %d log calls with %d attributes: this test does not see them any more", c.calls, len(c.attributes))
	}
	for _, a := range c.attributes {
		c.check(a)
	}
}

// check passes hostile text under the attribute's key through the logger.
func (c *logCalls) check(a logged) {
	if allowed, is := own[a.key]; is || a.key == "hint" {
		if !a.constant && !slices.Contains(allowed, a.value) {
			c.t.Errorf("%s: %s has the value %s: it is not masked, so it must be one of %q or a constant", a.at, a.key, a.value, allowed)
		}
		return
	}
	for format, handler := range formats {
		for kind, value := range values(hostile) {
			var out bytes.Buffer
			untrusted.NewLogger(handler(&out)).Info("x", a.key, value)
			checkClean(c.t, a.at+" "+a.key+" "+format+" "+kind, out.String(), 700)
		}
	}
}

var levels = []string{"Debug", "Info", "Warn", "Error"}

// logger matches the expressions that are loggers in this module.
var logger = regexp.MustCompile(`(?i)(^|\.)log$|\.(logger|with)\(.*\)$`)

var messageForm = regexp.MustCompile(`^[a-z]+\.[a-z_]+$`)

func (c *logCalls) visit(n ast.Node) bool {
	call, is := n.(*ast.CallExpr)
	if !is {
		return true
	}
	method, is := call.Fun.(*ast.SelectorExpr)
	if !is {
		return true
	}
	name, of := method.Sel.Name, c.text(method.X)
	switch {
	case of == "slog":
		c.slogCall(name, call)
	case logger.MatchString(of):
		c.loggerCall(name, call.Args)
	}
	return true
}

// checkImports refuses package log, which writes past the logger, except to silence it.
func (c *logCalls) checkImports(path string, file *ast.File) {
	for _, imported := range file.Imports {
		if imported.Path.Value != strconv.Quote("log") {
			continue
		}
		ast.Inspect(file, func(n ast.Node) bool {
			use, is := n.(*ast.SelectorExpr)
			if is && use.Sel.Name != "SetOutput" && (imported.Name == nil && c.text(use.X) == "log" || imported.Name != nil && c.text(use.X) == imported.Name.Name) {
				c.t.Errorf("%s: log.%s of package log is not cleaned: use log/slog", path, use.Sel.Name)
			}
			return true
		})
	}
}

// slogCall checks a call of a function of package slog.
func (c *logCalls) slogCall(name string, call *ast.CallExpr) {
	switch {
	case name == "New" && c.text(call.Args[0]) != "slog.DiscardHandler",
		slices.Contains([]string{"Default", "SetDefault", "Debug", "Info", "Warn", "Error", "Log", "LogAttrs"}, name):
		c.t.Errorf("%s: slog.%s makes a line that is not cleaned: use untrusted.NewLogger", c.at(call), name)
	case slices.Contains([]string{"String", "Any"}, name) && len(call.Args) == 2:
		c.attribute(call.Args[0], call.Args[1])
	}
}

// loggerCall collects the attributes of a call of a logger's method.
func (c *logCalls) loggerCall(name string, args []ast.Expr) {
	switch {
	case slices.Contains(levels, name) && len(args) > 0:
		c.message(args[0])
		args = args[1:]
	case (name == "Log" || name == "LogAttrs") && len(args) > 2:
		c.message(args[2])
		args = args[3:]
	case name == "With" && len(args) > 1:
	default:
		return
	}
	for len(args) > 0 {
		if _, isCall := args[0].(*ast.CallExpr); isCall || len(args) == 1 {
			args = args[1:] // slog.String and others are visited by themselves
			continue
		}
		c.attribute(args[0], args[1])
		args = args[2:]
	}
}

// message checks that the message of a log call is a constant of ours.
func (c *logCalls) message(e ast.Expr) {
	c.calls++
	if text, is := literal(e); !is || !messageForm.MatchString(text) {
		c.t.Errorf("%s: the message %s is not a constant such as event.looked_up", c.at(e), c.text(e))
	}
}

func (c *logCalls) attribute(key, value ast.Expr) {
	name, is := literal(key)
	if !is && c.text(key) != "key" { // span: a function that makes attributes of a span
		c.t.Errorf("%s: the key %s is not a constant", c.at(key), c.text(key))
	}
	_, constant := literal(value)
	c.attributes = append(c.attributes, logged{c.at(key), name, c.text(value), constant})
}

// literal returns the text of a string literal, or of several that are added.
func literal(e ast.Expr) (string, bool) {
	switch e := e.(type) {
	case *ast.BasicLit:
		text, err := strconv.Unquote(e.Value)
		return text, err == nil
	case *ast.BinaryExpr:
		left, isLeft := literal(e.X)
		right, isRight := literal(e.Y)
		return left + right, isLeft && isRight
	}
	return "", false
}

func (c *logCalls) text(n ast.Node) string {
	var b strings.Builder
	_ = printer.Fprint(&b, c.files, n)
	return b.String()
}

func (c *logCalls) at(n ast.Node) string { return c.files.Position(n.Pos()).String() }
