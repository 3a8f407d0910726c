package httpapi_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/crypto"

	"github.com/aitbc/aitbc/api/walletapi"
	"github.com/aitbc/aitbc/apierr"
	"github.com/aitbc/aitbc/internal/openapitest"
	"github.com/aitbc/aitbc/market"
	"github.com/aitbc/aitbc/wallet/hd"
)

func TestAWalletIsMadeUnlockedAndSends(t *testing.T) {
	t.Parallel()
	r := start(t)
	var made walletapi.CreateResponse
	r.must("POST", "/v1/wallet/create", walletapi.CreateRequest{Name: "Main", Passphrase: pass}, &made)
	if words := strings.Fields(made.Mnemonic); len(words) != 24 || len(made.Wallet.Accounts) != 1 || made.Wallet.Unlocked {
		t.Fatalf("%+v", made.Wallet)
	}
	entropy, err := hd.Entropy([]byte(made.Mnemonic))
	if err != nil {
		t.Fatal(err)
	}
	seed, err := hd.Seed(entropy, nil)
	if err != nil {
		t.Fatal(err)
	}
	key, err := hd.Derive(seed, hd.Account(0))
	if err != nil {
		t.Fatal(err)
	}
	me := made.Wallet.Accounts[0].Address
	if a, err := hd.Address(key); err != nil || a != me {
		t.Fatalf("the phrase makes %s, %v, the wallet says %s", a, err, me)
	}
	r.chain.fund(me, market.Coins(10))
	r.refused(apierr.Locked, "POST", "/v1/wallet/send", send(1))
	r.refused(apierr.Locked, "POST", "/v1/wallet/send", send(1), walletapi.CapabilityHeader, "wcap_guess")
	r.refused(apierr.Forbidden, "POST", "/v1/wallet/unlock", walletapi.UnlockRequest{Passphrase: "wrong horse"})
	capability := r.unlock()
	var preview, sent walletapi.SendResponse
	ask := send(4)
	ask.Preview = true
	r.must("POST", "/v1/wallet/send", ask, &preview, capability...)
	if preview.Transaction != nil || preview.Intent.Summary != "Send 4 AITBC to "+bob.Hex() {
		t.Errorf("%+v", preview)
	}
	r.must("POST", "/v1/wallet/send", send(4), &sent, capability...)
	if tx := sent.Transaction; tx == nil || tx.State != walletapi.Included || tx.Block != 1 || tx.From != me || tx.Fee == nil || *tx.Fee != market.Units(1007*21000) {
		t.Fatalf("%+v", sent)
	}
	if r.chain.balance(bob) != market.Coins(4) {
		t.Errorf("bob has %s", r.chain.balance(bob))
	}
	var got walletapi.Transaction
	r.must("GET", "/v1/wallet/tx/"+sent.Transaction.Hash.Hex(), nil, &got)
	var history walletapi.History
	r.must("GET", "/v1/wallet/history?wallet=Main", nil, &history)
	if got.State != walletapi.Included || len(history.Transactions) != 1 || history.Transactions[0].Hash != got.Hash {
		t.Errorf("%+v, %+v", got, history)
	}
	var balance walletapi.BalanceResponse
	r.must("GET", "/v1/wallet/balance", nil, &balance)
	if balance.Balance != r.chain.balance(me) || balance.Block != 1 {
		t.Errorf("%+v", balance)
	}
	r.must("GET", "/v1/wallet/balance?address="+bob.Hex(), nil, &balance)
	if balance.Balance != market.Coins(4) {
		t.Errorf("%+v", balance)
	}
	r.refused(apierr.Insufficient, "POST", "/v1/wallet/send", send(6), capability...)
	r.refused(apierr.NotFound, "GET", "/v1/wallet/tx/"+common.Hash{1}.Hex(), nil)
	var locked walletapi.LockResponse
	r.must("POST", "/v1/wallet/lock", walletapi.LockRequest{}, &locked)
	if len(locked.Locked) != 1 {
		t.Errorf("%+v", locked)
	}
	r.refused(apierr.Locked, "POST", "/v1/wallet/send", send(1), capability...)
}

// A hundred programs send at once: each transaction is in a block once, and the
// node heard of them in the order of their numbers.
func TestAHundredSendsAtOnceInOrder(t *testing.T) {
	t.Parallel()
	r := start(t)
	r.imported()
	capability := r.unlock()
	var wg sync.WaitGroup
	hashes := sync.Map{}
	for i := range 100 {
		wg.Go(func() {
			var out walletapi.SendResponse
			headers := append([]string{"Idempotency-Key", fmt.Sprint("key ", i/2)}, capability...) // each twice
			if err := r.ask("POST", "/v1/wallet/send", walletapi.SendRequest{To: bob, Amount: market.Coins(uint64(1 + i/2%2)), WaitSeconds: 60}, &out, headers...); err != nil {
				t.Error(err)
				return
			}
			if out.Transaction.State != walletapi.Included {
				t.Errorf("%+v", out.Transaction)
			}
			if old, twice := hashes.LoadOrStore(i/2, out.Transaction.Hash); twice && old != out.Transaction.Hash {
				t.Errorf("one key, two transactions: %s and %s", old, out.Transaction.Hash)
			}
		})
	}
	wg.Wait()
	r.chain.do(func() {
		if len(r.chain.order) != 50 {
			t.Fatalf("%d transactions", len(r.chain.order))
		}
		for i, n := range r.chain.order {
			if n != uint64(i) {
				t.Fatalf("the order is %v", r.chain.order)
			}
		}
	})
	if got := r.chain.balance(bob); got != market.Coins(75) {
		t.Errorf("bob has %s", got.Coins())
	}
	r.refused(apierr.Conflict, "POST", "/v1/wallet/send", send(9), append([]string{"Idempotency-Key", "key 1"}, capability...)...)
}

// What the node forgot, or never heard, is sent again: by the daemon that sent
// it, or by the next one, which needs no passphrase for that.
func TestWhatWasSentComesIntoABlockWhateverHappens(t *testing.T) {
	t.Parallel()
	r := start(t)
	r.imported()
	capability := r.unlock()
	r.chain.do(func() { r.chain.lose = 1 })
	var out walletapi.SendResponse
	r.must("POST", "/v1/wallet/send", send(1), &out, capability...)
	if out.Transaction.State != walletapi.Included {
		t.Errorf("forgotten by the pool: %+v", out.Transaction)
	}
	r.chain.do(func() { r.chain.refuse = "txpool is full" })
	var ids []common.Hash
	for i := range 3 {
		ask := send(1)
		ask.WaitSeconds = 0
		r.must("POST", "/v1/wallet/send", ask, &out, append([]string{"Idempotency-Key", fmt.Sprint(i)}, capability...)...)
		if out.Transaction.State != walletapi.Pending || out.Transaction.Nonce != uint64(1+i) {
			t.Fatalf("%+v", out.Transaction)
		}
		ids = append(ids, out.Transaction.Hash)
	}
	r.stop()
	r.chain.do(func() { r.chain.refuse = "" })
	r.up()
	deadline := time.Now().Add(time.Minute)
	for _, h := range ids {
		for got := (walletapi.Transaction{}); got.State != walletapi.Included; {
			if time.Now().After(deadline) {
				t.Fatalf("%s is %s", h, got.State)
			}
			r.must("GET", "/v1/wallet/tx/"+h.Hex(), nil, &got)
		}
	}
	if got := r.chain.balance(bob); got != market.Coins(4) {
		t.Errorf("bob has %s", got.Coins())
	}
	// A key still stands for what it sent.
	capability = r.unlock()
	r.must("POST", "/v1/wallet/send", send(1), &out, append([]string{"Idempotency-Key", "1"}, capability...)...)
	if out.Transaction.Hash != ids[1] || r.chain.balance(bob) != market.Coins(4) {
		t.Errorf("sent again: %+v", out.Transaction)
	}
}

func TestWhatTheNodeRefusesTakesNoNumber(t *testing.T) {
	t.Parallel()
	r := start(t)
	r.imported()
	capability := r.unlock()
	r.must("PUT", "/v1/wallet/Main/policy", walletapi.PolicyRequest{Proof: walletapi.Proof{Passphrase: pass}, Policy: walletapi.Policy{PerDay: coins(10)}}, nil)
	for range 3 {
		r.chain.do(func() { r.chain.refuse = "intrinsic gas too low" })
		r.refused(apierr.Invalid, "POST", "/v1/wallet/send", send(4), append([]string{"Idempotency-Key", "a"}, capability...)...)
	}
	r.chain.do(func() { r.chain.refuse = "" })
	var out walletapi.SendResponse
	r.must("POST", "/v1/wallet/send", send(4), &out, append([]string{"Idempotency-Key", "a"}, capability...)...)
	if out.Transaction.Nonce != 0 || out.Transaction.State != walletapi.Included {
		t.Errorf("%+v", out.Transaction)
	}
	// Somebody else uses the key meanwhile: the next number is taken.
	r.chain.do(func() { r.chain.nonces[first] += 2 })
	r.must("POST", "/v1/wallet/send", send(1), &out, capability...)
	if out.Transaction.Nonce != 3 || out.Transaction.State != walletapi.Included {
		t.Errorf("%+v", out.Transaction)
	}
}

// What waits too long is replaced by one that pays more, and one of the two
// comes into a block.
func TestOneThatWaitsIsReplaced(t *testing.T) {
	t.Parallel()
	r := start(t)
	r.imported()
	capability := r.unlock()
	r.chain.do(func() { r.chain.held = true })
	var stuck, behind, instead walletapi.SendResponse
	ask := func(n uint64) walletapi.SendRequest { return walletapi.SendRequest{To: bob, Amount: market.Coins(n)} }
	r.must("POST", "/v1/wallet/send", ask(900), &stuck, capability...)
	r.must("POST", "/v1/wallet/send", ask(1), &behind, capability...)
	cancel := walletapi.SendRequest{To: first, Replaces: &stuck.Transaction.Hash}
	r.must("POST", "/v1/wallet/send", cancel, &instead, capability...)
	if instead.Transaction.Nonce != 0 || instead.Transaction.Hash == stuck.Transaction.Hash {
		t.Fatalf("%+v", instead.Transaction)
	}
	// Its number counts once: the next follows after the one behind.
	again := ask(2)
	again.Replaces = &instead.Transaction.Hash
	r.must("POST", "/v1/wallet/send", again, &instead, capability...)
	var next walletapi.SendResponse
	r.must("POST", "/v1/wallet/send", ask(3), &next, capability...)
	if instead.Transaction.Nonce != 0 || behind.Transaction.Nonce != 1 || next.Transaction.Nonce != 2 {
		t.Errorf("%d, %d, %d", instead.Transaction.Nonce, behind.Transaction.Nonce, next.Transaction.Nonce)
	}
	r.chain.do(func() { r.chain.held = false; r.chain.mine() })
	deadline := time.Now().Add(time.Minute)
	for want, tx := range map[string]common.Hash{walletapi.Included: instead.Transaction.Hash, walletapi.Replaced: stuck.Transaction.Hash} {
		for got := (walletapi.Transaction{}); got.State != want; {
			if time.Now().After(deadline) {
				t.Fatalf("%s is %s, want %s", tx, got.State, want)
			}
			r.must("GET", "/v1/wallet/tx/"+tx.Hex(), nil, &got)
		}
	}
	if got := r.chain.balance(bob); got != market.Coins(6) {
		t.Errorf("bob has %s", got.Coins())
	}
	r.refused(apierr.Conflict, "POST", "/v1/wallet/send", cancel, capability...)
}

func TestImports(t *testing.T) {
	t.Parallel()
	r := start(t)
	aaa, err := os.ReadFile("../../keystore/testdata/geth/aaa")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		in   walletapi.ImportRequest
		kind string
		want string
	}{
		{walletapi.ImportRequest{Name: "phrase", Passphrase: pass, Mnemonic: " " + strings.ToUpper(phrase), Accounts: 3}, "phrase", "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266"},
		{walletapi.ImportRequest{Name: "phrase 2", Passphrase: pass, Mnemonic: phrase, PhrasePassphrase: "x"}, "phrase", ""},
		{walletapi.ImportRequest{Name: "geth", Passphrase: pass, Keystore: aaa, KeystorePassphrase: "foobar"}, "keys", "0xf466859eAD1932D743d622CB74FC058882E8648A"},
		{walletapi.ImportRequest{Name: "key", Passphrase: pass, PrivateKey: "0x" + strings.Repeat("0", 63) + "1"}, "keys", "0x7E5F4552091A69125d5DfCb7b8C2659029395Bdf"},
		{walletapi.ImportRequest{Name: "cold", Addresses: []common.Address{bob}}, "watch", bob.Hex()},
	} {
		var w walletapi.Wallet
		r.must("POST", "/v1/wallet/import", c.in, &w)
		if w.Kind != c.kind || c.want != "" && w.Accounts[0].Address != common.HexToAddress(c.want) {
			t.Errorf("%s: %+v", c.in.Name, w)
		}
	}
	var list walletapi.WalletList
	r.must("GET", "/v1/wallet", nil, &list)
	if len(list.Wallets) != 5 || len(list.Damaged) != 0 {
		t.Fatalf("%+v", list)
	}
	r.refused(apierr.Invalid, "POST", "/v1/wallet/unlock", walletapi.UnlockRequest{Wallet: "cold", Passphrase: pass})
	r.refused(apierr.Invalid, "GET", "/v1/wallet/balance", nil) // which of them?
	for name, in := range map[string]walletapi.ImportRequest{
		"nothing":          {Name: "x", Passphrase: pass},
		"two":              {Name: "x", Passphrase: pass, Mnemonic: phrase, PrivateKey: "1"},
		"checksum":         {Name: "x", Passphrase: pass, Mnemonic: phrase + " test test test"},
		"wrong passphrase": {Name: "x", Passphrase: pass, Keystore: aaa, KeystorePassphrase: "foo"},
		"garbage":          {Name: "x", Passphrase: pass, Keystore: json.RawMessage(`{"version":3}`)},
		"zero key":         {Name: "x", Passphrase: pass, PrivateKey: strings.Repeat("0", 64)},
		"short key":        {Name: "x", Passphrase: pass, PrivateKey: "1234"},
		"short passphrase": {Name: "x", Passphrase: "short", Mnemonic: phrase},
		"markup":           {Name: "<b>", Passphrase: pass, Mnemonic: phrase},
		"strange signer":   {Name: "x", Passphrase: pass, Addresses: []common.Address{bob}, Signer: "file:///etc"},
		"twice":            {Name: "x", Addresses: []common.Address{bob, bob}},
	} {
		t.Run(name, func(t *testing.T) {
			if err := r.ask("POST", "/v1/wallet/import", in, nil); !apierr.HasCode(err, apierr.Invalid) || strings.Contains(err.Error(), "junk") {
				t.Errorf("%v", err)
			}
		})
	}
	r.refused(apierr.Conflict, "POST", "/v1/wallet/import", walletapi.ImportRequest{Name: "key", Passphrase: pass, Mnemonic: phrase})
	// All of it is there after a restart, and files are for their owner alone.
	r.stop()
	r.up()
	r.must("GET", "/v1/wallet", nil, &list)
	if len(list.Wallets) != 5 || len(list.Wallets[0].Accounts)+len(list.Wallets[1].Accounts) < 2 {
		t.Errorf("%+v", list)
	}
	files, err := filepath.Glob(filepath.Join(r.dir, "*"))
	if err != nil || len(files) < 10 {
		t.Fatal(files, err)
	}
	for _, f := range files {
		if info, err := os.Stat(f); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v", f, info.Mode(), err)
		}
	}
}

func TestAccountsExportsAndPassphrases(t *testing.T) {
	t.Parallel()
	r := start(t)
	r.imported()
	proof := walletapi.Proof{Passphrase: pass}
	var w walletapi.Wallet
	index := uint32(7)
	r.must("POST", "/v1/wallet/Main/accounts", walletapi.AccountRequest{Proof: proof, Name: "second"}, &w)
	r.must("POST", "/v1/wallet/Main/accounts", walletapi.AccountRequest{Proof: proof, Index: &index}, &w)
	if len(w.Accounts) != 3 || w.Accounts[1].Address != common.HexToAddress("0x70997970C51812dc3A010C7d01b50e0d17dc79C8") || w.Accounts[2].Path != "m/44'/60'/0'/0/7" {
		t.Errorf("%+v", w.Accounts)
	}
	r.refused(apierr.Conflict, "POST", "/v1/wallet/Main/accounts", walletapi.AccountRequest{Proof: proof, Index: &index})
	r.refused(apierr.Forbidden, "POST", "/v1/wallet/Main/export", walletapi.ExportRequest{Proof: walletapi.Proof{Passphrase: "wrong horse"}, What: "mnemonic"})
	var out walletapi.ExportResponse
	r.must("POST", "/v1/wallet/Main/export", walletapi.ExportRequest{Proof: proof, What: walletapi.ExportMnemonic}, &out)
	if out.Mnemonic != phrase {
		t.Error("another phrase")
	}
	second := w.Accounts[1].Address
	r.must("POST", "/v1/wallet/Main/export", walletapi.ExportRequest{Proof: proof, What: walletapi.ExportPrivateKey, Account: &second}, &out)
	key, err := crypto.HexToECDSA(out.PrivateKey[2:])
	if err != nil || crypto.PubkeyToAddress(key.PublicKey) != second {
		t.Errorf("another key: %v", err)
	}
	r.must("POST", "/v1/wallet/Main/export", walletapi.ExportRequest{Proof: proof, What: walletapi.ExportKeystore, KeystorePassphrase: "another word"}, &out)
	r.must("POST", "/v1/wallet/import", walletapi.ImportRequest{Name: "again", Passphrase: pass, Keystore: out.Keystore, KeystorePassphrase: "another word"}, &w)
	if w.Accounts[0].Address != first {
		t.Errorf("%+v", w)
	}
	r.must("POST", "/v1/wallet/Main/passphrase", walletapi.PassphraseRequest{Proof: proof, New: "another horse"}, nil)
	r.refused(apierr.Forbidden, "POST", "/v1/wallet/unlock", walletapi.UnlockRequest{Wallet: "Main", Passphrase: pass})
	r.unlock(func(u *walletapi.UnlockRequest) { u.Passphrase = "another horse" })
}

func TestBackupsRestore(t *testing.T) {
	t.Parallel()
	r := start(t)
	made := r.imported()
	r.must("POST", "/v1/wallet/Main/accounts", walletapi.AccountRequest{Proof: walletapi.Proof{Passphrase: pass}}, nil)
	var b walletapi.BackupResponse
	r.must("POST", "/v1/wallet/Main/backup", walletapi.BackupRequest{Proof: walletapi.Proof{Passphrase: pass}, BackupPassphrase: "kept elsewhere"}, &b)
	if !strings.HasPrefix(b.File, "-----BEGIN AGE ENCRYPTED FILE-----") {
		t.Fatal(b.File[:40])
	}
	drill := walletapi.DrillRequest{File: b.File, BackupPassphrase: "kept elsewhere"}
	var report walletapi.DrillResponse
	r.must("POST", "/v1/wallet/Main/drill", drill, &report)
	if !report.OK || len(report.Restored) != 2 || len(report.Missing) != 0 {
		t.Errorf("%+v", report)
	}
	// An account that was added later is missing, and the drill says so.
	r.must("POST", "/v1/wallet/Main/accounts", walletapi.AccountRequest{Proof: walletapi.Proof{Passphrase: pass}}, nil)
	r.must("POST", "/v1/wallet/Main/drill", drill, &report)
	if report.OK || len(report.Missing) != 1 {
		t.Errorf("%+v", report)
	}
	restore := walletapi.RestoreRequest{File: b.File, BackupPassphrase: "kept elsewhere", Passphrase: "a new horse"}
	r.refused(apierr.Conflict, "POST", "/v1/wallet/"+made.ID+"/restore", restore)
	r.stop()
	if err := os.Remove(filepath.Join(r.dir, made.ID+".vault")); err != nil {
		t.Fatal(err)
	}
	r.up()
	r.refused(apierr.NotFound, "GET", "/v1/wallet/balance", nil)
	bad := restore
	bad.BackupPassphrase = "guess"
	r.refused(apierr.Invalid, "POST", "/v1/wallet/"+made.ID+"/restore", bad)
	bad = restore
	bad.File = strings.Replace(b.File, "A", "B", 1)
	r.refused(apierr.Invalid, "POST", "/v1/wallet/"+made.ID+"/restore", bad)
	r.refused(apierr.Invalid, "POST", "/v1/wallet/0000000000000000/restore", restore)
	var w walletapi.Wallet
	r.must("POST", "/v1/wallet/"+made.ID+"/restore", restore, &w)
	if w.ID != made.ID || len(w.Accounts) != 2 || w.Accounts[0].Address != first {
		t.Errorf("%+v", w)
	}
	capability := r.unlock(func(u *walletapi.UnlockRequest) { u.Passphrase = "a new horse" })
	r.must("POST", "/v1/wallet/send", send(1), nil, capability...)
}

func TestOpenAPIDescribesEveryRoute(t *testing.T) {
	t.Parallel()
	r := start(t)
	var doc map[string]any
	r.must("GET", "/openapi.json", nil, &doc)
	raw, err := json.Marshal(doc)
	if err != nil {
		t.Fatal(err)
	}
	openapitest.References(t, raw)
	paths := doc["paths"].(map[string]any)
	for _, want := range []string{
		"POST /v1/wallet/create", "POST /v1/wallet/import", "GET /v1/wallet/balance", "POST /v1/wallet/send", "POST /v1/wallet/unlock", "POST /v1/wallet/lock", "POST /v1/wallet/sign",
		"GET /v1/wallet", "GET /v1/wallet/tx/{hash}", "GET /v1/wallet/history", "GET /v1/wallet/{id}/policy", "PUT /v1/wallet/{id}/policy", "GET /v1/wallet/{id}/audit",
		"POST /v1/wallet/{id}/backup", "POST /v1/wallet/{id}/restore", "POST /v1/wallet/{id}/export", "POST /v1/wallet/{id}/2fa", "GET /health",
	} {
		method, path, _ := strings.Cut(want, " ")
		if methods, ok := paths[path].(map[string]any); !ok || methods[strings.ToLower(method)] == nil {
			t.Errorf("%s is not described", want)
		}
	}
	// What is described is served: nothing answers that there is no such route.
	for path, methods := range paths {
		for method := range methods.(map[string]any) {
			path := strings.NewReplacer("{id}", "x", "{hash}", "x").Replace(path)
			err := r.ask(strings.ToUpper(method), path, map[string]any{"no such field": 1}, nil)
			if err != nil && strings.Contains(err.Error(), "no such route") {
				t.Errorf("%s %s: %v", method, path, err)
			}
		}
	}
	r.refused(apierr.NotFound, "GET", "/v1/wallet/x/y", nil)
	r.refused(apierr.NotFound, http.MethodDelete, "/v1/wallet/create", nil)
}
