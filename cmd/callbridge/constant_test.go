package main

import (
	"go/ast"
	"go/parser"
	gotoken "go/token"
	"path/filepath"
	"slices"
	"strconv"
	"testing"
)

// constants are the values of all constants of a type, by the source.
func constants(t *testing.T, dir, name string) []string {
	t.Helper()
	files, err := filepath.Glob(dir + "/*.go")
	if err != nil {
		t.Fatal(err)
	}
	var values []string
	for _, file := range files {
		parsed, err := parser.ParseFile(gotoken.NewFileSet(), file, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(parsed, func(n ast.Node) bool {
			if spec, ok := n.(*ast.ValueSpec); ok {
				values = append(values, valuesOf(spec, name)...)
			}
			return true
		})
	}
	slices.Sort(values)
	return values
}

func valuesOf(spec *ast.ValueSpec, name string) []string {
	typed, ok := spec.Type.(*ast.Ident)
	if !ok || typed.Name != name {
		return nil
	}
	var values []string
	for _, v := range spec.Values {
		if literal, ok := v.(*ast.BasicLit); ok {
			text, _ := strconv.Unquote(literal.Value)
			values = append(values, text)
		}
	}
	return values
}
