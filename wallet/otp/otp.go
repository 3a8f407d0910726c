// Package otp makes and checks second factors that need no device of ours:
// time-based codes (RFC 6238, six digits, SHA-1, 30 seconds, as every
// authenticator has them) and recovery codes that count once.
package otp

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha1" //nolint:gosec // RFC 6238's, and what authenticators do
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base32"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"net/url"
	"strings"
	"time"
)

const (
	digits = 6
	period = 30 // seconds
	window = 1  // steps that clocks may differ by
)

// NewSecret returns a new shared secret, 20 bytes.
func NewSecret() []byte {
	b := make([]byte, 20)
	_, _ = rand.Read(b) // never fails
	return b
}

// Step returns the time step of a moment.
func Step(now time.Time) int64 { return now.Unix() / period }

// Code returns the code of a time step (RFC 4226).
func Code(secret []byte, step int64) string {
	var counter [8]byte
	binary.BigEndian.PutUint64(counter[:], uint64(step)) //nolint:gosec // after 1970
	h := hmac.New(sha1.New, secret)
	h.Write(counter[:])
	sum := h.Sum(nil)
	at := sum[len(sum)-1] & 15
	return fmt.Sprintf("%0*d", digits, binary.BigEndian.Uint32(sum[at:])&0x7fffffff%1_000_000)
}

// Verify returns the step of a code that holds now, a step before or after. A
// step up to last was used already: its code is refused. The caller stores the
// step before it believes the code.
func Verify(secret []byte, code string, now time.Time, last int64) (step int64, ok bool) {
	code = strings.ReplaceAll(code, " ", "")
	if len(code) != digits {
		return 0, false
	}
	for s := Step(now) - window; s <= Step(now)+window; s++ {
		if subtle.ConstantTimeCompare([]byte(Code(secret, s)), []byte(code)) == 1 && s > last && !ok {
			step, ok = s, true
		}
	}
	return step, ok
}

var text = base32.StdEncoding.WithPadding(base32.NoPadding)

// Text is a secret as people type it.
func Text(secret []byte) string { return text.EncodeToString(secret) }

// URI is what authenticators read from a square code.
func URI(secret []byte, issuer, account string) string {
	q := url.Values{"secret": {Text(secret)}, "issuer": {issuer}, "algorithm": {"SHA1"}, "digits": {"6"}, "period": {"30"}}
	return "otpauth://totp/" + url.PathEscape(issuer+":"+account) + "?" + q.Encode()
}

// RecoveryCodes returns n new codes, each of 80 random bits, and what to store
// of them.
func RecoveryCodes(n int) (codes, hashes []string) {
	for range n {
		var b [10]byte
		_, _ = rand.Read(b[:]) // never fails
		s := strings.ToLower(text.EncodeToString(b[:]))
		codes = append(codes, s[:4]+"-"+s[4:8]+"-"+s[8:12]+"-"+s[12:])
		hashes = append(hashes, hash(s))
	}
	return codes, hashes
}

func hash(s string) string {
	sum := sha256.Sum256([]byte("aitbc recovery code 1 " + s))
	return hex.EncodeToString(sum[:])
}

// Redeem returns the hashes without that of code, and whether it was one of them.
func Redeem(code string, hashes []string) (left []string, ok bool) {
	h := hash(strings.ToLower(strings.NewReplacer("-", "", " ", "").Replace(code)))
	for _, x := range hashes {
		if !ok && subtle.ConstantTimeCompare([]byte(h), []byte(x)) == 1 {
			ok = true
			continue
		}
		left = append(left, x)
	}
	return left, ok
}
