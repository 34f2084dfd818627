package main

import (
	"fmt"
	"reflect"
	"strings"
)

// variable is one environment variable, as the tags of settings declare it.
type variable struct{ Field, Name, Default string }

// variables lists all of settings, in the order in which it declares them.
func variables() []variable { return variablesOf(reflect.TypeFor[settings](), "") }

func variablesOf(t reflect.Type, prefix string) []variable {
	var all []variable
	for f := range t.Fields() {
		tag, ok := f.Tag.Lookup("env")
		if !ok {
			all = append(all, variablesOf(f.Type, prefix+f.Name+": ")...)
			continue
		}
		name, fallback, _ := strings.Cut(tag, ", default=")
		all = append(all, variable{prefix + f.Name + ": ", name, fallback})
	}
	return all
}

// named puts the variable's name into an error of envconfig, which knows only
// the field's.
func named(err error) error {
	for _, v := range variables() {
		if rest, ok := strings.CutPrefix(err.Error(), v.Field); ok {
			return fmt.Errorf("%s cannot be read: %s", v.Name, rest)
		}
	}
	return fmt.Errorf("read environment: %w", err)
}
