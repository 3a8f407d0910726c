package ledger_test

import (
	"bytes"
	"errors"
	"math/big"
	"strings"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"

	"github.com/aitbc/aitbc/wallet/hd"
	"github.com/aitbc/aitbc/wallet/ledger"
	"github.com/aitbc/aitbc/wallet/ledger/ledgertest"
)

var first = common.HexToAddress("0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266")

func device(t testing.TB) (*ledgertest.Device, *ledger.Device) {
	t.Helper()
	entropy, err := hd.Entropy([]byte("test test test test test test test test test test test junk"))
	if err != nil {
		t.Fatal(err)
	}
	seed, err := hd.Seed(entropy, nil)
	if err != nil {
		t.Fatal(err)
	}
	d := &ledgertest.Device{Seed: seed}
	return d, ledger.New(d)
}

func recovered(t *testing.T, digest common.Hash, sig []byte) common.Address {
	t.Helper()
	pub, err := crypto.SigToPub(digest[:], sig)
	if err != nil {
		t.Fatal(err)
	}
	return crypto.PubkeyToAddress(*pub)
}

func TestTransactionsOfEveryLength(t *testing.T) {
	t.Parallel()
	_, l := device(t)
	if a, err := l.Address(hd.Account(0)); err != nil || a != first {
		t.Fatalf("%s, %v", a, err)
	}
	chain := big.NewInt(1 << 44)
	signer := types.LatestSignerForChainID(chain)
	for n := 0; n < 1200; n += 7 {
		data := bytes.Repeat([]byte{7}, n)
		for _, tx := range []types.TxData{
			&types.DynamicFeeTx{ChainID: chain, Nonce: 9, Gas: 21000, GasTipCap: big.NewInt(1), GasFeeCap: big.NewInt(1000), To: &first, Value: big.NewInt(5), Data: data},
			&types.LegacyTx{Nonce: 9, Gas: 21000, GasPrice: big.NewInt(1000), To: &first, Value: big.NewInt(5), Data: data},
			&types.LegacyTx{Nonce: 9, Gas: 21000, GasPrice: big.NewInt(1000), Value: big.NewInt(5), Data: data}, // a deployment
		} {
			tx := types.NewTx(tx)
			sig, err := l.SignTransaction(hd.Account(0), tx, chain)
			if err != nil {
				t.Fatalf("type %d with %d bytes: %v", tx.Type(), n, err)
			}
			if got := recovered(t, signer.Hash(tx), sig); got != first {
				t.Fatalf("type %d with %d bytes: signed by %s", tx.Type(), n, got)
			}
		}
	}
}

func TestMessagesAndTypedData(t *testing.T) {
	t.Parallel()
	d, l := device(t)
	for _, n := range []int{0, 1, 200, 255, 256, 600} {
		text := strings.Repeat("x", n)
		sig, err := l.SignMessage(hd.Account(0), []byte(text))
		if err != nil {
			t.Fatal(n, err)
		}
		digest := crypto.Keccak256Hash([]byte("\x19Ethereum Signed Message:\n"+new(big.Int).SetInt64(int64(n)).String()), []byte(text))
		if got := recovered(t, digest, sig); got != first || d.Shown != text {
			t.Errorf("%d bytes: signed by %s, shown %q", n, got, d.Shown)
		}
	}
	domain, message := common.Hash{1}, common.Hash{2}
	sig, err := l.SignTypedData(hd.Account(0), domain, message)
	if err != nil || recovered(t, crypto.Keccak256Hash([]byte{0x19, 1}, domain[:], message[:]), sig) != first {
		t.Errorf("%x, %v", sig, err)
	}
}

func TestWhatADeviceMayAnswer(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		change func(*ledgertest.Device)
		want   error
	}{
		"declined":    {func(d *ledgertest.Device) { d.Deny = true }, ledger.ErrDenied},
		"locked":      {func(d *ledgertest.Device) { d.Locked = true }, ledger.ErrLocked},
		"another app": {func(d *ledgertest.Device) { d.Closed = true }, ledger.ErrApp},
	} {
		d, l := device(t)
		d.Do(c.change)
		if _, err := l.SignMessage(hd.Account(0), []byte("x")); !errors.Is(err, c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	_, l := device(t)
	if _, err := l.SignTransaction(hd.Account(0), types.NewTx(&types.AccessListTx{}), big.NewInt(1)); !errors.Is(err, ledger.ErrData) {
		t.Errorf("another type: %v", err)
	}
}

// answers is a device that says what it is told to.
type answers struct{ bytes.Buffer }

func (*answers) Write(p []byte) (int, error) { return len(p), nil }

// Whatever is plugged in, its answers are read without harm.
func FuzzAnswers(f *testing.F) {
	f.Add(append([]byte{1, 1, 5, 0, 0, 0, 2, 0x90, 0}, make([]byte, 55)...))
	f.Add(append([]byte{1, 1, 5, 0, 0, 0xff, 0xff}, make([]byte, 57)...))
	f.Fuzz(func(t *testing.T, b []byte) {
		var a answers
		a.Buffer.Write(b)
		if got, err := ledger.New(&a).Address(hd.Account(0)); err != nil && got != (common.Address{}) {
			t.Fatalf("%s, %v", got, err)
		}
		a.Reset()
		a.Buffer.Write(b)
		if sig, err := ledger.New(&a).SignMessage(hd.Account(0), []byte("x")); (err == nil) != (len(sig) == 65) {
			t.Fatalf("%x, %v", sig, err)
		}
	})
}
