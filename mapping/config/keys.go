package config

import "regexp"

// Key is one key of callbridge.yaml. Any other key is a problem, so the JSON
// schema and the documentation made of these tables cannot differ from what is
// read.
type Key struct {
	Name string
	// Kind is the form of the value: text, bool, number, duration, list (one
	// text or a list of texts), object, secret (only ${…}), or any.
	Kind string
	// Values are the only texts allowed; nil allows every text.
	Values []string
	Doc    string
}

// Section is a part of callbridge.yaml with its keys.
type Section struct {
	Name string
	Keys []Key
}

// Sections returns every part of callbridge.yaml with the keys it may have. The
// keys of a verifier are the fields of signature.Config.
func Sections() []Section {
	return []Section{
		{"file", FileKeys}, {"source", SourceKeys}, {"field", FieldKeys},
		{"challenge", HandshakeKeys}, {"answer", AnswerKeys},
		{"route", RouteKeys}, {"call", CallKeys},
		{"lookup", LookupKeys}, {"auth", AuthKeys},
	}
}

// FileKeys are the keys of the file itself.
var FileKeys = []Key{
	{Name: "public_url", Kind: "text", Doc: "Base URL under which CRMs reach this bridge; needed where a CRM signs the URL."},
	{Name: "sources", Kind: "object", Doc: "Who may send webhooks: name → source. The name is the last part of /webhooks/<source>."},
	{Name: "routes", Kind: "list", Doc: "Which event leads to which call, in order."},
}

// SourceKeys are the keys of a source and of a preset.
var SourceKeys = []Key{
	{Name: "preset", Kind: "text", Doc: "The CRM this source starts from; every key here replaces the preset's, fields one by one."},
	{Name: "secret", Kind: "list", Doc: "Fills the verifiers of the preset: ${ENV} or ${file:/path}; two of them while a secret is changed."},
	{Name: "verify", Kind: "any", Doc: "Verifiers; all of them must be content with a webhook."},
	{Name: "body", Kind: "text", Values: []string{"json", "form", "xml", "cloudevents"}, Doc: "Form of the body; without it the Content-Type says."},
	{Name: "split", Kind: "text", Doc: "Path with [*] to the events of a batch; without it a delivery is one event."},
	{Name: "keep", Kind: "object", Doc: "What each event of a batch takes along from the delivery around it: name → path. The event is then {item: …, name: …}; a path may ask for its own item, as in list[id={item}]."},
	{Name: "hide", Kind: "list", Doc: "Members of the delivery that are not kept or passed on, such as a secret in the body: token, customData.secret."},
	{Name: "max_events", Kind: "number", Doc: "Most events in one delivery; 1000 without it. A larger delivery is refused whole."},
	{Name: "key", Kind: "any", Doc: "Identity of an event: the first value that is there. A list in the list is one value made of all its parts."},
	{Name: "type", Kind: "any", Doc: "What happened, in the CRM's words. A list in the list is its parts with a dot between, as in change.deal."},
	{Name: "time", Kind: "any", Doc: "When it happened, as the CRM says."},
	{Name: "time_format", Kind: "list", Doc: "How time is written; see format of a field."},
	{Name: "max_age", Kind: "duration", Doc: "An event older than this by its time leads to no call (too_old). Without it age does not matter."},
	{Name: "null_words", Kind: "list", Doc: "Words that this CRM writes for nothing, such as null or n/a."},
	{Name: "lookup", Kind: "any", Doc: "What to ask the CRM's API about an event that is little more than an id; of several the first whose when holds."},
	{Name: "auth", Kind: "object", Doc: "How look-ups prove who asks; takes the place of the auth of each look-up."},
	{Name: "params", Kind: "object", Doc: "Words of your own for {{params.name}} in look-ups, such as the CRM's name of your company: a-z, 0-9, - and single dots."},
	{Name: "version", Kind: "any", Doc: "Number or time that grows with every change of a record. An event older than one already looked up is skipped (superseded)."},
	{Name: "fields", Kind: "object", Doc: "The only names that rules and calls may use: name → field."},
	{Name: "challenge", Kind: "any", Doc: "Handshakes of the CRM, and deliveries that are no events."},
	{Name: "answer", Kind: "object", Doc: "What the CRM wants to read after a success; without it 202 and a small JSON body."},
}

// HandshakeKeys are the keys of a handshake (challenge:).
var HandshakeKeys = []Key{
	{Name: "kind", Kind: "text", Values: []string{"body_echo", "cloudevents_options", "head_ok", "header_echo", "ignore", "query_echo"}, Doc: "query_echo (Meta), body_echo (monday, Slack), header_echo (Asana, Okta), head_ok (Intercom) and cloudevents_options answer before anything is verified; ignore is for a verified POST that is no event."},
	{Name: "mode_param", Kind: "text", Doc: "query_echo: query parameter that holds mode."},
	{Name: "mode", Kind: "text", Doc: "query_echo: what mode_param must say."},
	{Name: "token_param", Kind: "text", Doc: "query_echo: query parameter that holds the token."},
	{Name: "token", Kind: "list", Doc: "query_echo: the token that was given to the CRM, as ${ENV} or ${file:/path}."},
	{Name: "echo_param", Kind: "text", Doc: "query_echo: query parameter whose value is sent back."},
	{Name: "path", Kind: "text", Doc: "body_echo: member that is sent back. ignore: where equals stands."},
	{Name: "only_if_absent", Kind: "text", Doc: "body_echo: a body with this member is an event."},
	{Name: "header", Kind: "text", Doc: "header_echo: header that is sent back."},
	{Name: "field", Kind: "text", Doc: "header_echo: sent back as this member of a JSON body instead of as a header."},
	{Name: "allowed_origins", Kind: "list", Doc: "cloudevents_options: who may send, or *."},
	{Name: "allowed_rate", Kind: "number", Doc: "cloudevents_options: most requests a minute; without it any number."},
	{Name: "equals", Kind: "text", Doc: "ignore: what stands at path in a delivery that is no event."},
}

// AnswerKeys are the keys of the answer to a delivery.
var AnswerKeys = []Key{
	{Name: "status", Kind: "number", Doc: "200 to 299; 200 without it."},
	{Name: "content_type", Kind: "text", Doc: "Content-Type of body."},
	{Name: "body", Kind: "text", Doc: "The body; without it callbridge's own JSON."},
}

// FieldKeys are the keys of a field.
var FieldKeys = []Key{
	{Name: "path", Kind: "list", Doc: "Where the value is; of a list the first that is there."},
	{Name: "type", Kind: "text", Values: []string{"string", "number", "bool", "time", "phone", "country", "list"}, Doc: "What the value is; string without it."},
	{Name: "optional", Kind: "bool", Doc: "The field may be missing."},
	{Name: "default", Kind: "text", Doc: "The value if the field is missing. Not if it is unreadable."},
	{Name: "region", Kind: "text", Doc: "phone: country (US, DE) of numbers written without one."},
	{Name: "country", Kind: "list", Doc: "phone: where the contact's country is; it goes before region."},
	{Name: "join", Kind: "text", Doc: "string: all values of a path with [*], with this between them."},
	{Name: "separator", Kind: "text", Doc: "list: a text is cut at this."},
	{Name: "format", Kind: "list", Doc: "time: rfc3339, unix, unix_ms, date, dotnet (/Date(0)/), or an example in Go's reference time (02.01.2006 15:04)."},
}

// RouteKeys are the keys of a route.
var RouteKeys = []Key{
	{Name: "name", Kind: "text", Doc: "Unique, [a-z0-9-]. It is part of a call's identity: a renamed route calls again."},
	{Name: "source", Kind: "list", Doc: "The source or sources whose events this route looks at."},
	{Name: "enabled", Kind: "bool", Doc: "false switches the route off; true without it."},
	{Name: "mode", Kind: "text", Values: []string{"dry_run", "live", "allow_list"}, Doc: "dry_run without it: nobody is dialled until this says live."},
	{Name: "allow", Kind: "list", Doc: "mode allow_list: the numbers that may be dialled."},
	{Name: "regions", Kind: "list", Doc: "Countries (US, CA) that may be dialled; without it every one."},
	{Name: "allow_extension", Kind: "bool", Doc: "Dial the main number of a number with an extension."},
	{Name: "stop", Kind: "bool", Doc: "If this route takes an event, later routes do not see it."},
	{Name: "when", Kind: "text", Doc: "The rule, in CEL; without it every event of the source."},
	{Name: "call", Kind: "object", Doc: "The call to make: the body of Callab's create call."},
}

// LookupKeys are the keys of a look-up.
var LookupKeys = []Key{
	{Name: "when", Kind: "text", Doc: "The events that need this look-up, in CEL, over what is known without it; every event if left out."},
	{Name: "unless", Kind: "text", Doc: "A field that makes the look-up needless where the webhook has it already."},
	{Name: "method", Kind: "text", Values: []string{"GET", "POST"}, Doc: "GET, or POST for GraphQL; GET without it."},
	{Name: "url", Kind: "text", Doc: "Where to ask, over https. {{field}} is put in escaped; in the host only {{params.name}} may stand."},
	{Name: "headers", Kind: "object", Doc: "Headers that the API wants beside auth, such as a version. No secrets."},
	{Name: "body", Kind: "text", Doc: "Body of a POST, in JSON. {{field}} stands inside of quotes and is put in escaped."},
	{Name: "auth", Kind: "object", Doc: "How callbridge proves who it is."},
	{Name: "hosts", Kind: "list", Doc: "The only hosts that are asked, also where the API redirects; that of url without it."},
	{Name: "rate", Kind: "number", Doc: "Look-ups a second for the whole source and process; 5 without it."},
	{Name: "timeout", Kind: "duration", Doc: "How long after the webhook a look-up that fails is tried again; 2m without it. Then the event is rejected (lookup_failed)."},
	{Name: "coalesce", Kind: "duration", Doc: "Events about the same URL within this time share one look-up; it is made that much later."},
	{Name: "error_path", Kind: "text", Doc: "Where the answer tells of an error despite HTTP 200, as GraphQL does."},
}

// CallKeys are the keys of a call: the body of Callab's create call.
var CallKeys = []Key{
	{Name: "company_id", Kind: "text", Doc: "Callab's id of your company (UUID)."},
	{Name: "campaign_id", Kind: "text", Doc: "Campaign the call belongs to (UUID)."},
	{Name: "ai_agent_id", Kind: "text", Doc: "Agent that speaks (UUID)."},
	{Name: "contact_id", Kind: "text", Doc: "Callab's id of the contact (UUID)."},
	{Name: "call_provider", Kind: "text", Doc: "Telephony provider."},
	{Name: "call_from", Kind: "text", Doc: "Number the call comes from."},
	{Name: "call_to", Kind: "text", Doc: "Number to dial: the name of a field of type phone."},
	{Name: "call_direction", Kind: "text", Doc: "outbound, unless inbound is written."},
	{Name: "notes", Kind: "text", Doc: "Note on the call; callbridge and the request id without it."},
	{Name: "workspace_id", Kind: "text", Doc: "Workspace."},
	{Name: "workspace", Kind: "text", Doc: "Workspace, in newer versions of the API."},
	{Name: "call_sid", Kind: "text", Doc: "Id of the call at the provider, in newer versions of the API."},
	{Name: "is_test", Kind: "bool", Doc: "Marks the call as a test; true, false or a field of type bool."},
	{Name: "metadata", Kind: "any", Doc: "Any JSON; comes back with the call. A text that is one {{field}} keeps the field's type."},
	{Name: "agent_dynamic_variables", Kind: "object", Doc: "What the agent may say: name → text."},
}

// CallDirections are the values of call_direction; the first is the default.
var CallDirections = []string{"outbound", "inbound"}

// Patterns of the names that a configuration chooses.
var (
	// FieldName is also what CEL takes as a name.
	FieldName = regexp.MustCompile(`^[a-z][a-z0-9_]{0,63}$`)
	// RouteName needs no escaping in a metric label and a log.
	RouteName = regexp.MustCompile(`^[a-z0-9-]{1,64}$`)
	// VariableName is the name of an agent's variable.
	VariableName = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_]{0,63}$`)
)

// AuthKeys are the keys of the credentials of look-ups.
var AuthKeys = []Key{
	{Name: "kind", Kind: "text", Values: []string{"bearer", "header", "query", "basic", "oauth"}, Doc: "How the API wants it: bearer, header, query, basic or oauth."},
	{Name: "token", Kind: "secret", Doc: "bearer: the token."},
	{Name: "name", Kind: "text", Doc: "header, query: name of the header or parameter."},
	{Name: "value", Kind: "secret", Doc: "header, query: the key."},
	{Name: "prefix", Kind: "text", Doc: "header: what stands before the key, such as \"Token token=\"."},
	{Name: "user", Kind: "text", Doc: "basic: user name, or ${…} where the API wants its key here."},
	{Name: "password", Kind: "secret", Doc: "basic: password; empty if left out."},
	{Name: "token_url", Kind: "text", Doc: "oauth: where access tokens are had, over https."},
	{Name: "client_id", Kind: "text", Doc: "oauth: id of the app, or ${…}."},
	{Name: "client_secret", Kind: "secret", Doc: "oauth: secret of the app."},
	{Name: "refresh_token", Kind: "secret", Doc: "oauth: refresh token; without it the app asks for itself (client_credentials)."},
	{Name: "scope", Kind: "text", Doc: "oauth: what is asked for."},
	{Name: "header_scheme", Kind: "text", Doc: "oauth: word before the access token; Bearer without it."},
}

func keyNames(keys []Key) []string {
	names := make([]string, len(keys))
	for i, key := range keys {
		names[i] = key.Name
	}
	return names
}
