package signature_test

import (
	"bytes"
	"encoding/hex"
	"testing"

	"callbridge/signature"
)

// BenchmarkVerifyHMAC is the common case, HMAC-SHA256 over the body, for a
// body of the usual size and for one at the limit of 1 MiB.
func BenchmarkVerifyHMAC(b *testing.B) {
	for name, size := range map[string]int{"2KiB": 2 << 10, "1MiB": 1 << 20} {
		b.Run(name, func(b *testing.B) {
			r := request(nil)
			r.Body = bytes.Repeat([]byte("x"), size)
			r.Header.Set("X-Signature", "sha256="+hex.EncodeToString(hmacSHA256(key, string(r.Body))))
			bench(b, plainConfig(), r)
		})
	}
}

// BenchmarkVerifyStripe adds what a timestamp in the header costs.
func BenchmarkVerifyStripe(b *testing.B) {
	bench(b, kvConfig(), request(headers{"X-Signature": "t=" + unix + ",v1=" + hexMAC(unix+"."+body)}))
}

// BenchmarkVerifyForged measures the refusal of a forged signature.
func BenchmarkVerifyForged(b *testing.B) {
	v := verifier(b, plainConfig().WithSecrets(key, otherKey))
	r := request(headers{"X-Signature": "sha256=" + hexMAC("other")})
	b.ReportAllocs()
	for b.Loop() {
		if v.Verify(r, now) == nil {
			b.Fatal("accepted")
		}
	}
}

func bench(b *testing.B, c signature.Config, r signature.Request) {
	v := verifier(b, c.WithSecrets(key))
	b.ReportAllocs()
	b.SetBytes(int64(len(r.Body)))
	for b.Loop() {
		if err := v.Verify(r, now); err != nil {
			b.Fatal(err)
		}
	}
}
