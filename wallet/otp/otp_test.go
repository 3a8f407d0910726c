package otp_test

import (
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/aitbc/aitbc/wallet/otp"
)

var rfc = []byte("12345678901234567890")

// The vectors of RFC 4226, appendix D, and RFC 6238, appendix B (its last six digits).
func TestVectors(t *testing.T) {
	t.Parallel()
	for step, want := range []string{"755224", "287082", "359152", "969429", "338314", "254676", "287922", "162583", "399871", "520489"} {
		if got := otp.Code(rfc, int64(step)); got != want {
			t.Errorf("step %d: %s, want %s", step, got, want)
		}
	}
	for at, want := range map[int64]string{
		59: "287082", 1111111109: "081804", 1111111111: "050471", 1234567890: "005924", 2000000000: "279037", 20000000000: "353130",
	} {
		if got := otp.Code(rfc, otp.Step(time.Unix(at, 0))); got != want {
			t.Errorf("at %d: %s, want %s", at, got, want)
		}
	}
}

func TestACodeCountsOnceAndSoon(t *testing.T) {
	t.Parallel()
	now := time.Unix(1111111109, 0)
	step, ok := otp.Verify(rfc, "081 804", now, 0)
	if !ok || step != otp.Step(now) {
		t.Fatalf("%d, %v", step, ok)
	}
	if _, ok := otp.Verify(rfc, "081804", now, step); ok {
		t.Error("the same code twice")
	}
	// An older one is refused after a newer one, though its time has not passed.
	if _, ok := otp.Verify(rfc, otp.Code(rfc, step-1), now, step); ok {
		t.Error("a code of before")
	}
	if _, ok := otp.Verify(rfc, otp.Code(rfc, step+1), now, step); !ok {
		t.Error("the next code is refused")
	}
	for _, bad := range []string{"", "81804", "0081804", "081805", otp.Code(rfc, step-2), otp.Code(rfc, step+2)} {
		if _, ok := otp.Verify(rfc, bad, now, 0); ok {
			t.Errorf("%q was taken", bad)
		}
	}
}

func TestSecretsAsAuthenticatorsReadThem(t *testing.T) {
	t.Parallel()
	u, err := url.Parse(otp.URI(rfc, "AITBC", "My wallet"))
	if err != nil || u.Scheme != "otpauth" || u.Host != "totp" || u.Path != "/AITBC:My wallet" || u.Query().Get("secret") != "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ" {
		t.Fatalf("%v, %v", u, err)
	}
	if a, b := otp.NewSecret(), otp.NewSecret(); len(a) != 20 || string(a) == string(b) {
		t.Error("secrets are not random")
	}
}

func TestRecoveryCodesCountOnce(t *testing.T) {
	t.Parallel()
	codes, hashes := otp.RecoveryCodes(10)
	if len(codes) != 10 || len(hashes) != 10 || strings.Contains(strings.Join(hashes, ""), codes[0]) {
		t.Fatal(codes, hashes)
	}
	left, ok := otp.Redeem(" "+strings.ToUpper(codes[3]), hashes)
	if !ok || len(left) != 9 {
		t.Fatalf("%v, %d left", ok, len(left))
	}
	if left, ok := otp.Redeem(codes[3], left); ok || len(left) != 9 {
		t.Error("a code counted twice")
	}
	if _, ok := otp.Redeem("aaaa-aaaa-aaaa-aaaa", hashes); ok {
		t.Error("a guess was taken")
	}
}
