package httpapi_test

import (
	"encoding/json"
	"fmt"
	"math/big"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"

	"github.com/aitbc/aitbc/api/walletapi"
	"github.com/aitbc/aitbc/apierr"
	"github.com/aitbc/aitbc/market"
	"github.com/aitbc/aitbc/wallet/typeddata"
)

// other is another program that signs: as clef does, or as Web3Signer.
type other struct {
	web3 bool

	mu    sync.Mutex
	deny  bool
	lie   bool // it signs something else
	asked []string
}

func (o *other) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var req struct {
		ID     json.RawMessage
		Method string
		Params []json.RawMessage
	}
	if err := json.NewDecoder(r.Body).Decode(&req); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.asked = append(o.asked, req.Method)
	resp := map[string]any{"jsonrpc": "2.0", "id": req.ID}
	result, err := o.answer(req.Method, req.Params)
	switch {
	case err != nil:
		resp["error"] = map[string]any{"code": -32000, "message": err.Error()}
	case result == nil:
		resp["error"] = map[string]any{"code": -32601, "message": "the method " + req.Method + " does not exist"}
	default:
		resp["result"] = result
	}
	_ = json.NewEncoder(w).Encode(resp) // the client is gone
}

func (o *other) answer(method string, params []json.RawMessage) (any, error) {
	if strings.HasPrefix(method, "eth_") != o.web3 {
		return nil, nil
	}
	if o.deny {
		return nil, fmt.Errorf("request denied")
	}
	key, err := crypto.HexToECDSA(strings.Repeat("1", 64))
	if err != nil {
		return nil, err
	}
	sign := func(digest []byte) (any, error) {
		if o.lie {
			digest = crypto.Keccak256(digest)
		}
		sig, err := crypto.Sign(digest, key)
		if err != nil {
			return nil, err
		}
		sig[64] += 27
		return hexutil.Bytes(sig), nil
	}
	switch {
	case strings.HasSuffix(method, "signTypedData"):
		d, err := typeddata.Parse(params[1])
		if err != nil {
			return nil, err
		}
		return sign(d.Digest[:])
	case strings.HasSuffix(method, "signData"), strings.HasSuffix(method, "eth_sign"):
		var message hexutil.Bytes
		if err := json.Unmarshal(params[len(params)-1], &message); err != nil {
			return nil, err
		}
		return sign(crypto.Keccak256(fmt.Appendf(nil, "\x19Ethereum Signed Message:\n%d", len(message)), message))
	}
	var args struct {
		To                                        *common.Address
		Nonce, Gas                                hexutil.Uint64
		Value, MaxFeePerGas, MaxPriorityFeePerGas *hexutil.Big
		ChainID                                   *hexutil.Big
		Data                                      hexutil.Bytes
	}
	if err := json.Unmarshal(params[0], &args); err != nil {
		return nil, err
	}
	value := args.Value.ToInt()
	if o.lie {
		value = new(big.Int).Add(value, big.NewInt(1))
	}
	tx, err := types.SignNewTx(key, types.LatestSignerForChainID(args.ChainID.ToInt()), &types.DynamicFeeTx{
		ChainID: args.ChainID.ToInt(), Nonce: uint64(args.Nonce), Gas: uint64(args.Gas), To: args.To, Value: value, Data: args.Data,
		GasFeeCap: args.MaxFeePerGas.ToInt(), GasTipCap: args.MaxPriorityFeePerGas.ToInt(),
	})
	if err != nil {
		return nil, err
	}
	raw, err := tx.MarshalBinary()
	if err != nil || o.web3 {
		return hexutil.Bytes(raw), err
	}
	return map[string]any{"raw": hexutil.Bytes(raw), "tx": tx}, nil
}

func TestAnotherProgramSigns(t *testing.T) {
	t.Parallel()
	for name, web3 := range map[string]bool{"clef": false, "web3signer": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := start(t)
			o := &other{web3: web3}
			server := httptest.NewServer(o)
			t.Cleanup(server.Close)
			key, err := crypto.HexToECDSA(strings.Repeat("1", 64))
			if err != nil {
				t.Fatal(err)
			}
			me := crypto.PubkeyToAddress(key.PublicKey)
			var w walletapi.Wallet
			r.must("POST", "/v1/wallet/import", walletapi.ImportRequest{Name: "Main", Passphrase: pass, Addresses: []common.Address{me}, Signer: server.URL}, &w)
			if w.Kind != "remote" || w.Signer != server.URL {
				t.Fatalf("%+v", w)
			}
			r.chain.fund(me, market.Coins(10))
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
				if pub, err := crypto.SigToPub(out.Intent.Digest[:], sig); err != nil || crypto.PubkeyToAddress(*pub) != me {
					t.Errorf("%+v, %v", out, err)
				}
			}
			// One that signs something else is found out, and one that refuses refuses.
			o.mu.Lock()
			o.lie = true
			o.mu.Unlock()
			for _, in := range []walletapi.SignRequest{{TypedData: json.RawMessage(voucher)}, {Message: &text}} {
				r.refused(apierr.PolicyRefused, "POST", "/v1/wallet/sign", in, capability...)
			}
			r.refused(apierr.PolicyRefused, "POST", "/v1/wallet/send", send(1), capability...)
			o.mu.Lock()
			o.lie, o.deny = false, true
			o.mu.Unlock()
			r.refused(apierr.PolicyRefused, "POST", "/v1/wallet/send", send(1), capability...)
			server.Close()
			r.refused(apierr.Unavailable, "POST", "/v1/wallet/send", send(1), capability...)
			if r.chain.balance(bob) != market.Coins(1) {
				t.Errorf("bob has %s", r.chain.balance(bob))
			}
			r.refused(apierr.Invalid, "POST", "/v1/wallet/Main/export", walletapi.ExportRequest{Proof: proof, What: walletapi.ExportPrivateKey})
		})
	}
}
