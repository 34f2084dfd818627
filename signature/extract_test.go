package signature_test

import (
	"encoding/base64"
	"strings"
	"testing"

	"callbridge/signature"
)

func TestFormats(t *testing.T) {
	t.Parallel()
	good := hexMAC(body)
	stamped := hexMAC(unix + "." + body)
	wrong := strings.Repeat("0", 64)
	inBase64 := base64.StdEncoding.EncodeToString(hmacSHA256(key, body))
	plain, kv := plainConfig(), kvConfig()
	bare := plainConfig()
	bare.Prefix = ""
	in64 := bare
	in64.Encoding = "base64"
	url64 := bare
	url64.Encoding = "base64url"
	list := bare
	list.Format, list.Separator = "list", ","
	semicolon := kvConfig()
	semicolon.Separator, semicolon.Field = ";", signature.List{"h1", "h2"}
	for _, c := range []struct {
		name   string
		config signature.Config
		header string
		want   string
	}{
		{"plain", plain, "sha256=" + good, ""},
		{"blank after the prefix", plain, "sha256= " + good, ""},
		{"upper-case hex", plain, "sha256=" + strings.ToUpper(good), ""},
		{"no prefix", plain, good, "hmac: header X-Signature does not begin with sha256="},
		{"prefix only", plain, "sha256=", "hmac: no signature matches"},
		{"truncated", plain, "sha256=" + good[:32], "hmac: no signature matches"},
		{"too long", plain, "sha256=" + good + "00", "hmac: no signature matches"},
		{"empty", plain, "", "hmac: header X-Signature is missing"},
		{"base64", in64, inBase64, ""},
		{"base64 without padding", in64, strings.TrimRight(inBase64, "="), ""},
		{"base64url", url64, base64URL(hmacSHA256(key, body)), ""},
		{"hex where base64 is due", in64, good, "hmac: no signature matches"},
		{"one of a list", list, wrong + ", " + good, ""},
		{"none of a list", list, wrong + "," + wrong, "hmac: no signature matches"},
		{"kv", kv, "t=" + unix + ",v1=" + stamped, ""},
		{"kv in another order, with blanks", kv, "v1=" + stamped + " , t=" + unix, ""},
		{"kv while a key is rotated", kv, "t=" + unix + ",v1=" + wrong + ",v1=" + stamped, ""},
		{"kv with values after a comma", kv, "t=" + unix + ",v1=" + wrong + "," + stamped, ""},
		{"kv with the signature in a field that is ignored", kv, "t=" + unix + ",v1=" + wrong + ",v0=" + stamped, "hmac: no signature matches"},
		{"kv without signature", kv, "t=" + unix + ",v0=" + stamped, "hmac: header X-Signature contains no signature v1"},
		{"kv without time", kv, "v1=" + stamped, "hmac: header X-Signature contains no timestamp t"},
		{"kv with two times", kv, "t=1,t=" + unix + ",v1=" + stamped, "hmac: header X-Signature contains t more than once"},
		{"kv with one time twice", kv, "t=" + unix + ",v1=" + stamped + ",t=" + unix, "hmac: header X-Signature contains t more than once"},
		{"kv that is none", kv, stamped, "hmac: header X-Signature is not a list of key=value"},
		{"kv with another separator", semicolon, "t=" + unix + ";h2=" + stamped, ""},
		{"kv with too many", kv, "t=" + unix + strings.Repeat(",v1="+wrong, 16) + ",v1=" + stamped, "hmac: header X-Signature contains more than 16 signatures"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			r := request(headers{"X-Signature": c.header})
			expect(t, verifier(t, c.config.WithSecrets(key)).Verify(r, now), c.want)
		})
	}
}

func TestVersionedList(t *testing.T) {
	t.Parallel()
	good := base64.StdEncoding.EncodeToString(hmacSHA256(key, "msg_1."+unix+"."+body))
	for _, c := range []struct{ name, header, want string }{
		{"one", "v1," + good, ""},
		{"second of two", "v1,AAAA v1," + good, ""},
		{"beside an unknown version", "v1a,AAAA v1," + good, ""},
		{"as another version", "v2," + good, "hmac: header Webhook-Signature contains no signature v1"},
		{"without a version", good, "hmac: header Webhook-Signature contains no signature v1"},
		{"without a signature", "v1, v1", "hmac: header Webhook-Signature contains no signature v1"},
	} {
		r := request(headers{"Webhook-Id": "msg_1", "Webhook-Timestamp": unix, "Webhook-Signature": c.header})
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			expect(t, verifier(t, listConfig().WithSecrets(key)).Verify(r, now), c.want)
		})
	}
}

func TestFirstPresentHeaderIsUsed(t *testing.T) {
	t.Parallel()
	c := plainConfig().WithSecrets(key)
	c.Header = signature.List{"X-New", "X-Old"}
	v := verifier(t, c)
	good := "sha256=" + hexMAC(body)
	expect(t, v.Verify(request(headers{"X-Old": good}), now), "")
	expect(t, v.Verify(request(headers{"X-New": "", "X-Old": good}), now), "")
	expect(t, v.Verify(request(headers{"X-New": good, "X-Old": "sha256=0"}), now), "")
	expect(t, v.Verify(request(headers{"X-New": "sha256=0", "X-Old": good}), now), "hmac: no signature matches")
	expect(t, v.Verify(request(nil), now), "hmac: header X-New or X-Old is missing")
}

func TestSignatureInsideTheBody(t *testing.T) {
	t.Parallel()
	// Mailgun: the signature speaks for time and token only.
	c := signature.Config{
		Kind: "hmac", Hash: "sha256", BodyPath: "signature.signature", Encoding: "hex",
		Signed: "{timestamp}{body:signature.token}", AllowUnsignedBody: true,
		Timestamp: &signature.Timestamp{BodyPath: "signature.timestamp", Format: "unix", Tolerance: 60e9},
	}
	v := verifier(t, c.WithSecrets(key))
	send := func(contentType, body string) error {
		r := request(headers{"Content-Type": contentType})
		r.Body = []byte(body)
		return v.Verify(r, now)
	}
	good := hexMAC(unix + "abc")
	expect(t, send("application/json", `{"signature":{"token":"abc","timestamp":"`+unix+`","signature":"`+good+`"}}`), "")
	expect(t, send("application/json", `{"signature":{"token":"abc","timestamp":`+unix+`,"signature":"`+good+`"}}`), "")
	expect(t, send(formType, "signature.token=abc&signature.timestamp="+unix+"&signature.signature="+good), "")
	expect(t, send("application/json", `{"signature":{"token":"abd","timestamp":"`+unix+`","signature":"`+good+`"}}`), "hmac: no signature matches")
	expect(t, send("application/json", `{"signature":{}}`), "hmac: body field signature.signature is missing")
	expect(t, send("application/json", `{"signature":[]}`), "hmac: body field signature.signature cannot be read")
	expect(t, send("application/json", `{"signature":{"signature":{}}}`), "hmac: body field signature.signature cannot be read")
	expect(t, send("application/json", ``), "hmac: body field signature.signature cannot be read")
	expect(t, send(formType, "signature.signature=%zz"), "hmac: body field signature.signature cannot be read")
}

func TestSignatureInTheQuery(t *testing.T) {
	t.Parallel()
	c := signature.Config{Kind: "hmac", Hash: "sha256", Query: "sig", Encoding: "hex"}
	v := verifier(t, c.WithSecrets(key))
	for uri, want := range map[string]string{
		"/w?sig=" + hexMAC(body):             "",
		"/w?a=1&sig=" + hexMAC("other"):      "hmac: no signature matches",
		"/w":                                 "hmac: query parameter sig is missing",
		"/w?sig=1&sig=" + hexMAC(body):       "hmac: query parameter sig occurs more than once",
		"/w?sig=" + hexMAC(body) + "&b=%zz;": "hmac: query parameter sig cannot be read",
	} {
		r := request(nil)
		r.URI = uri
		expect(t, v.Verify(r, now), want)
	}
}
