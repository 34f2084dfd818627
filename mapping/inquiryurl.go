package mapping

import (
	"net"
	"net/url"
	"regexp"
	"slices"
	"strings"
)

// address reads the URL, and the hosts to which it may lead.
func (r inquiryReader) address(i *inquiry) {
	n, ok := r.keys.get("url")
	if !ok {
		r.keys.at.problem(`"url" is missing`, "say where to ask")
		return
	}
	text := r.fill(n)
	u, err := url.Parse(strings.NewReplacer("{{", "x", "}}", "x", "|", "x").Replace(text))
	authority, _, _ := strings.Cut(strings.TrimPrefix(strings.TrimPrefix(text, "https://"), "http://"), "/")
	switch {
	case err != nil || u.Host == "" || u.User != nil || u.Fragment != "":
		n.problem("must be a URL without user and fragment", "for example https://api.example.com/contacts/{{contact_id}}")
		return
	case strings.Contains(authority, "{{"):
		n.problem("an event must not choose the host", "only {{params.name}} may stand there")
		return
	case !secure(u):
		n.problem("must begin with https://", "")
	}
	for name := range u.Query() {
		if soundsSecret(name) {
			n.problem("a secret must not stand in the URL", `write auth: {kind: query, name: `+name+`, value: "${NAME}"}`)
		}
	}
	i.url = r.pattern(n, text)
	i.hosts = []string{u.Host}
	hosts, ok := r.keys.get("hosts")
	if !ok {
		return
	}
	i.hosts = nil
	for _, item := range hosts.items() {
		host := r.fill(item)
		if !hostName.MatchString(host) {
			item.problem(quote(host)+" is no host name", "for example api.example.com")
		}
		i.hosts = append(i.hosts, host)
	}
	if !slices.Contains(i.hosts, u.Host) {
		n.problem("the host "+u.Host+" is not one of hosts", "")
	}
}

var hostName = regexp.MustCompile(`^[a-z0-9]([a-z0-9.-]*[a-z0-9])?(:[0-9]{1,5})?$`)

// secure knows https, and http to this very machine: a CRM's double.
func secure(u *url.URL) bool {
	ip := net.ParseIP(u.Hostname())
	return u.Scheme == "https" || u.Scheme == "http" && (u.Hostname() == "localhost" || ip != nil && ip.IsLoopback())
}

// paramValue fits into a host name and everywhere else.
var paramValue = regexp.MustCompile(`^[a-z0-9-]+(\.[a-z0-9-]+)*$`)

func (l *loader) params(keys object) map[string]string {
	params := map[string]string{}
	at, ok := keys.get("params")
	if !ok {
		return params
	}
	named, _ := at.object()
	for _, name := range named.keys {
		n := named.values[name]
		params[name] = plainText(n)
		if !paramValue.MatchString(params[name]) && n.Value != "" {
			n.problem("a param is a-z, 0-9, - and single dots", "")
		}
	}
	return params
}

var paramTag = regexp.MustCompile(`\{\{\s*params\.([A-Za-z0-9_-]+)\s*\}\}`)

// fill puts the params into a text.
func (r inquiryReader) fill(n node) string {
	return paramTag.ReplaceAllStringFunc(plainText(n), func(tag string) string {
		name := paramTag.FindStringSubmatch(tag)[1]
		value, ok := r.params[name]
		if !ok {
			at := n
			if n.doc != r.home.doc {
				at = r.home
			}
			at.problem("the look-up needs its param "+quote(name), "add params: {"+name+": …}")
			return "x"
		}
		return value
	})
}
