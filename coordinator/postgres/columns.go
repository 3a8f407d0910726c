package postgres

import (
	"encoding/json"
	"fmt"
	"math/big"

	"github.com/ethereum/go-ethereum/common"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/aitbc/aitbc/coordinator/ledger"
	"github.com/aitbc/aitbc/market"
)

// amt carries an amount as NUMERIC.
type amt struct{ market.Amount }

// NumericValue implements pgtype.NumericValuer.
func (a amt) NumericValue() (pgtype.Numeric, error) {
	return pgtype.Numeric{Int: a.Big(), Valid: true}, nil
}

// ScanNumeric implements pgtype.NumericScanner.
func (a *amt) ScanNumeric(n pgtype.Numeric) error {
	if !n.Valid || n.NaN || n.InfinityModifier != pgtype.Finite || n.Exp < 0 {
		return fmt.Errorf("column holds no amount: %v", n)
	}
	// Trailing zeros come as an exponent.
	v := new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(n.Exp)), nil)
	var err error
	a.Amount, err = market.AmountFromBig(v.Mul(v, n.Int))
	return err
}

// encode returns a value as JSON.
func encode(v any) ([]byte, error) { return json.Marshal(v) }

// decode reads a value from JSON; nothing is the zero value.
func decode[T any](raw []byte) (v T, err error) {
	if len(raw) > 0 {
		err = json.Unmarshal(raw, &v)
	}
	return v, err
}

// optional returns nil for an empty value, so that the column is NULL.
func optional(b []byte) any {
	if len(b) == 0 {
		return nil
	}
	return b
}

// raw returns hashes or addresses as bytes, for = ANY.
func raw[T common.Hash | common.Address](list []T) [][]byte {
	out := make([][]byte, len(list))
	for i, v := range list {
		switch v := any(v).(type) {
		case common.Hash:
			out[i] = v[:]
		case common.Address:
			out[i] = v[:]
		}
	}
	return out
}

const sessionCols = "id, client, spender, spender_n, deposit, reserved, charged, debited, vouched, through, settled, settled_through, number, alone, expiry, due_at, fee_bps, state"

func scanSession(r pgx.CollectableRow) (ledger.Session, error) {
	var x ledger.Session
	var client, spender []byte
	var deposit, reserved, charged, debited, vouched, settled amt
	err := r.Scan(&x.ID, &client, &spender, &x.SpenderN, &deposit, &reserved, &charged, &debited, &vouched, &x.Through, &settled, &x.SettledThrough, &x.Number, &x.Alone, &x.Expiry, &x.DueAt, &x.FeeBps, &x.State)
	x.Client, x.Spender = common.BytesToAddress(client), common.BytesToAddress(spender)
	x.Account = market.SessionAccount{Deposit: deposit.Amount, Reserved: reserved.Amount, Charged: charged.Amount}
	x.Debited, x.Vouched, x.Settled = debited.Amount, vouched.Amount, settled.Amount
	return x, err
}

const minerCols = "address, signer, offers, slots, total, batched, settled, credited, completed, seen, hold"

func scanMiner(r pgx.CollectableRow) (ledger.Miner, error) {
	var m ledger.Miner
	var address, signer, offers []byte
	var total, batched, settled, credited amt
	err := r.Scan(&address, &signer, &offers, &m.Slots, &total, &batched, &settled, &credited, &m.Completed, &m.Seen, &m.Hold)
	m.Address, m.Signer, m.Offers = common.BytesToAddress(address), common.BytesToAddress(signer), offers
	m.Total, m.Batched, m.Settled, m.Credited = total.Amount, batched.Amount, settled.Amount, credited.Amount
	return m, err
}

const jobCols = `j.id, j.session, j.number, j.client, j.model, j.class, j.spec, j.request, j.idem_key, j.idem_hash, j.state, j.payment, j.max_price, j.miner, j.lease, j.attempts,
	j.price, j.fee, j.earned, j.prompt_tokens, j.completion_tokens, j.finish_reason, j.output, j.receipt, j.receipt_id, coalesce(j.batch, 0), j.cancel, j.error_code, j.error_message, j.created, j.finished, j.expires, j.owner, j.key, j.first_token, coalesce(b.block, 0), b.tx, coalesce(b.mined, 0)`

const jobFrom = " FROM jobs j LEFT JOIN batches b ON b.id = j.batch "

func scanJob(r pgx.CollectableRow) (*ledger.Job, error) {
	var j ledger.Job
	var id, client, model, class, spec, idemKey, miner, reason, output, signed, receiptID, code, message, key, tx []byte
	var maxPrice, price, fee, earned amt
	var state, payment string
	if err := r.Scan(&id, &j.Session, &j.Number, &client, &model, &class, &spec, &j.Request, &idemKey, &j.IdemHash, &state, &payment, &maxPrice, &miner, &j.Lease, &j.Attempts,
		&price, &fee, &earned, &j.Usage.PromptTokens, &j.Usage.CompletionTokens, &reason, &output, &signed, &receiptID, &j.Batch, &j.Cancel, &code, &message, &j.Created, &j.Finished, &j.Expires, &j.Owner, &key, &j.FirstToken, &j.Block, &tx, &j.SettledAt); err != nil {
		return nil, err
	}
	j.ID, j.Client, j.Miner = common.BytesToHash(id), common.BytesToAddress(client), common.BytesToAddress(miner)
	j.Model, j.Class, j.IdemKey, j.FinishReason, j.Output, j.ErrorCode, j.ErrorMessage = string(model), string(class), string(idemKey), string(reason), string(output), string(code), string(message)
	j.ReceiptID, j.Key, j.Tx = common.BytesToHash(receiptID), common.BytesToHash(key), common.BytesToHash(tx)
	j.State, j.Payment = market.JobState(state), market.PaymentState(payment)
	j.MaxPrice, j.Price, j.Fee, j.Earned = maxPrice.Amount, price.Amount, fee.Amount, earned.Amount
	var err error
	if j.Spec, err = decode[ledger.Spec](spec); err != nil {
		return nil, fmt.Errorf("job %s: spec: %w", j.ID, err)
	}
	if len(signed) > 0 {
		s, err := decode[ledger.Signed](signed)
		if err != nil {
			return nil, fmt.Errorf("job %s: receipt: %w", j.ID, err)
		}
		j.Signed = &s
	}
	return &j, nil
}

const batchCols = "id, root, payload, state, block_from, tx, block, anchor"

func scanBatch(r pgx.CollectableRow) (*ledger.Batch, error) {
	var b ledger.Batch
	var root, payload, tx, anchor []byte
	if err := r.Scan(&b.ID, &root, &payload, &b.State, &b.FromBlock, &tx, &b.Block, &anchor); err != nil {
		return nil, err
	}
	b.Root, b.Tx, b.Proof = common.BytesToHash(root), common.BytesToHash(tx), string(anchor)
	var err error
	b.Plan, err = decode[ledger.Plan](payload)
	return &b, err
}
