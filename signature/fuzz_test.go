package signature_test

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"callbridge/signature"
)

// proof reports, without the code under test, whether a request may pass.
type proof func(credential string, body []byte) bool

// FuzzVerify: no request passes without holding the proof that independent
// arithmetic gives for it.
func FuzzVerify(f *testing.F) {
	for _, credential := range []string{
		"sha256=" + hexMAC(body), "t=" + unix + ",v1=" + hexMAC(unix+"."+body), "v1," + hexMAC(body) + " v1,",
		hex.EncodeToString(sum256(key + body)), "Bearer " + key, basic(), token256(`{"exp":4102444800}`), "",
	} {
		f.Add(credential, formType, []byte(body))
		f.Add(credential, "application/json", []byte(`{"token":"`+key+`"}`))
	}
	f.Add("0", "application/json", []byte(`{"token":"`+key+`"`))
	checks := fuzzed(f)
	f.Fuzz(func(t *testing.T, credential, contentType string, body []byte) {
		r := signature.Request{Method: http.MethodPost, URI: "/", Body: body, Header: http.Header{
			"X-Signature": {credential}, "Authorization": {credential}, "Content-Type": {contentType},
		}}
		for v, proves := range checks {
			if v.Verify(r, now) == nil && !proves(credential, body) {
				t.Errorf("accepted %q with body %q", credential, body)
			}
		}
	})
}

func fuzzed(f *testing.F) map[*signature.Verifier]proof {
	f.Helper()
	kv, list := kvConfig(), plainConfig()
	kv.Timestamp.Tolerance = 0
	list.Format, list.Field, list.Prefix = "list", signature.List{"v1"}, ""
	header := signature.List{"X-Signature"}
	checks := map[*signature.Verifier]proof{}
	add := func(c signature.Config, p proof) { checks[verifier(f, c.WithSecrets(key))] = p }
	add(plainConfig(), holdsMAC)
	add(list, holdsMAC)
	add(kv, holdsStampedMAC)
	add(digestConfig(), func(credential string, body []byte) bool {
		return strings.Contains(strings.ToLower(credential), hex.EncodeToString(sum256(key+string(body))))
	})
	add(signature.Config{Kind: "jwt", Header: header, Algorithms: signature.List{"HS256"}}, holdsToken256)
	add(signature.Config{Kind: "basic", User: "crm"}, func(credential string, _ []byte) bool {
		return strings.EqualFold(credential[:6], "Basic ") && strings.HasSuffix(credential, basic()[6:])
	})
	add(signature.Config{Kind: "token", Header: header, Scheme: signature.List{"Bearer", ""}},
		func(credential string, _ []byte) bool { return strings.HasSuffix(credential, key) })
	add(signature.Config{Kind: "token", BodyPath: "token"}, func(_ string, body []byte) bool {
		form, _ := url.ParseQuery(string(body))
		return form.Get("token") == key || hasMember(body, "token", key)
	})
	return checks
}

// hasMember reports whether an object has a member. It may be cut off after that: such a
// body holds the proof, and is refused when it is mapped.
func hasMember(object []byte, name, value string) bool {
	d := json.NewDecoder(bytes.NewReader(object))
	if begin, err := d.Token(); err != nil || begin != json.Delim('{') {
		return false
	}
	for {
		member, err := d.Token()
		var found any
		if err != nil || d.Decode(&found) != nil {
			return false
		}
		if member == name && found == value {
			return true
		}
	}
}

func basic() string { return "Basic " + base64.StdEncoding.EncodeToString([]byte("crm:"+key)) }

func holdsMAC(credential string, body []byte) bool {
	return strings.Contains(strings.ToLower(credential), hexMAC(string(body)))
}

func holdsStampedMAC(credential string, body []byte) bool {
	for part := range strings.SplitSeq(credential, ",") {
		name, stamp, _ := strings.Cut(part, "=")
		mac := hexMAC(strings.TrimSpace(stamp) + "." + string(body))
		if strings.TrimSpace(name) == "t" && strings.Contains(strings.ToLower(credential), mac) {
			return true
		}
	}
	return false
}

func holdsToken256(credential string, _ []byte) bool {
	i := strings.LastIndex(credential, ".")
	return i > 0 && credential[i+1:] == base64URL(hmacSHA256(key, credential[:i]))
}

// FuzzSigned: any template loads or is refused; none panics, and none that
// loads accepts an unsigned request.
func FuzzSigned(f *testing.F) {
	for _, template := range []string{
		"{body}", "{timestamp}.{body}", "{header:X-Signature}{body}", "{body:a.b}{body}", "{", "}", "{}", "{{body}}", "{url}{form_sorted}",
	} {
		f.Add(template)
	}
	f.Fuzz(func(t *testing.T, template string) {
		v, err := signature.New([]signature.Config{signedText(template)}, "https://bridge.example.com")
		if err != nil {
			return
		}
		if v.Verify(request(headers{"X-Signature": "00"}), now) == nil {
			t.Errorf("%q accepts an unsigned request", template)
		}
	})
}
