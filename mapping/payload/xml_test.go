package payload_test

import (
	"strings"
	"testing"

	"callbridge/mapping/payload"
)

func decodeXML(body string) (payload.Value, error) {
	return payload.Decode("text/xml; charset=utf-8", payload.Auto, []byte(body))
}

// notification has the shape of a Salesforce outbound message.
const notification = `<?xml version="1.0" encoding="UTF-8"?>
<soapenv:Envelope xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">
 <soapenv:Body>
  <notifications xmlns="http://soap.sforce.com/2005/09/outbound">
   <OrganizationId>00D000000000001EAA</OrganizationId>
   <SessionId xsi:nil="true"/>
   <Notification>
    <Id>04l000000000001AAA</Id>
    <sObject xsi:type="sf:Lead" xmlns:sf="urn:sobject.enterprise.soap.sforce.com">
     <sf:Id>00Q000000000001AAA</sf:Id>
     <sf:Company>Example &amp; Sons</sf:Company>
     <sf:Phone> (202) 555-0142 </sf:Phone>
    </sObject>
   </Notification>
   <Notification>
    <Id>04l000000000002AAA</Id>
   </Notification>
  </notifications>
 </soapenv:Body>
</soapenv:Envelope>
`

func TestDecodeXMLReadsAnOutboundMessage(t *testing.T) {
	t.Parallel()
	tree, err := decodeXML(notification)
	if err != nil {
		t.Fatal(err)
	}
	want := `{"Envelope":{"Body":{"notifications":{"Notification":[` +
		`{"Id":"04l000000000001AAA","sObject":{"@type":"Lead","Company":"Example & Sons","Id":"00Q000000000001AAA","Phone":"(202) 555-0142"}},` +
		`{"Id":"04l000000000002AAA"}],"OrganizationId":"00D000000000001EAA","SessionId":null}}}}`
	if got := asJSON(t, tree); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestDecodeXML(t *testing.T) {
	t.Parallel()
	const (
		docType = "a document type is not allowed"
		twice   = "an attribute that its element already has"
		outside = "text outside of the root element"
	)
	tests := []struct {
		name, body, want, problem string
	}{
		{name: "text", body: "<a> x </a>", want: `{"a":"x"}`},
		{name: "empty element", body: "<a/>", want: `{"a":""}`},
		{name: "attribute and text", body: `<a k="v">x</a>`, want: `{"a":{"#text":"x","@k":"v"}}`},
		{name: "character data", body: "<a><![CDATA[x<y]]>&lt;&#65;</a>", want: `{"a":"x<y<A"}`},
		{name: "comments and instructions", body: "<?x y?><!-- c --><a>1<!-- d -->2</a>\n", want: `{"a":"12"}`},
		{name: "entity bomb", body: `<!DOCTYPE a [<!ENTITY x "xx"><!ENTITY y "&x;&x;">]><a>&y;</a>`, problem: docType},
		{name: "external entity", body: `<!DOCTYPE a SYSTEM "http://example.com/x"><a/>`, problem: docType},
		{name: "document type inside", body: `<a><!DOCTYPE a></a>`, problem: docType},
		{name: "unknown entity", body: `<a>&x;</a>`, problem: "not XML"},
		{name: "repeated attribute", body: `<a k="1" k="2"/>`, problem: twice},
		{name: "attributes that differ by prefix", body: `<a p:k="1" q:k="2"/>`, problem: twice},
		{name: "two roots", body: `<a/><b/>`, problem: "a second root element"},
		{name: "text before", body: `x<a/>`, problem: outside},
		{name: "text after", body: `<a/>x`, problem: outside},
		{name: "wrong end", body: `<a><b></a></b>`, problem: "not XML"},
		{name: "cut off", body: `<a><b>`, problem: "not XML"},
		{name: "no element", body: `<!-- -->`, problem: "the text ends too early"},
		{name: "not UTF-8", body: "<a>\xff</a>", problem: "not XML"},
		{name: "too deep", body: strings.Repeat("<a>", payload.MaxDepth), problem: "nested too deeply"},
		{name: "too many values", body: "<a>" + strings.Repeat("<b/>", payload.MaxNodes) + "</a>", problem: "too many values"},
	}
	for _, tt := range tests {
		tree, err := decodeXML(tt.body)
		if problem(err) != tt.problem {
			t.Errorf("%s: error %v, want %q", tt.name, err, tt.problem)
			continue
		}
		if err == nil && asJSON(t, tree) != tt.want {
			t.Errorf("%s: %s, want %s", tt.name, asJSON(t, tree), tt.want)
		}
	}
}

func FuzzDecodeXML(f *testing.F) {
	for _, seed := range []string{
		notification, "<a><b k='v'>x</b><b/></a>", "<a>&x;</a>", "<!DOCTYPE a><a/>", "<a", "<a:b xmlns:a='u' a:k='v'/>",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, body string) {
		if tree, err := decodeXML(body); err == nil {
			roundTrips(t, tree)
		}
	})
}
