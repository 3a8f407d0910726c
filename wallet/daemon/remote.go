package daemon

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"net/http"
	"strings"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/core/types"

	"github.com/aitbc/aitbc/apierr"
	"github.com/aitbc/aitbc/httpx"
	"github.com/aitbc/aitbc/wallet/typeddata"
	"github.com/aitbc/aitbc/wallet/vault"
)

// askWithin is how long a person may take to confirm at another program.
const askWithin = 2 * time.Minute

// remote signs with another program that speaks JSON-RPC, by clef's names
// (account_sign…) or, where those are unknown, Web3Signer's (eth_sign…). What
// comes back is checked like any signature: the program cannot sign something
// else unnoticed.
type remote struct{ http *httpx.Client }

func newRemote(url string) (*remote, error) {
	h, err := httpx.NewClient(url)
	if err != nil {
		return nil, err
	}
	return &remote{h}, nil
}

const methodNotFound = -32601

type remoteError struct {
	Code    int    `json:"code"`
	Message string `json:"message"`
}

func (e *remoteError) Error() string { return fmt.Sprintf("%s (code %d)", e.Message, e.Code) }

func (r *remote) call(ctx context.Context, method string, params ...any) (json.RawMessage, error) {
	defer r.http.Close()
	var out struct {
		Result json.RawMessage `json:"result"`
		Error  *remoteError    `json:"error"`
	}
	in := map[string]any{"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
	if _, err := r.http.Do(ctx, httpx.Request{Method: http.MethodPost, JSON: in, Timeout: askWithin}, &out); err != nil {
		return nil, apierr.Wrap(err, apierr.Unavailable, "the program that signs for this wallet does not answer")
	}
	if out.Error != nil {
		return nil, out.Error
	}
	return out.Result, nil
}

// either calls clef's method, else Web3Signer's.
func (r *remote) either(ctx context.Context, clef string, clefParams []any, web3 string, web3Params []any) (json.RawMessage, error) {
	out, err := r.call(ctx, clef, clefParams...)
	if e, ok := errors.AsType[*remoteError](err); ok && (e.Code == methodNotFound || strings.Contains(e.Message, "not exist")) {
		out, err = r.call(ctx, web3, web3Params...)
	}
	if e, ok := errors.AsType[*remoteError](err); ok {
		return nil, apierr.Wrap(e, apierr.PolicyRefused, "the program that signs for this wallet refused: "+typeddata.Printable(e.Message))
	}
	return out, err
}

// SignTransaction implements [Signer].
func (r *remote) SignTransaction(ctx context.Context, a vault.Account, tx *types.Transaction, chainID *big.Int) ([]byte, error) {
	args := map[string]any{
		"from": a.Address, "nonce": hexutil.Uint64(tx.Nonce()), "gas": hexutil.Uint64(tx.Gas()), "value": (*hexutil.Big)(tx.Value()),
		"data": hexutil.Bytes(tx.Data()), "chainId": (*hexutil.Big)(chainID),
	}
	if tx.To() != nil {
		args["to"] = tx.To()
	}
	if tx.Type() == types.LegacyTxType {
		args["gasPrice"] = (*hexutil.Big)(tx.GasPrice())
	} else {
		args["maxFeePerGas"], args["maxPriorityFeePerGas"] = (*hexutil.Big)(tx.GasFeeCap()), (*hexutil.Big)(tx.GasTipCap())
	}
	out, err := r.either(ctx, "account_signTransaction", []any{args}, "eth_signTransaction", []any{args})
	if err != nil {
		return nil, err
	}
	var raw hexutil.Bytes
	var whole struct { // clef's; Web3Signer's answer is the bytes alone
		Raw hexutil.Bytes `json:"raw"`
	}
	if json.Unmarshal(out, &raw) != nil && json.Unmarshal(out, &whole) == nil {
		raw = whole.Raw
	}
	signed := new(types.Transaction)
	if err := signed.UnmarshalBinary(raw); err != nil {
		return nil, fmt.Errorf("sign with %s: the signer's transaction: %w", a.Address, err)
	}
	signer := types.LatestSignerForChainID(chainID)
	if signer.Hash(signed) != signer.Hash(tx) {
		return nil, fmt.Errorf("sign with %s: the signer signed another transaction", a.Address)
	}
	v, rr, s := signed.RawSignatureValues()
	if signed.Type() == types.LegacyTxType { // EIP-155
		v = new(big.Int).Sub(v, new(big.Int).Add(new(big.Int).Lsh(chainID, 1), big.NewInt(35)))
	}
	sig := make([]byte, 65)
	if rr.BitLen() > 256 || s.BitLen() > 256 || !v.IsUint64() || v.Uint64() > 1 {
		return nil, fmt.Errorf("sign with %s: the signer returned no signature", a.Address)
	}
	rr.FillBytes(sig[:32])
	s.FillBytes(sig[32:64])
	sig[64] = byte(v.Uint64()) //nolint:gosec // 0 or 1
	return sig, nil
}

// SignTypedData implements [Signer].
func (r *remote) SignTypedData(ctx context.Context, a vault.Account, raw json.RawMessage, _ *typeddata.Data) ([]byte, error) {
	out, err := r.either(ctx, "account_signTypedData", []any{a.Address, raw}, "eth_signTypedData", []any{a.Address, raw})
	if err != nil {
		return nil, err
	}
	return plainSignature(out, a.Address)
}

// SignMessage implements [Signer].
func (r *remote) SignMessage(ctx context.Context, a vault.Account, message []byte) ([]byte, error) {
	out, err := r.either(ctx, "account_signData", []any{"text/plain", a.Address, hexutil.Bytes(message)}, "eth_sign", []any{a.Address, hexutil.Bytes(message)})
	if err != nil {
		return nil, err
	}
	return plainSignature(out, a.Address)
}

// plainSignature reads 65 bytes whose last is 0, 1, 27 or 28.
func plainSignature(out json.RawMessage, a common.Address) ([]byte, error) {
	var sig hexutil.Bytes
	if err := json.Unmarshal(out, &sig); err != nil || len(sig) != 65 {
		return nil, fmt.Errorf("sign with %s: the signer returned no signature", a)
	}
	if sig[64] >= 27 {
		sig[64] -= 27
	}
	return sig, nil
}
