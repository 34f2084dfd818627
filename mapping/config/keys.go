package config

import "regexp"

// Key is one key of callbridge.yaml. Any other key is a problem, so the JSON
// schema and the documentation made of these tables cannot differ from what is
// read.
type Key struct {
	Name string
	// Kind is the format of the value: text, bool, number, duration, list (one
	// text or a list of texts), object, secret (only ${…}), any, "duration or none" or
	// "count or none".
	Kind string
	// Values are the only texts allowed; nil allows every text.
	Values []string
	Doc    string
	// Instead says what to write for a key that is not read any more; "" for the
	// others. The schema and suggestions leave such a key out.
	Instead string
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
		{"file", FileKeys}, {"source", SourceKeys}, {"reading", TextKeys}, {"person", PersonKeys}, {"field", FieldKeys},
		{"challenge", HandshakeKeys}, {"answer", AnswerKeys},
		{"policy", PolicyKeys}, {"policy_zone", PolicyZoneKeys}, {"policy_holidays", PolicyHolidaysKeys}, {"caps", CapsKeys},
		{"cool_down", CoolDownKeys}, {"storm", StormKeys}, {"route", RouteKeys}, {"call", CallKeys}, {"limited", LimitedKeys},
		{"lookup", LookupKeys}, {"lookup_answer", LookupAnswerKeys}, {"auth", AuthKeys},
	}
}

// FileKeys are the keys of the file itself.
var FileKeys = []Key{
	{Name: "public_url", Kind: "text", Doc: "Base URL at which CRMs reach this bridge; required if a CRM signs the URL."},
	{Name: "sources", Kind: "object", Doc: "Senders of webhooks: name → source. The name is the last part of /webhooks/<source>."},
	{Name: "policy", Kind: "object", Doc: "Who may be called and when, for all routes."},
	{Name: "routes", Kind: "list", Doc: "Rules and calls, in order."},
}

// SourceKeys are the keys of a source and of a preset.
var SourceKeys = []Key{
	{Name: "preset", Kind: "text", Doc: "The preset of this source; every key here replaces the preset's, fields one by one."},
	{Name: "secret", Kind: "list", Doc: "Secret for the verifiers of the preset: ${ENV} or ${file:/path}; two during a rotation."},
	{Name: "verify", Kind: "any", Doc: "Verifiers; a webhook has to satisfy all of them."},
	{Name: "body", Kind: "text", Values: []string{"json", "form", "xml", "cloudevents"}, Doc: "Format of the body; default: that of the Content-Type."},
	{Name: "split", Kind: "text", Doc: "Path with [*] to the events of a batch; default: a delivery is one event."},
	{Name: "keep", Kind: "object", Doc: "Values of the delivery that are added to each event of a batch: name → path. The event is then {item: …, name: …}; a path may refer to its own item, as in list[id={item}]."},
	{Name: "hide", Kind: "list", Doc: "Members of the delivery that are not stored or passed on, such as a secret in the body: token, customData.secret."},
	{Name: "max_events", Kind: "number", Doc: "Maximum number of events in one delivery; default: 1000. A larger delivery is refused."},
	{Name: "key", Kind: "any", Doc: "Identity of an event: the first present value. A list in the list is one value made of all its parts."},
	{Name: "type", Kind: "any", Doc: "Type of the event, as the CRM writes it. A list in the list joins its parts with dots, as in change.deal."},
	{Name: "time", Kind: "any", Doc: "Time of the event, as the CRM says."},
	{Name: "time_format", Kind: "list", Doc: "Format of time; see format of a field."},
	{Name: "max_age", Kind: "duration", Doc: "An event whose time is older causes no call (too_old). Default: no limit."},
	{Name: "null_words", Kind: "list", Doc: "Texts that mean a missing value in this CRM, such as null or n/a."},
	{Name: "true_words", Kind: "list", Doc: "Texts that mean true in fields of type bool besides true, yes, 1 and on: ja, oui, sí."},
	{Name: "false_words", Kind: "list", Doc: "Texts that mean false in fields of type bool besides false, no, 0 and off."},
	{Name: "zone", Kind: "text", Doc: "Time zone of times without an offset: Europe/Berlin, or the path of the value that has it; default: UTC."},
	{Name: "text", Kind: "object", Doc: "How texts are read."},
	{Name: "person", Kind: "object", Doc: "The fields that say who the person is."},
	{Name: "tables", Kind: "object", Doc: "Names of ids, for the table of a field: table → id → name."},
	{Name: "lookup", Kind: "any", Doc: "Request to the CRM's API for an event that contains only an id; of several the first whose when is true."},
	{Name: "auth", Kind: "object", Doc: "Credentials of lookups; replaces the auth of each lookup."},
	{Name: "params", Kind: "object", Doc: "Values of {{params.name}} in lookups, such as your company's name in the CRM: a-z, 0-9, - and single dots."},
	{Name: "version", Kind: "any", Doc: "Number or time that increases with every change of a record. An event older than one already looked up is skipped (superseded)."},
	{Name: "fields", Kind: "object", Doc: "The names for rules and calls: name → field."},
	{Name: "challenge", Kind: "any", Doc: "Handshakes of the CRM, and deliveries that are not events."},
	{Name: "answer", Kind: "object", Doc: "Answer that the CRM requires after a success; default: 202 and a small JSON body."},
}

// TextKeys are the keys of text: of a source.
var TextKeys = []Key{
	{Name: "html", Kind: "text", Values: []string{"plain", "keep"}, Doc: "plain (default): tags are taken out of texts and entities become letters; keep: texts stay as they are."},
	{Name: "placeholders", Kind: "text", Values: []string{"missing", "keep"}, Doc: "missing (default): a merge tag that the CRM has not filled in, such as {{contact.first_name}}, is no value; keep: it is one."},
}

// PersonKeys are the keys of person: of a source.
var PersonKeys = []Key{
	{Name: "timezone", Kind: "text", Doc: "Name of the field with the person's time zone: the hours in which they may be called are those of its clock, and {{time:3:04 PM}} is spoken in it."},
	{Name: "country", Kind: "text", Doc: "Name of the field with the country of the person's address."},
	{Name: "region", Kind: "text", Doc: "Name of the field with the state, province or Land of the address, as a code (FL) or a name. It counts in the United States, Canada and Germany."},
	{Name: "postal_code", Kind: "text", Doc: "Name of the field with the postal code of the address. It is passed on in the request, and decides nothing yet."},
}

// HandshakeKeys are the keys of a handshake (challenge:).
var HandshakeKeys = []Key{
	{Name: "kind", Kind: "text", Values: []string{"body_echo", "cloudevents_options", "head_ok", "header_echo", "ignore", "query_echo"}, Doc: "query_echo (Meta), body_echo (monday, Slack), header_echo (Asana, Okta), head_ok (Intercom) and cloudevents_options answer before anything is verified; ignore is for a verified POST that is no event."},
	{Name: "mode_param", Kind: "text", Doc: "query_echo: query parameter with mode."},
	{Name: "mode", Kind: "text", Doc: "query_echo: required value of mode_param."},
	{Name: "token_param", Kind: "text", Doc: "query_echo: query parameter with the token."},
	{Name: "token", Kind: "list", Doc: "query_echo: the token configured in the CRM, as ${ENV} or ${file:/path}."},
	{Name: "echo_param", Kind: "text", Doc: "query_echo: query parameter whose value is returned."},
	{Name: "path", Kind: "text", Doc: "body_echo: member that is returned. ignore: path of the value of equals."},
	{Name: "only_if_absent", Kind: "text", Doc: "body_echo: a body with this member is an event."},
	{Name: "header", Kind: "text", Doc: "header_echo: header that is returned."},
	{Name: "field", Kind: "text", Doc: "header_echo: returned as this member of a JSON body instead of as a header."},
	{Name: "allowed_origins", Kind: "list", Doc: "cloudevents_options: allowed origins, or *."},
	{Name: "allowed_rate", Kind: "number", Doc: "cloudevents_options: maximum requests per minute; default: no limit."},
	{Name: "equals", Kind: "text", Doc: "ignore: value at path in a delivery that is not an event."},
}

// AnswerKeys are the keys of the answer to a delivery.
var AnswerKeys = []Key{
	{Name: "status", Kind: "number", Doc: "200 to 299; default: 200."},
	{Name: "content_type", Kind: "text", Doc: "Content-Type of body."},
	{Name: "body", Kind: "text", Doc: "The body; default: callbridge's own JSON."},
}

// FieldKeys are the keys of a field.
var FieldKeys = []Key{
	{Name: "path", Kind: "list", Doc: "Path of the value; of a list the first present one."},
	{Name: "type", Kind: "text", Values: []string{"string", "number", "bool", "time", "phone", "country", "list"}, Doc: "Type of the value; default: string."},
	{Name: "optional", Kind: "bool", Doc: "The field may be missing."},
	{Name: "default", Kind: "text", Doc: "The value if the field is missing. Not if it is invalid."},
	{Name: "region", Kind: "text", Doc: "phone: country (US, DE) of numbers without country code."},
	{Name: "country", Kind: "list", Doc: "phone: path of the contact's country or calling code (+91); takes precedence over region."},
	{Name: "plus", Kind: "text", Values: []string{"optional", "required"}, Doc: "phone: optional: digits that are a number with + before them are that number; required: numbers without + are refused."},
	{Name: "trunk", Kind: "text", Values: []string{"optional"}, Doc: "phone: optional: numbers may have lost the 0 that people write before them in their country."},
	{Name: "join", Kind: "text", Doc: "string: separator that joins the values of a path with [*]."},
	{Name: "separator", Kind: "text", Doc: "list: separator at which a text is split."},
	{Name: "take", Kind: "text", Values: []string{"first_word"}, Doc: "string: first_word takes only the first word, such as the first name of a full one."},
	{Name: "table", Kind: "text", Doc: "string, list: table of the source in which an id has its name. An id that is not there cannot be read."},
	{Name: "decimal", Kind: "text", Values: []string{".", ","}, Doc: "number: the decimal sign; the other one separates thousands. Without it, a text such as 1.200 is refused."},
	{Name: "true_words", Kind: "list", Doc: "bool: texts that mean true, besides those of the source."},
	{Name: "false_words", Kind: "list", Doc: "bool: texts that mean false, besides those of the source."},
	{Name: "true_unless", Kind: "list", Doc: "bool: every text but these means true. For an opt-out: only a word that means \"may be called\" is false."},
	{Name: "any_true", Kind: "bool", Doc: "bool: true if the value of any path is true, false only if all that are there are false. For an opt-out that a CRM writes in several places."},
	{Name: "empty", Kind: "bool", Doc: "bool: what null or an empty text means where a path leads to one. Without it, such a value is missing."},
	{Name: "zone", Kind: "text", Doc: "time: time zone of times without an offset: Europe/Berlin, or the path of the value that has it; default: the zone of the source."},
	{Name: "format", Kind: "list", Doc: "time: rfc3339, unix, unix_ms, date, dotnet (/Date(0)/), or an example in Go's reference time (02.01.2006 15:04)."},
}

// RouteKeys are the keys of a route.
var RouteKeys = []Key{
	{Name: "name", Kind: "text", Doc: "Unique, [a-z0-9-]. It is part of a call's identity: a renamed route calls again."},
	{Name: "source", Kind: "list", Doc: "The source or sources of this route."},
	{Name: "enabled", Kind: "bool", Doc: "false disables the route; default: true."},
	{Name: "mode", Kind: "text", Values: []string{"dry_run", "live", "allow_list"}, Doc: "Default: dry_run, which makes no calls; live makes them."},
	{Name: "allow", Kind: "list", Doc: "mode allow_list: the numbers that may be dialled."},
	{Name: "purpose", Kind: "text", Values: []string{"marketing", "service"}, Doc: "Why the route calls: marketing, which needs consent, or service. Required once the route is live."},
	{Name: "consent", Kind: "text", Doc: "The field of type bool that is true if the person has agreed to be called; false means no call (no_consent), and an unreadable or missing one rejects the event."},
	{Name: "consent_ref", Kind: "text", Doc: "The field that proves the consent, such as the id of a form; it goes into the call's metadata."},
	{Name: "consent_at", Kind: "text", Doc: "The field of type time that says when the consent was given; it goes into the call's metadata."},
	{Name: "do_not_call", Kind: "list", Doc: "Fields of type bool; true means no call (do_not_call), and an unreadable or missing one rejects the event."},
	{Name: "policy", Kind: "object", Doc: "Who may be called by this route, and when; each key replaces that of the file's policy."},
	{Name: "regions", Kind: "list", Doc: "Replaced by policy.", Instead: "policy: {countries: [US, CA]}"},
	{Name: "allow_extension", Kind: "bool", Doc: "Dial the main number of a number with an extension."},
	{Name: "stop", Kind: "bool", Doc: "If this route matches an event, later routes are not tried."},
	{Name: "also", Kind: "bool", Doc: "true: call the number even if an earlier route calls it for the same event."},
	{Name: "when", Kind: "text", Doc: "The rule, in CEL; default: every event of the source."},
	{Name: "call", Kind: "object", Doc: "The call to make: the body of Callab's create call."},
}

// LookupKeys are the keys of a lookup.
var LookupKeys = []Key{
	{Name: "when", Kind: "text", Doc: "Rule in CEL for the events that need this lookup, without lookup fields; default: every event."},
	{Name: "unless", Kind: "list", Doc: "A field or fields; if the webhook has all of them, there is no lookup."},
	{Name: "method", Kind: "text", Values: []string{"GET", "POST"}, Doc: "GET, or POST for GraphQL; default: GET."},
	{Name: "url", Kind: "text", Doc: "URL of the lookup, https only. {{field}} is inserted escaped; the host may only contain {{params.name}}."},
	{Name: "headers", Kind: "object", Doc: "Headers that the API requires besides auth, such as a version. No secrets."},
	{Name: "body", Kind: "text", Doc: "Body of a POST, in JSON. {{field}} has to be inside quotes and is inserted escaped."},
	{Name: "auth", Kind: "object", Doc: "Credentials for the API."},
	{Name: "hosts", Kind: "list", Doc: "The only allowed hosts, also for redirects; default: the host of url."},
	{Name: "rate", Kind: "number", Doc: "Lookups per second for the whole source, per process; default: 5."},
	{Name: "timeout", Kind: "duration", Doc: "How long after the webhook a lookup is repeated that fails, finds nothing, or lacks a field that is needed; default: 2m. Then the event is rejected."},
	{Name: "coalesce", Kind: "duration", Doc: "Events with the same URL within this time share one lookup, which is delayed by this time."},
	{Name: "error_path", Kind: "text", Doc: "Path of the error in an answer with HTTP 200, as in GraphQL."},
	{Name: "record", Kind: "text", Doc: "Path of the record in the answer, such as results[0] of a search: if nothing is there, the API does not know the record yet. Default: the answer itself."},
	{Name: "answers", Kind: "any", Doc: "What answers mean, for an API that does not say it by the HTTP status alone: the first entry that fits."},
}

// LookupAnswerKeys are the keys of an entry of answers: of a lookup.
var LookupAnswerKeys = []Key{
	{Name: "status", Kind: "list", Doc: "HTTP status or statuses; default: every status."},
	{Name: "path", Kind: "text", Doc: "Path of a value in the answer, such as error.code."},
	{Name: "values", Kind: "list", Doc: "Values at path, or ranges such as 200-299; default: any value."},
	{Name: "means", Kind: "text", Values: []string{"credentials", "forbidden", "wait", "gone", "failed"}, Doc: "credentials: like 401; forbidden: like 403; wait: like 429; gone: like 404; failed: no further request."},
}

// CallKeys are the keys of a call: the body of Callab's create call.
var CallKeys = []Key{
	{Name: "company_id", Kind: "text", Doc: "Callab's id of your company (UUID)."},
	{Name: "campaign_id", Kind: "text", Doc: "Campaign of the call (UUID)."},
	{Name: "ai_agent_id", Kind: "text", Doc: "AI agent of the call (UUID)."},
	{Name: "contact_id", Kind: "text", Doc: "Callab's id of the contact (UUID)."},
	{Name: "call_provider", Kind: "text", Doc: "Telephony provider."},
	{Name: "call_from", Kind: "text", Doc: "Number of the caller."},
	{Name: "call_to", Kind: "text", Doc: "Number to dial: the name of a field of type phone."},
	{Name: "call_direction", Kind: "text", Doc: "outbound (default) or inbound."},
	{Name: "notes", Kind: "any", Doc: "Note on the call: a text, or {text: …, max: 300}. The last line is always callbridge and the request id."},
	{Name: "workspace_id", Kind: "text", Doc: "Workspace."},
	{Name: "workspace", Kind: "text", Doc: "Workspace, in newer versions of the API."},
	{Name: "call_sid", Kind: "text", Doc: "Id of the call at the provider, in newer versions of the API."},
	{Name: "is_test", Kind: "bool", Doc: "Marks the call as a test; true, false or a field of type bool."},
	{Name: "metadata", Kind: "any", Doc: "Any JSON; returned with the call. A text that is one {{field}} keeps the field's type."},
	{Name: "agent_dynamic_variables", Kind: "object", Doc: "Values for the agent to say: name → text, or {text: …, max: 300} for another maximum than 200 characters."},
}

// LimitedKeys are the keys of a variable or of the notes whose length is bounded.
var LimitedKeys = []Key{
	{Name: "text", Kind: "text", Doc: "The text, with {{field}} for values."},
	{Name: "max", Kind: "number", Doc: "Maximum length in characters; a longer text is cut between two words. Default: 200 for a variable (at most 500), 2000 for notes."},
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

// AuthKeys are the keys of the credentials of lookups.
var AuthKeys = []Key{
	{Name: "kind", Kind: "text", Values: []string{"bearer", "header", "query", "basic", "oauth"}, Doc: "Kind of authentication: bearer, header, query, basic or oauth."},
	{Name: "token", Kind: "secret", Doc: "bearer: the token."},
	{Name: "name", Kind: "text", Doc: "header, query: name of the header or parameter."},
	{Name: "value", Kind: "secret", Doc: "header, query: the key."},
	{Name: "prefix", Kind: "text", Doc: "header: text before the key, such as \"Token token=\"."},
	{Name: "user", Kind: "text", Doc: "basic: user name, or ${…} if the API expects its key here."},
	{Name: "password", Kind: "secret", Doc: "basic: password; default: empty."},
	{Name: "token_url", Kind: "text", Doc: "oauth: URL for access tokens, https only."},
	{Name: "client_id", Kind: "text", Doc: "oauth: id of the app, or ${…}."},
	{Name: "client_secret", Kind: "secret", Doc: "oauth: secret of the app."},
	{Name: "refresh_token", Kind: "secret", Doc: "oauth: refresh token; without it the grant is client_credentials."},
	{Name: "scope", Kind: "text", Doc: "oauth: requested scope."},
	{Name: "header_scheme", Kind: "text", Doc: "oauth: scheme of the access token; default: Bearer."},
}

// keyNames are the names of the keys that are read.
func keyNames(keys []Key) []string {
	names := make([]string, 0, len(keys))
	for _, key := range keys {
		if key.Instead == "" {
			names = append(names, key.Name)
		}
	}
	return names
}

// replaced returns what to write instead of a key that is not read any more.
func replaced(keys []Key, name string) (instead string, is bool) {
	for _, key := range keys {
		if key.Name == name && key.Instead != "" {
			return key.Instead, true
		}
	}
	return "", false
}
