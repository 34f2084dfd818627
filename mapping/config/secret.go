package config

import (
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
)

// reference is the only way to write a secret: the name of an environment
// variable, or a file that contains nothing else.
var reference = regexp.MustCompile(`^\$\{(?:([A-Za-z_][A-Za-z0-9_]*)|file:(/[^}]+))\}$`)

const referenceHint = `write "${NAME}" for an environment variable or "${file:/path}"`

// HasReference reports whether a text contains ${…}. The dollar sign before a
// merge tag, as in "${{price}}", does not count.
func HasReference(text string) bool {
	return strings.Contains(strings.ReplaceAll(text, "${{", ""), "${")
}

// isSecretKey reports whether a key of a source, a verifier or a handshake takes
// secrets.
func isSecretKey(key string) bool {
	return key == "secret" || key == "keys" || key == "values" || key == "passwords" || key == "token"
}

// Secret resolves one reference. With Options.WithoutSecrets it returns a
// placeholder. No problem quotes the text: it may be the secret itself, written
// here by mistake.
func (n Node) Secret() (string, bool) {
	switch n.Kind() {
	case List, Mapping, Null:
		n.Problem("a secret must be a text", referenceHint)
		return "", false
	}
	found := reference.FindStringSubmatch(n.Raw())
	if found == nil {
		n.Problem("a secret must not be written in this file", referenceHint)
		return "", false
	}
	if why := n.doc.reader.reserved(found[1], found[2]); why != "" {
		n.Problem(why, "a CRM would learn it; give the source a secret of its own")
		return "", false
	}
	if n.doc.reader.WithoutSecrets {
		return "without-secrets", true
	}
	value, ok := n.resolve(found[1], found[2])
	if ok && value == "" {
		n.Problem(n.Raw()+" is empty", "")
		return "", false
	}
	return value, ok
}

// Setting is an environment variable of the process itself.
type Setting struct{ Name, Default string }

// proxyVariables are those that net/http reads. Their URLs may have a password.
var proxyVariables = []string{"HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"}

// reserved returns why a variable or a file cannot be referenced, or "".
func (r *Reader) reserved(variable, file string) string {
	if variable != "" && (slices.Contains(proxyVariables, variable) ||
		slices.ContainsFunc(r.Reserved, func(s Setting) bool { return s.Name == variable })) {
		return variable + " is a setting of callbridge itself"
	}
	if file == "" {
		return ""
	}
	file = resolved(file)
	if inside(file, "/proc") {
		return "a file of /proc is no secret: it may contain the settings of callbridge itself"
	}
	for _, s := range r.Reserved {
		path, ok := r.LookupEnv(s.Name)
		if !ok {
			path = s.Default
		}
		if path != "" && inside(file, resolved(path)) {
			return "the file belongs to " + s.Name + ", a setting of callbridge itself"
		}
	}
	return ""
}

// SettingsOf returns the settings in the env tags of a struct and of the structs in it.
func SettingsOf(settings reflect.Type) []Setting {
	var all []Setting
	for f := range settings.Fields() {
		switch tag, tagged := f.Tag.Lookup("env"); {
		case tagged:
			name, options, _ := strings.Cut(tag, ",")
			_, byDefault, _ := strings.Cut(options, "default=")
			all = append(all, Setting{name, byDefault})
		case f.Type.Kind() == reflect.Struct:
			all = append(all, SettingsOf(f.Type)...)
		}
	}
	return all
}

// resolved returns the path of a file without symbolic links, if it exists.
func resolved(path string) string {
	if absolute, err := filepath.Abs(path); err == nil {
		path = absolute
	}
	if real, err := filepath.EvalSymlinks(path); err == nil {
		return real
	}
	return path
}

// inside reports whether a file is that path or below it.
func inside(file, path string) bool {
	return file == path || strings.HasPrefix(file, strings.TrimSuffix(path, "/")+"/")
}

func (n Node) resolve(variable, file string) (string, bool) {
	reader := n.doc.reader
	if variable != "" {
		value, ok := reader.LookupEnv(variable)
		if !ok {
			text := "the environment variable " + variable + " is not set"
			reader.unset[text] = true
			n.Problem(text, "")
		}
		return value, ok
	}
	data, err := reader.ReadFile(file)
	if err != nil {
		n.Problem("read secret: "+err.Error(), "")
		return "", false
	}
	return strings.TrimRight(string(data), "\r\n"), true
}

// Secrets resolves a reference or a list of them.
func (n Node) Secrets() []string {
	var values []string
	for _, item := range n.Items() {
		if value, ok := item.Secret(); ok {
			values = append(values, value)
		}
	}
	return values
}
