package httpapi_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"testing"
	"time"

	"github.com/aitbc/aitbc/api/walletapi"
	"github.com/aitbc/aitbc/apierr"
)

var b64 = base64.RawURLEncoding

// authenticator is a security key in software: one ES256 key, as a browser's
// page would reach it.
type authenticator struct {
	t      *testing.T
	key    *ecdsa.PrivateKey
	id     []byte
	count  uint32
	origin string
	domain string
	flags  byte // user present and verified
}

func newAuthenticator(t *testing.T) *authenticator {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	id := make([]byte, 16)
	_, _ = rand.Read(id) // never fails
	return &authenticator{t: t, key: key, id: id, origin: page, domain: "wallet.example", flags: 0x05}
}

// data is the authenticator's data of WebAuthn, section 6.1.
func (a *authenticator) data(attested []byte) []byte {
	a.count++
	rp := sha256.Sum256([]byte(a.domain))
	flags := a.flags
	if attested != nil {
		flags |= 0x40
	}
	return append(binary.BigEndian.AppendUint32(append(rp[:], flags), a.count), attested...)
}

func (a *authenticator) client(kind, challenge string) []byte {
	raw, err := json.Marshal(map[string]any{"type": kind, "challenge": challenge, "origin": a.origin, "crossOrigin": false})
	if err != nil {
		a.t.Fatal(err)
	}
	return raw
}

func (a *authenticator) credential(response map[string]string) json.RawMessage {
	raw, err := json.Marshal(map[string]any{
		"id": b64.EncodeToString(a.id), "rawId": b64.EncodeToString(a.id), "type": "public-key", "response": response, "clientExtensionResults": map[string]any{},
	})
	if err != nil {
		a.t.Fatal(err)
	}
	return raw
}

func challengeOf(t *testing.T, options json.RawMessage) string {
	t.Helper()
	var o struct{ PublicKey struct{ Challenge string } }
	if err := json.Unmarshal(options, &o); err != nil || o.PublicKey.Challenge == "" {
		t.Fatalf("%s, %v", options, err)
	}
	return o.PublicKey.Challenge
}

// create answers navigator.credentials.create without attestation.
func (a *authenticator) create(options json.RawMessage) json.RawMessage {
	point, err := a.key.PublicKey.Bytes()
	if err != nil {
		a.t.Fatal(err)
	}
	cose := append([]byte{0xa5, 0x01, 0x02, 0x03, 0x26, 0x20, 0x01, 0x21, 0x58, 0x20}, point[1:33]...)
	cose = append(append(cose, 0x22, 0x58, 0x20), point[33:]...)
	attested := append(binary.BigEndian.AppendUint16(make([]byte, 16), uint16(len(a.id))), a.id...)
	data := a.data(append(attested, cose...))
	object := append([]byte("\xa3\x63fmt\x64none\x67attStmt\xa0\x68authData\x58"), byte(len(data)))
	return a.credential(map[string]string{
		"clientDataJSON":    b64.EncodeToString(a.client("webauthn.create", challengeOf(a.t, options))),
		"attestationObject": b64.EncodeToString(append(object, data...)),
	})
}

// get answers navigator.credentials.get.
func (a *authenticator) get(options json.RawMessage) json.RawMessage {
	client, data := a.client("webauthn.get", challengeOf(a.t, options)), a.data(nil)
	hash := sha256.Sum256(client)
	digest := sha256.Sum256(append(bytes.Clone(data), hash[:]...))
	sig, err := ecdsa.SignASN1(rand.Reader, a.key, digest[:])
	if err != nil {
		a.t.Fatal(err)
	}
	return a.credential(map[string]string{
		"clientDataJSON": b64.EncodeToString(client), "authenticatorData": b64.EncodeToString(data), "signature": b64.EncodeToString(sig),
	})
}

func TestPasskeys(t *testing.T) {
	t.Parallel()
	r := start(t)
	now := time.Now()
	r.set(now)
	r.imported()
	capability := r.unlock(func(u *walletapi.UnlockRequest) { u.ExpiresInSeconds = 86400 })
	factor := func(in walletapi.FactorRequest) (out walletapi.FactorResponse, err error) {
		err = r.ask("POST", "/v1/wallet/Main/2fa", in, &out)
		return out, err
	}
	begin := func() json.RawMessage {
		t.Helper()
		out, err := factor(walletapi.FactorRequest{Proof: proof, Action: walletapi.PasskeyBegin})
		if err != nil {
			t.Fatal(err)
		}
		return out.Options
	}
	a := newAuthenticator(t)
	confirm := func(raw json.RawMessage) (walletapi.FactorResponse, error) {
		return factor(walletapi.FactorRequest{Proof: proof, Action: walletapi.PasskeyConfirm, Credential: raw})
	}
	// A passkey of another page, or that answers what was asked before, is not added.
	evil := newAuthenticator(t)
	evil.origin = "https://evil.example"
	if _, err := confirm(evil.create(begin())); !apierr.HasCode(err, apierr.Invalid) {
		t.Errorf("of another page: %v", err)
	}
	first := begin()
	begin()
	if _, err := confirm(a.create(first)); !apierr.HasCode(err, apierr.Invalid) {
		t.Errorf("the answer to an older question: %v", err)
	}
	made, err := confirm(a.create(begin()))
	if err != nil || len(made.RecoveryCodes) != 10 {
		t.Fatalf("%+v, %v", made, err)
	}
	var status walletapi.FactorStatus
	r.must("GET", "/v1/wallet/Main/2fa", nil, &status)
	if status.TOTP || status.Passkeys != 1 || status.RecoveryCodes != 10 {
		t.Errorf("%+v", status)
	}
	export := func(passkey json.RawMessage) error {
		return r.ask("POST", "/v1/wallet/Main/export", walletapi.ExportRequest{Proof: walletapi.Proof{Passphrase: pass, Passkey: passkey}, What: walletapi.ExportMnemonic}, nil)
	}
	ask := func() json.RawMessage {
		t.Helper()
		out, err := factor(walletapi.FactorRequest{Action: walletapi.PasskeyChallenge})
		if err != nil {
			t.Fatal(err)
		}
		return out.Options
	}
	if err := export(nil); !apierr.HasCode(err, apierr.FactorRequired) {
		t.Errorf("without: %v", err)
	}
	answer := a.get(ask())
	if err := export(answer); err != nil {
		t.Fatal(err)
	}
	// wrong tries one that must fail, and then shows a right one, so that nobody has to wait.
	wrong := func(name string, raw json.RawMessage) {
		t.Helper()
		if err := export(raw); !apierr.HasCode(err, apierr.FactorRequired) {
			t.Errorf("%s: %v", name, err)
		}
		if err := export(a.get(ask())); err != nil {
			t.Fatalf("after %s: %v", name, err)
		}
	}
	wrong("replayed", answer)
	stranger := newAuthenticator(t)
	wrong("of a stranger", stranger.get(ask()))
	forged := newAuthenticator(t)
	forged.id = a.id
	wrong("with another key", forged.get(ask()))
	a.flags = 0x01
	raw := a.get(ask())
	a.flags = 0x05
	wrong("without looking at the person", raw)
	a.origin = "https://evil.example"
	raw = a.get(ask())
	a.origin = page
	wrong("through another page", raw)
	a.domain = "evil.example"
	raw = a.get(ask())
	a.domain = "wallet.example"
	wrong("for another domain", raw)
	wrong("nonsense", json.RawMessage(`{"id":1}`))
	before := a.count
	a.count = 0
	raw = a.get(ask())
	a.count = before
	wrong("of a copy that counts anew", raw)
	late := ask()
	now = now.Add(3 * time.Minute)
	r.set(now)
	wrong("too late", a.get(late))
	// It serves where a code would, and after a restart.
	r.must("PUT", "/v1/wallet/Main/policy", walletapi.PolicyRequest{Proof: walletapi.Proof{Passphrase: pass, Passkey: a.get(ask())}, Policy: walletapi.Policy{SecondFactorAbove: coins(1)}}, nil)
	r.refused(apierr.FactorRequired, "POST", "/v1/wallet/send", send(2), capability...)
	r.stop()
	r.up()
	capability = r.unlock()
	in := send(2)
	in.Passkey = a.get(ask())
	r.must("POST", "/v1/wallet/send", in, nil, capability...)
	// Who lost it has recovery codes.
	if _, err := factor(walletapi.FactorRequest{Proof: walletapi.Proof{Passphrase: pass, Code: made.RecoveryCodes[0]}, Action: walletapi.FactorRemove}); err != nil {
		t.Fatal(err)
	}
	if err := export(nil); err != nil {
		t.Error(err)
	}
}
