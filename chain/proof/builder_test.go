package proof_test

import (
	"bytes"
	"context"
	"errors"
	"testing"
	"time"

	"github.com/aitbc/aitbc/receipt/light"
	"github.com/cometbft/cometbft/crypto/secp256k1eth"
	cmtproto "github.com/cometbft/cometbft/proto/tendermint/types"
	cmttypes "github.com/cometbft/cometbft/types"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/ethdb/memorydb"
	"github.com/ethereum/go-ethereum/rlp"
	"github.com/ethereum/go-ethereum/trie"
	"github.com/stretchr/testify/require"

	"github.com/aitbc/aitbc/chain/evm"
	"github.com/aitbc/aitbc/chain/internal/chaintest"
	"github.com/aitbc/aitbc/chain/proof"
)

// decided is a consensus of one validator that signs whatever the chain has, up to a height. The set changes at one.
type decided struct {
	t        *testing.T
	chain    *evm.Chain
	upTo     int64
	changeAt int64
	drift    bool
}

func (d *decided) Height() int64 { return d.upTo }

// set are those who sign a height: others after changeAt, or, if drift is set, the same four with a little more power
// for one of them after each height.
func (d *decided) set(height int64) (*cmttypes.ValidatorSet, map[string]secp256k1eth.PrivKey) {
	switch {
	case d.drift:
		powers := []int64{1000, 1000, 1000, 1000}
		powers[height%4] += height
		return validators(3, powers)
	case d.changeAt != 0 && height > d.changeAt:
		return validators(2, []int64{10})
	default:
		return validators(1, []int64{10})
	}
}

func (d *decided) Changes(height int64) (bool, error) { return d.drift || height == d.changeAt, nil }

func (d *decided) Commitment(height int64) (proof.Commitment, error) {
	if height > d.upTo {
		return proof.Commitment{}, errors.New("not decided")
	}
	set, keys := d.set(height)
	var powers []int64
	for _, v := range set.Validators {
		powers = append(powers, v.VotingPower)
	}
	c := scene{powers: powers, height: height, mutate: func(c *proof.Commitment) {
		c.Validators = set
		next, _ := d.set(height + 1)
		if h := d.chain.BlockChain().GetHeaderByNumber(uint64(height - 1)); h != nil {
			c.Header.AppHash = h.Hash().Bytes()
		}
		c.Header.ValidatorsHash, c.Header.NextValidatorsHash = c.Validators.Hash(), next.Hash()
		c.Header.ProposerAddress = c.Validators.Proposer.Address
		c.Commit.BlockID.Hash = c.Header.Hash()
		for i := range c.Commit.Signatures {
			sig := &c.Commit.Signatures[i]
			sig.ValidatorAddress = c.Validators.Validators[i].Address
			vote := &cmtproto.Vote{Type: cmtproto.PrecommitType, Height: height, BlockID: c.Commit.BlockID.ToProto(), Timestamp: sig.Timestamp}
			var err error
			sig.Signature, err = keys[string(sig.ValidatorAddress)].Sign(cmttypes.VoteSignBytes(chainName, vote))
			require.NoError(d.t, err)
		}
	}}.build(d.t, chainName)
	return c, nil
}

const chainName = "aitbc-2199023255552"

// decode reads the protobuf parts of an anchor as a client of CometBFT's library would.
func decode(t *testing.T, header, commit, vals []byte) proof.Commitment {
	t.Helper()
	var h cmtproto.Header
	var c cmtproto.Commit
	var v cmtproto.ValidatorSet
	require.NoError(t, h.Unmarshal(header))
	require.NoError(t, c.Unmarshal(commit))
	require.NoError(t, v.Unmarshal(vals))
	hh, err := cmttypes.HeaderFromProto(&h)
	require.NoError(t, err)
	cc, err := cmttypes.CommitFromProto(&c)
	require.NoError(t, err)
	vv, err := cmttypes.ValidatorSetFromProto(&v)
	require.NoError(t, err)
	return proof.Commitment{Header: &hh, Commit: cc, Validators: vv}
}

func verifyAnchor(t *testing.T, a *proof.Anchor) *types.Header {
	t.Helper()
	c := decode(t, a.Header, a.Commit, a.Validators)
	require.NoError(t, c.Verify(chainName))
	require.Equal(t, int64(a.Height)+1, c.Header.Height)
	require.Equal(t, crypto.Keccak256(a.EthHeader), []byte(c.Header.AppHash))
	h := new(types.Header)
	require.NoError(t, rlp.DecodeBytes(a.EthHeader, h))
	require.Equal(t, a.Height, h.Number.Uint64())
	return h
}

func verifyReceipt(t *testing.T, b *proof.Bundle, h *types.Header) *types.Receipt {
	t.Helper()
	db := memorydb.New()
	for _, node := range b.ReceiptProof {
		require.NoError(t, db.Put(crypto.Keccak256(node), node))
	}
	require.Equal(t, h.ReceiptHash.Bytes(), crypto.Keccak256(b.ReceiptProof[0]), "the root comes first")
	got, err := trie.VerifyProof(h.ReceiptHash, rlp.AppendUint64(nil, b.TxIndex), db)
	require.NoError(t, err)
	require.Equal(t, []byte(b.Receipt), got)
	r := new(types.Receipt)
	require.NoError(t, r.UnmarshalBinary(b.Receipt))
	return r
}

func TestAReceiptIsProvenFromTheValidatorsDown(t *testing.T) {
	n := chaintest.Open(t, chaintest.Spec(chaintest.Holder, 50_000))
	n.Block()
	var txs []*types.Transaction
	for i := range 8 {
		for range 20 {
			txs = append(txs, n.Send(i, &chaintest.Vault, 1, nil))
		}
	}
	n.Block(txs...)
	n.Block(n.Send(9, nil, 0, chaintest.Creation(chaintest.Counter)))
	b := proof.NewBuilder(n.Chain, &decided{t: t, chain: n.Chain, upTo: 4})
	for _, i := range []int{0, 1, 127, 128, 159} {
		bundle, err := b.Transaction(context.Background(), txs[i].Hash())
		require.NoError(t, err)
		require.Equal(t, uint64(i), bundle.TxIndex)
		require.Equal(t, uint64(2), bundle.Height)
		require.Empty(t, bundle.Links)
		r := verifyReceipt(t, bundle, verifyAnchor(t, &bundle.Anchor))
		require.Equal(t, uint64(1), r.Status)
	}
	_, err := b.Transaction(context.Background(), common.Hash{1})
	require.ErrorIs(t, err, proof.ErrNotFound)
	_, err = b.Anchor(context.Background(), 99)
	require.ErrorIs(t, err, proof.ErrNotFound)
}

func TestChangesOfValidatorsAreLinked(t *testing.T) {
	n := chaintest.Open(t, chaintest.Spec(chaintest.Holder, 50_000))
	for range 5 {
		n.Block()
	}
	b := proof.NewBuilder(n.Chain, &decided{t: t, chain: n.Chain, upTo: 6, changeAt: 3})
	early, err := b.Anchor(context.Background(), 1)
	require.NoError(t, err)
	require.Empty(t, early.Links)
	late, err := b.Anchor(context.Background(), 5)
	require.NoError(t, err)
	require.Len(t, late.Links, 1)
	link := decode(t, late.Links[0].Header, late.Links[0].Commit, late.Links[0].Validators)
	require.NoError(t, link.Verify(chainName))
	first := decode(t, early.Header, early.Commit, early.Validators)
	last := decode(t, late.Header, late.Commit, late.Validators)
	require.Equal(t, first.Validators.Hash(), link.Validators.Hash(), "the link is signed by the trusted set")
	require.True(t, bytes.Equal(link.Header.NextValidatorsHash, last.Validators.Hash()), "and names the next one")
	verifyAnchor(t, late)
}

func TestOneLinkStandsForManySmallChanges(t *testing.T) {
	n := chaintest.Open(t, chaintest.Spec(chaintest.Holder, 50_000))
	for range 12 {
		n.Block()
	}
	b := proof.NewBuilder(n.Chain, &decided{t: t, chain: n.Chain, upTo: 13, drift: true})
	a, err := b.Anchor(context.Background(), 12)
	require.NoError(t, err)
	require.Len(t, a.Links, 1, "the first set signed for the last block too")
	verifyAnchor(t, a)
	known := parse(t, a.Links[0].Header, a.Links[0].Commit, a.Links[0].Validators)
	last := parse(t, a.Header, a.Commit, a.Validators)
	require.NotEqual(t, last.header.ValidatorsHash, known.header.NextValidatorsHash)
	require.True(t, light.Carries(known.set, last.commit, last.set), "as the client that is not CometBFT's sees it")
}

// parsed is a header with its votes and validators, as our own light client reads them.
type parsed struct {
	header *light.Header
	commit *light.Commit
	set    []light.Validator
}

func parse(t *testing.T, header, commit, set []byte) (p parsed) {
	t.Helper()
	var err error
	p.header, err = light.ParseHeader(header)
	require.NoError(t, err)
	p.commit, err = light.ParseCommit(commit)
	require.NoError(t, err)
	p.set, err = light.ParseValidators(set)
	require.NoError(t, err)
	require.NoError(t, light.Verify(chainName, p.header, p.commit, p.set))
	return p
}

func TestTheHeadIsProvenWhenTheNextBlockIsDecided(t *testing.T) {
	n := chaintest.Open(t, chaintest.Spec(chaintest.Holder, 50_000))
	n.Block()
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	b := proof.NewBuilder(n.Chain, &decided{t: t, chain: n.Chain, upTo: 1})
	_, err := b.Anchor(ctx, 1)
	require.ErrorIs(t, err, context.DeadlineExceeded)
	require.ErrorContains(t, err, "not decided yet")
}
