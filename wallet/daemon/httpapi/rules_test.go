package httpapi_test

import (
	"bytes"
	"encoding/base32"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"
	"golang.org/x/sys/unix"

	"github.com/aitbc/aitbc/api/walletapi"
	"github.com/aitbc/aitbc/apierr"
	"github.com/aitbc/aitbc/wallet/journal"
	"github.com/aitbc/aitbc/wallet/otp"
)

var proof = walletapi.Proof{Passphrase: pass}

// factor sets a second factor up and returns its secret and recovery codes.
func (r *rig) factor() ([]byte, []string) {
	r.t.Helper()
	var begun, confirmed walletapi.FactorResponse
	r.must("POST", "/v1/wallet/Main/2fa", walletapi.FactorRequest{Proof: proof, Action: walletapi.FactorBegin}, &begun)
	key, err := base32.StdEncoding.WithPadding(base32.NoPadding).DecodeString(begun.Secret)
	if err != nil || !strings.HasPrefix(begun.URI, "otpauth://totp/AITBC:Main?") {
		r.t.Fatalf("%+v, %v", begun, err)
	}
	r.refused(apierr.FactorRequired, "POST", "/v1/wallet/Main/2fa", walletapi.FactorRequest{Proof: walletapi.Proof{Passphrase: pass, Code: "000000"}, Action: walletapi.FactorConfirm})
	r.must("POST", "/v1/wallet/Main/2fa", walletapi.FactorRequest{Proof: walletapi.Proof{Passphrase: pass, Code: r.code(key)}, Action: walletapi.FactorConfirm}, &confirmed)
	if len(confirmed.RecoveryCodes) != 10 {
		r.t.Fatalf("%+v", confirmed)
	}
	return key, confirmed.RecoveryCodes
}

func (r *rig) code(key []byte) string { return otp.Code(key, otp.Step(r.clock())) }

func TestASecondFactorCountsOnce(t *testing.T) {
	t.Parallel()
	r := start(t)
	now := time.Now()
	r.set(now)
	r.imported()
	key, recovery := r.factor()
	export := func(code string) error {
		return r.ask("POST", "/v1/wallet/Main/export", walletapi.ExportRequest{Proof: walletapi.Proof{Passphrase: pass, Code: code}, What: walletapi.ExportMnemonic}, nil)
	}
	if err := export(""); !apierr.HasCode(err, apierr.FactorRequired) {
		t.Errorf("without a code: %v", err)
	}
	// The code that confirmed it was used.
	if err := export(r.code(key)); !apierr.HasCode(err, apierr.FactorRequired) {
		t.Errorf("the code of before: %v", err)
	}
	now = now.Add(time.Minute)
	r.set(now)
	code := r.code(key)
	if err := export(code); err != nil {
		t.Fatal(err)
	}
	if err := export(code); !apierr.HasCode(err, apierr.FactorRequired) {
		t.Errorf("replayed: %v", err)
	}
	// Nor does it count after a restart.
	r.stop()
	r.up()
	if err := export(code); !apierr.HasCode(err, apierr.FactorRequired) {
		t.Errorf("replayed after a restart: %v", err)
	}
	if err := export(recovery[4]); err != nil {
		t.Errorf("a recovery code: %v", err)
	}
	if err := export(recovery[4]); !apierr.HasCode(err, apierr.FactorRequired) {
		t.Errorf("again: %v", err)
	}
	capability := r.unlock()
	var status walletapi.FactorStatus
	r.must("GET", "/v1/wallet/Main/2fa", nil, &status)
	if !status.TOTP || status.RecoveryCodes != 9 {
		t.Errorf("%+v", status)
	}
	// Above an amount, a transaction asks for it.
	now = now.Add(time.Minute)
	r.set(now)
	r.refused(apierr.FactorRequired, "PUT", "/v1/wallet/Main/policy", walletapi.PolicyRequest{Proof: proof, Policy: walletapi.Policy{SecondFactorAbove: coins(2)}})
	r.must("PUT", "/v1/wallet/Main/policy", walletapi.PolicyRequest{Proof: walletapi.Proof{Passphrase: pass, Code: r.code(key)}, Policy: walletapi.Policy{SecondFactorAbove: coins(2)}}, nil)
	r.must("POST", "/v1/wallet/send", send(1), nil, capability...)
	r.refused(apierr.FactorRequired, "POST", "/v1/wallet/send", send(3), capability...)
	now = now.Add(time.Minute)
	r.set(now)
	ask := send(3)
	ask.Code = r.code(key)
	r.must("POST", "/v1/wallet/send", ask, nil, capability...)
	r.refused(apierr.FactorRequired, "POST", "/v1/wallet/send", ask, capability...)
	now = now.Add(time.Minute)
	r.set(now)
	r.refused(apierr.FactorRequired, "POST", "/v1/wallet/Main/2fa", walletapi.FactorRequest{Proof: proof, Action: walletapi.FactorRemove})
	r.must("POST", "/v1/wallet/Main/2fa", walletapi.FactorRequest{Proof: walletapi.Proof{Passphrase: pass, Code: recovery[0]}, Action: walletapi.FactorRemove}, nil)
	if err := export(""); err != nil {
		t.Errorf("after it was removed: %v", err)
	}
}

func TestPoliciesAreEnforcedBeforeSigning(t *testing.T) {
	t.Parallel()
	r := start(t)
	now := time.Unix(1_800_000_000, 0)
	r.set(now)
	r.imported()
	capability := r.unlock(func(u *walletapi.UnlockRequest) { u.ExpiresInSeconds = 86400 })
	var got walletapi.PolicyResponse
	set := func(p walletapi.Policy) {
		t.Helper()
		r.must("PUT", "/v1/wallet/Main/policy", walletapi.PolicyRequest{Proof: proof, Policy: p}, &got)
	}
	alice := common.Address{0xa}
	p := walletapi.Policy{PerTransaction: coins(5), PerDay: coins(8), AllowOnly: true, Allow: []walletapi.Receiver{{Address: alice}}, DelaySeconds: 3600}
	set(p)
	r.refused(apierr.PolicyRefused, "POST", "/v1/wallet/send", send(1), capability...)
	p.Allow = append(p.Allow, walletapi.Receiver{Address: bob, Name: "Bob"})
	set(p)
	if got.Next == nil || len(got.Policy.Allow) != 1 {
		t.Fatalf("%+v", got)
	}
	r.refused(apierr.PolicyRefused, "POST", "/v1/wallet/send", send(1), capability...)
	now = now.Add(time.Hour)
	r.set(now)
	r.must("POST", "/v1/wallet/send", send(4), nil, capability...)
	r.refused(apierr.LimitExceeded, "POST", "/v1/wallet/send", send(6), capability...)
	r.refused(apierr.LimitExceeded, "POST", "/v1/wallet/send", send(4), capability...)
	// It is sealed with the wallet, and what was spent is not forgotten.
	r.stop()
	r.up()
	r.refused(apierr.Locked, "GET", "/v1/wallet/Main/policy", nil)
	capability = r.unlock()
	r.must("GET", "/v1/wallet/Main/policy", nil, &got)
	if len(got.Policy.Allow) != 2 || got.SpentToday.Cmp(*coins(4)) < 0 {
		t.Errorf("%+v", got)
	}
	r.refused(apierr.LimitExceeded, "POST", "/v1/wallet/send", send(4), capability...)
	r.must("POST", "/v1/wallet/send", send(3), nil, capability...)
	r.refused(apierr.Conflict, "PUT", "/v1/wallet/Main/policy", walletapi.PolicyRequest{Proof: proof, Policy: walletapi.Policy{SecondFactorAbove: coins(1)}})
	r.refused(apierr.Forbidden, "PUT", "/v1/wallet/Main/policy", walletapi.PolicyRequest{Proof: walletapi.Proof{Passphrase: "wrong horse"}})
}

// Failed attempts make everybody wait, longer each time, and no restart helps.
func TestTheLockOutOutlivesRestarts(t *testing.T) {
	t.Parallel()
	r := start(t)
	now := time.Unix(1_800_000_000, 0)
	r.set(now)
	r.imported()
	wait := func(p string) int {
		t.Helper()
		err := r.ask("POST", "/v1/wallet/unlock", walletapi.UnlockRequest{Passphrase: p}, nil)
		e, ok := errors.AsType[*apierr.Error](err)
		switch {
		case err == nil:
			return -1
		case ok && e.Code == apierr.Forbidden:
			return 0
		case ok && e.Code == apierr.RateLimited:
			seconds, _ := e.Details["retry_after_seconds"].(float64)
			return int(seconds)
		}
		t.Fatal(err)
		return 0
	}
	for range 4 {
		if got := wait("wrong horse"); got != 0 {
			t.Fatalf("told to wait %d s at once", got)
		}
	}
	want := 1
	for range 5 {
		r.stop()
		r.up()
		if got := wait(pass); got != want {
			t.Fatalf("the right passphrase has to wait %d s, want %d", got, want)
		}
		now = now.Add(time.Duration(want) * time.Second)
		r.set(now)
		if got := wait("wrong horse"); got != 0 {
			t.Fatalf("still told to wait %d s", got)
		}
		want *= 2
	}
	// Whoever damages the count does not get in sooner.
	if err := os.WriteFile(filepath.Join(r.dir, mainID(r)+".attempts"), []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := wait("wrong horse"); got != 0 {
		t.Fatalf("%d", got)
	}
	if got := wait(pass); got < 3600 {
		t.Errorf("after damage it waits only %d s", got)
	}
	r.set(now.Add(2 * time.Hour))
	if got := wait(pass); got != -1 {
		t.Errorf("after all that: %d", got)
	}
	if got := wait("wrong horse"); got != 0 {
		t.Errorf("the count does not begin anew: %d", got)
	}
}

// Who knows the passphrase does not guess codes without an end: that it was
// shown between the guesses does not make them forgotten.
func TestCodesAreNotGuessedBetweenUnlocks(t *testing.T) {
	t.Parallel()
	r := start(t)
	now := time.Unix(1_800_000_000, 0)
	r.set(now)
	r.imported()
	key, _ := r.factor()
	guess := walletapi.ExportRequest{Proof: walletapi.Proof{Passphrase: pass, Code: "not-a-code"}, What: walletapi.ExportMnemonic}
	for range 4 {
		r.refused(apierr.FactorRequired, "POST", "/v1/wallet/Main/export", guess)
		if err := r.ask("POST", "/v1/wallet/unlock", walletapi.UnlockRequest{Passphrase: pass}, nil); err != nil && !apierr.HasCode(err, apierr.RateLimited) {
			t.Fatal(err)
		}
	}
	r.refused(apierr.RateLimited, "POST", "/v1/wallet/Main/export", guess)
	now = now.Add(time.Minute)
	r.set(now)
	guess.Code = r.code(key)
	r.must("POST", "/v1/wallet/Main/export", guess, nil)
	// The code was right: the count begins anew.
	guess.Code = "not-a-code"
	r.refused(apierr.FactorRequired, "POST", "/v1/wallet/Main/export", guess)
	r.refused(apierr.FactorRequired, "POST", "/v1/wallet/Main/export", guess)
}

func mainID(r *rig) string {
	r.t.Helper()
	var list walletapi.WalletList
	r.must("GET", "/v1/wallet", nil, &list)
	return list.Wallets[0].ID
}

func TestCapabilities(t *testing.T) {
	t.Parallel()
	r := start(t)
	now := time.Unix(1_800_000_000, 0)
	r.set(now)
	r.imported()
	signOnly := r.unlock(func(u *walletapi.UnlockRequest) { u.Scope = []string{walletapi.ScopeSign} })
	r.refused(apierr.PolicyRefused, "POST", "/v1/wallet/send", send(1), signOnly...)
	little := r.unlock(func(u *walletapi.UnlockRequest) { u.Amount, u.ExpiresInSeconds = coins(3), 60 })
	r.must("POST", "/v1/wallet/send", send(2), nil, little...)
	r.refused(apierr.LimitExceeded, "POST", "/v1/wallet/send", send(2), little...)
	long := r.unlock(func(u *walletapi.UnlockRequest) { u.ExpiresInSeconds = 3600 })
	now = now.Add(time.Minute)
	r.set(now)
	r.refused(apierr.Locked, "POST", "/v1/wallet/send", send(1), little...)
	r.must("POST", "/v1/wallet/send", send(1), nil, long...)
	for name, u := range map[string]walletapi.UnlockRequest{
		"scope": {Passphrase: pass, Scope: []string{"all"}}, "for ever": {Passphrase: pass, ExpiresInSeconds: 1 << 40}, "for never": {Passphrase: pass, ExpiresInSeconds: -1},
	} {
		if err := r.ask("POST", "/v1/wallet/unlock", u, nil); !apierr.HasCode(err, apierr.Invalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
	// After the last of them the wallet locks itself.
	r.set(now.Add(2 * time.Hour))
	deadline := time.Now().Add(time.Minute)
	for list := (walletapi.WalletList{Wallets: []walletapi.Wallet{{Unlocked: true}}}); list.Wallets[0].Unlocked; {
		if time.Now().After(deadline) {
			t.Fatal("it stays unlocked")
		}
		list = walletapi.WalletList{}
		r.must("GET", "/v1/wallet", nil, &list)
	}
	// One of another wallet opens nothing.
	r.must("POST", "/v1/wallet/import", walletapi.ImportRequest{Name: "Other", Passphrase: pass, PrivateKey: strings.Repeat("1", 64)}, nil)
	fresh := r.unlock()
	ask := send(1)
	ask.Wallet = "Other"
	r.refused(apierr.Locked, "POST", "/v1/wallet/send", ask, fresh...)
}

func TestTheAuditLogIsAWholeChain(t *testing.T) {
	t.Parallel()
	r := start(t)
	made := r.imported()
	capability := r.unlock()
	r.must("POST", "/v1/wallet/send", send(1), nil, capability...)
	r.refused(apierr.PolicyRefused, "POST", "/v1/wallet/sign", walletapi.SignRequest{MessageHex: []byte{0, 1}}, capability...)
	var log walletapi.AuditResponse
	r.must("GET", "/v1/wallet/Main/audit", nil, &log)
	if !log.Verified || log.Total != 4 || len(log.Records) != 4 || log.Records[0].N != 4 || log.Head != log.Records[0].Hash {
		t.Fatalf("%+v", log)
	}
	var rec struct {
		Action, Result string
		Detail         struct{ Summary string }
	}
	if err := json.Unmarshal(log.Records[1].Record, &rec); err != nil || rec.Action != "sign" || rec.Result != "allowed" || rec.Detail.Summary != "Send 1 AITBC to "+bob.Hex() {
		t.Errorf("%s", log.Records[1].Record)
	}
	if err := json.Unmarshal(log.Records[0].Record, &rec); err != nil || rec.Action != "sign" || rec.Result != "refused" {
		t.Errorf("%s", log.Records[0].Record)
	}
	all, err := json.Marshal(log)
	if err != nil || strings.Contains(string(all), capability[1]) || strings.Contains(string(all), pass) {
		t.Error("a secret is in the log")
	}
	// A log that was cut is noticed by the vault, which knows its last record.
	r.stop()
	path := filepath.Join(r.dir, made.ID+".audit")
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.SplitAfter(string(whole), "\n")
	if err := os.WriteFile(path, []byte(lines[0]), 0o600); err != nil {
		t.Fatal(err)
	}
	r.up()
	r.refused(apierr.Conflict, "POST", "/v1/wallet/unlock", walletapi.UnlockRequest{Passphrase: pass})
	// One that was changed is not even opened.
	r.stop()
	if err := os.WriteFile(path, []byte(strings.Replace(string(whole), "Send 1", "Send 2", 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := journal.Verify(path, nil); !errors.Is(err, journal.ErrBroken) {
		t.Errorf("changed: %v", err)
	}
	if err := os.WriteFile(path, whole, 0o600); err != nil {
		t.Fatal(err)
	}
	r.up()
	r.unlock()
}

// Without the audit log nothing is signed: here the file can grow no further.
func TestNoLogNoSignature(t *testing.T) {
	if os.Getenv("AITBC_TEST_FULL") == "" { // the limit is the whole process's
		cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestNoLogNoSignature$", "-test.v")
		cmd.Env = append(os.Environ(), "AITBC_TEST_FULL=1")
		if out, err := cmd.CombinedOutput(); err != nil || !bytes.Contains(out, []byte("PASS")) {
			t.Fatalf("%v\n%s", err, out)
		}
		return
	}
	r := start(t)
	made := r.imported()
	capability := r.unlock()
	info, err := os.Stat(filepath.Join(r.dir, made.ID+".audit"))
	if err != nil {
		t.Fatal(err)
	}
	var old unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_FSIZE, &old); err != nil {
		t.Fatal(err)
	}
	if err := unix.Setrlimit(unix.RLIMIT_FSIZE, &unix.Rlimit{Cur: uint64(info.Size()), Max: old.Max}); err != nil {
		t.Fatal(err)
	}
	r.refused(apierr.Unavailable, "POST", "/v1/wallet/send", send(1), capability...)
	text := "hello"
	r.refused(apierr.Unavailable, "POST", "/v1/wallet/sign", walletapi.SignRequest{Message: &text}, capability...)
	if err := unix.Setrlimit(unix.RLIMIT_FSIZE, &old); err != nil {
		t.Fatal(err)
	}
	r.chain.do(func() {
		if len(r.chain.order) != 0 {
			t.Errorf("sent: %v", r.chain.order)
		}
	})
	// When there is room again, it goes on, and the log is whole.
	r.must("POST", "/v1/wallet/send", send(1), nil, capability...)
	r.stop()
	r.up()
	r.must("POST", "/v1/wallet/send", send(1), nil, r.unlock()...)
}

const voucher = `{"types":{"EIP712Domain":[{"name":"name","type":"string"},{"name":"version","type":"string"},{"name":"chainId","type":"uint256"},{"name":"verifyingContract","type":"address"}],
"Voucher":[{"name":"session","type":"uint64"},{"name":"through","type":"uint64"},{"name":"cumulative","type":"uint128"}]},"primaryType":"Voucher",
"domain":{"name":"AITBC","version":"1","chainId":"17592186044416","verifyingContract":"0x000000000000000000000000000000000000A102"},"message":{"session":4,"through":7,"cumulative":"3000000000000000000"}}`

func TestSignatures(t *testing.T) {
	t.Parallel()
	r := start(t)
	r.imported()
	capability := r.unlock()
	signer := func(out walletapi.SignResponse) common.Address {
		t.Helper()
		sig := append([]byte{}, out.Signature...)
		sig[64] -= 27
		pub, err := crypto.SigToPub(out.Intent.Digest[:], sig)
		if err != nil {
			t.Fatal(err)
		}
		return crypto.PubkeyToAddress(*pub)
	}
	var out walletapi.SignResponse
	r.must("POST", "/v1/wallet/sign", walletapi.SignRequest{TypedData: json.RawMessage(voucher), Preview: true}, &out, capability...)
	if out.Signature != nil || out.Intent.Summary != "Pay 3 AITBC in all for the jobs of session 4 up to number 7" {
		t.Errorf("%+v", out)
	}
	r.must("POST", "/v1/wallet/sign", walletapi.SignRequest{TypedData: json.RawMessage(voucher)}, &out, capability...)
	if signer(out) != first {
		t.Errorf("%+v", out)
	}
	text := "hello"
	r.must("POST", "/v1/wallet/sign", walletapi.SignRequest{Message: &text}, &out, capability...)
	if signer(out) != first || out.Intent.Summary != "Sign the message: hello" {
		t.Errorf("%+v", out)
	}
	tx := json.RawMessage(`{"from":"0xf39fd6e51aad88f6f4ce6ab8827279cfffb92266","to":"0x00000000000000000000000000000000000000b0","value":"0xde0b6b3a7640000","nonce":"0x0","gas":"0x5208","maxFeePerGas":"0x3e8","maxPriorityFeePerGas":"0x1","chainId":"0x100000000000"}`)
	r.must("POST", "/v1/wallet/sign", walletapi.SignRequest{Transaction: tx}, &out, capability...)
	signed := new(types.Transaction)
	if err := signed.UnmarshalBinary(out.Raw); err != nil || signed.Hash() != *out.Hash || sender(signed) != first || out.Intent.Summary != "Send 1 AITBC to "+bob.Hex() {
		t.Errorf("%+v, %v", out, err)
	}
	stranger := bob
	for name, c := range map[string]struct {
		in   walletapi.SignRequest
		code apierr.Code
	}{
		"nothing":         {walletapi.SignRequest{}, apierr.Invalid},
		"two things":      {walletapi.SignRequest{Message: &text, Transaction: tx}, apierr.Invalid},
		"a stranger":      {walletapi.SignRequest{Message: &text, From: &stranger}, apierr.NotFound},
		"another chain":   {walletapi.SignRequest{TypedData: json.RawMessage(strings.Replace(voucher, "17592186044416", "1", 1))}, apierr.PolicyRefused},
		"no chain of us":  {walletapi.SignRequest{Transaction: json.RawMessage(strings.Replace(string(tx), "0x100000000000", "0x1", 1))}, apierr.PolicyRefused},
		"another sender":  {walletapi.SignRequest{Transaction: json.RawMessage(strings.Replace(string(tx), "0xf39", "0xe39", 1))}, apierr.Invalid},
		"no number":       {walletapi.SignRequest{Transaction: json.RawMessage(strings.Replace(string(tx), `"nonce":"0x0",`, "", 1))}, apierr.Invalid},
		"two fees":        {walletapi.SignRequest{Transaction: json.RawMessage(strings.Replace(string(tx), `"gas":`, `"gasPrice":"0x1","gas":`, 1))}, apierr.Invalid},
		"an unknown call": {walletapi.SignRequest{Transaction: json.RawMessage(strings.Replace(string(tx), `"gas":`, `"data":"0x01020304","gas":`, 1))}, apierr.PolicyRefused},
		"typed nonsense":  {walletapi.SignRequest{TypedData: json.RawMessage(`{"types":{}}`)}, apierr.Invalid},
	} {
		t.Run(name, func(t *testing.T) {
			if err := r.ask("POST", "/v1/wallet/sign", c.in, nil, capability...); !apierr.HasCode(err, c.code) {
				t.Errorf("%v, want %s", err, c.code)
			}
		})
	}
}
