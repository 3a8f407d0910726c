package receipt

import (
	"errors"
	"fmt"
	"slices"

	"github.com/ethereum/go-ethereum/common"

	"github.com/aitbc/aitbc/market"
)

// Trust is what a verifier takes for given: a chain, and the validators that
// signed its block at a height. It comes from a genesis or a file, never from
// the bundle.
type Trust struct {
	ChainID        uint64         `json:"chain_id,string"`
	CometID        string         `json:"comet_chain_id"`
	Height         uint64         `json:"height"` // the set is that of this height
	ValidatorsHash common.Hash    `json:"validators_hash"`
	Registry       common.Address `json:"registry"`
	Market         common.Address `json:"market"`
}

// A Check is one thing that was verified, or the one that failed.
type Check struct {
	Name   string `json:"name"`
	OK     bool   `json:"ok"`
	Detail string `json:"detail"`
}

// Report lists the checks in the order in which they were made.
type Report struct {
	Checks  []Check `json:"checks"`
	Claimed bool    `json:"claimed"` // the model is claimed, not shown
	Block   uint64  `json:"block"`
	Bundle  *Bundle `json:"-"`
}

// VerifyError names the check that failed.
type VerifyError struct {
	Check string
	cause error
}

func (e *VerifyError) Error() string { return e.Check + ": " + e.cause.Error() }

// Unwrap returns the cause.
func (e *VerifyError) Unwrap() error { return e.cause }

// Names of the checks, in their order.
const (
	CheckFormat    = "format"
	CheckChain     = "chain"
	CheckOrder     = "order signature"
	CheckMiner     = "miner signature"
	CheckCounter   = "countersignature"
	CheckTerms     = "terms"
	CheckPrice     = "price"
	CheckInclusion = "inclusion"
	CheckLog       = "log"
	CheckHeader    = "header"
	CheckCommit    = "commit"
	CheckTrust     = "trust"
	CheckKeys      = "keys"
)

// VerifyBundle checks a bundle's JSON against what the caller trusts, without a
// network. The report lists what was checked; the error, a *[VerifyError], names
// the first check that failed. A receipt that is not settled yet fails at
// [CheckInclusion].
func VerifyBundle(raw []byte, trust Trust) (*Report, error) {
	v := &verifier{trust: trust, report: &Report{}}
	return v.run(append(v.signed(raw), []step{
		{CheckInclusion, v.inclusion},
		{CheckLog, v.log},
		{CheckHeader, v.header},
		{CheckCommit, v.commit},
		{CheckTrust, v.trusted},
		{CheckKeys, v.keys},
	}...))
}

// Signers are the keys that signed what a bundle holds. Whose they are, the
// chain says.
type Signers struct {
	Spender, Miner, Coordinator common.Address
}

// VerifySigned checks of a bundle's JSON what needs no chain: form, signatures,
// that the receipt answers the order, and the price. It is all that there is to
// check before the receipt is settled.
func VerifySigned(raw []byte, d Domain) (*Bundle, Signers, error) {
	v := &verifier{trust: Trust{ChainID: d.ChainID, Market: d.Market}, report: &Report{}}
	if _, err := v.run(v.signed(raw)); err != nil {
		return nil, Signers{}, err
	}
	return v.b, Signers{Spender: v.spender, Miner: v.minerKey, Coordinator: v.coordinatorKey}, nil
}

type step struct {
	name string
	fn   func() (string, error)
}

func (v *verifier) signed(raw []byte) []step {
	return []step{
		{CheckFormat, func() (string, error) { return v.format(raw) }},
		{CheckChain, v.chain},
		{CheckOrder, v.order},
		{CheckMiner, v.miner},
		{CheckCounter, v.counter},
		{CheckTerms, v.terms},
		{CheckPrice, v.price},
	}
}

func (v *verifier) run(steps []step) (*Report, error) {
	for _, s := range steps {
		detail, err := s.fn()
		if err != nil {
			v.report.Checks = append(v.report.Checks, Check{s.name, false, err.Error()})
			return v.report, &VerifyError{s.name, err}
		}
		v.report.Checks = append(v.report.Checks, Check{s.name, true, detail})
	}
	return v.report, nil
}

type verifier struct {
	trust  Trust
	report *Report
	b      *Bundle
	domain Domain
	jobID  common.Hash

	spender, minerKey, coordinatorKey common.Address // recovered
	main                              *block         // of the settlement
	log_                              settledLog
}

func (v *verifier) format(raw []byte) (string, error) {
	b, err := ParseBundle(raw)
	if err != nil {
		return "", err
	}
	if b.Version != BundleVersion || b.Receipt.Version != Version {
		return "", fmt.Errorf("version %d of the bundle, %d of the receipt: this program knows %d and %d", b.Version, b.Receipt.Version, BundleVersion, Version)
	}
	v.b, v.report.Bundle = b, b
	return fmt.Sprintf("%d bytes", len(raw)), nil
}

func (v *verifier) chain() (string, error) {
	if v.b.ChainID != v.trust.ChainID {
		return "", fmt.Errorf("the bundle is of chain %d, you trust %d", v.b.ChainID, v.trust.ChainID)
	}
	v.domain = Domain{ChainID: v.trust.ChainID, Market: v.trust.Market}
	v.jobID = Digest(v.domain, v.b.Order)
	if digest := Digest(v.domain, v.b.Receipt); digest != v.b.ReceiptDigest {
		return "", fmt.Errorf("receipt_digest is %s, the receipt's is %s", v.b.ReceiptDigest, digest)
	}
	if id := v.domain.ReceiptID(v.jobID); id != v.b.ReceiptID {
		return "", fmt.Errorf("receipt_id is %s, the order's is %s", v.b.ReceiptID, id)
	}
	return fmt.Sprintf("chain %d", v.trust.ChainID), nil
}

func (v *verifier) order() (_ string, err error) {
	v.spender, err = Recover(v.domain, v.b.Order, v.b.OrderSignature)
	return "by " + v.spender.Hex(), err
}

func (v *verifier) miner() (_ string, err error) {
	v.minerKey, err = Recover(v.domain, v.b.Receipt, v.b.MinerSignature)
	return "by " + v.minerKey.Hex(), err
}

func (v *verifier) counter() (_ string, err error) {
	c := Countersignature{Receipt: v.b.ReceiptDigest, Miner: v.b.Receipt.Miner, MinerTotal: v.b.MinerTotal}
	v.coordinatorKey, err = Recover(v.domain, c, v.b.Countersignature)
	return "by " + v.coordinatorKey.Hex(), err
}

// terms checks that the receipt answers the order.
func (v *verifier) terms() (string, error) {
	o, r := v.b.Order, v.b.Receipt
	switch {
	case r.Order != v.jobID:
		return "", errors.New("the receipt is for another order")
	case r.Session != o.Session:
		return "", errors.New("the receipt names another session")
	case r.Model != o.Model:
		return "", errors.New("another model ran than was ordered")
	case Class(v.b.Class) != r.Class:
		return "", errors.New("the class descriptor is not the receipt's")
	case o.Class != (common.Hash{}) && o.Class != r.Class:
		return "", errors.New("another class ran than was ordered")
	case Miners(v.b.Candidates) != o.Miners:
		return "", errors.New("the candidates are not the order's")
	case len(v.b.Candidates) > 0 && !slices.Contains(v.b.Candidates, r.Miner):
		return "", errors.New("the miner is none of the candidates")
	case r.FinishedAt < r.StartedAt:
		return "", errors.New("it ended before it began")
	case r.FinishedAt/1000 > o.Deadline:
		return "", errors.New("it ended after the order's deadline")
	}
	v.report.Claimed = isClaimed(v.b.Class)
	if v.report.Claimed {
		return "model claimed, not shown", nil
	}
	return "model " + r.Model.Hex(), nil
}

func isClaimed(class string) bool {
	const p = "claimed"
	return len(class) >= len(p) && class[:len(p)] == p
}

func (v *verifier) price() (string, error) {
	r := v.b.Receipt
	want, err := market.Price(r.Rates(), r.Usage())
	if err != nil || want.Cmp(v.b.Order.MaxPrice) > 0 {
		want = v.b.Order.MaxPrice
	}
	if r.Price != want {
		return "", fmt.Errorf("price is %s, %d and %d tokens, %d ms and %d items at the receipt's rates cost %s", r.Price, r.PromptTokens, r.CompletionTokens, r.ComputeMillis, r.Items, want)
	}
	return r.Price.Coins(), nil
}
