package httpapi_test

import (
	"encoding/json"
	"testing"

	"github.com/ethereum/go-ethereum/crypto"

	"github.com/aitbc/aitbc/api/walletapi"
	"github.com/aitbc/aitbc/apierr"
	"github.com/aitbc/aitbc/market"
	"github.com/aitbc/aitbc/wallet/hd"
	"github.com/aitbc/aitbc/wallet/ledger/ledgertest"
)

// The keys never leave the device; policies and the audit log are the daemon's.
func TestALedgerSigns(t *testing.T) {
	t.Parallel()
	r := start(t)
	in := walletapi.ImportRequest{Name: "Main", Passphrase: pass, Signer: "ledger", Accounts: 2}
	r.refused(apierr.Unavailable, "POST", "/v1/wallet/import", in)
	entropy, err := hd.Entropy([]byte(phrase))
	if err != nil {
		t.Fatal(err)
	}
	seed, err := hd.Seed(entropy, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.ledger = &ledgertest.Device{Seed: seed}
	var w walletapi.Wallet
	r.must("POST", "/v1/wallet/import", in, &w)
	if w.Kind != "remote" || len(w.Accounts) != 2 || w.Accounts[0].Address != first || w.Accounts[1].Path != "m/44'/60'/0'/0/1" {
		t.Fatalf("%+v", w)
	}
	r.chain.fund(first, market.Coins(10))
	r.refused(apierr.Locked, "POST", "/v1/wallet/send", send(1))
	capability := r.unlock()
	var sent walletapi.SendResponse
	r.must("POST", "/v1/wallet/send", send(1), &sent, capability...)
	if sent.Transaction.State != walletapi.Included || r.chain.balance(bob) != market.Coins(1) {
		t.Errorf("%+v", sent.Transaction)
	}
	text := "hello"
	for _, in := range []walletapi.SignRequest{{TypedData: json.RawMessage(voucher)}, {Message: &text}} {
		var out walletapi.SignResponse
		r.must("POST", "/v1/wallet/sign", in, &out, capability...)
		sig := append([]byte{}, out.Signature...)
		sig[64] -= 27
		if pub, err := crypto.SigToPub(out.Intent.Digest[:], sig); err != nil || crypto.PubkeyToAddress(*pub) != first {
			t.Errorf("%+v, %v", out, err)
		}
	}
	r.must("PUT", "/v1/wallet/Main/policy", walletapi.PolicyRequest{Proof: proof, Policy: walletapi.Policy{PerTransaction: coins(2)}}, nil)
	r.refused(apierr.LimitExceeded, "POST", "/v1/wallet/send", send(3), capability...)
	r.ledger.Do(func(d *ledgertest.Device) { d.Deny = true })
	r.refused(apierr.PolicyRefused, "POST", "/v1/wallet/send", send(1), capability...)
	r.ledger.Do(func(d *ledgertest.Device) { d.Deny, d.Lie = false, true })
	r.refused(apierr.PolicyRefused, "POST", "/v1/wallet/send", send(1), capability...)
	r.ledger.Do(func(d *ledgertest.Device) { d.Lie, d.Locked = false, true })
	r.refused(apierr.Unavailable, "POST", "/v1/wallet/send", send(1), capability...)
	r.ledger.Do(func(d *ledgertest.Device) { d.Locked = false })
	r.must("POST", "/v1/wallet/send", send(1), &sent, capability...)
	if sent.Transaction.Nonce != 1 || r.chain.balance(bob) != market.Coins(2) {
		t.Errorf("%+v", sent.Transaction)
	}
}
