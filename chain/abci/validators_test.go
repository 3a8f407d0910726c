package abci_test

import (
	"encoding/binary"
	"encoding/json"
	"log/slog"
	"math/big"
	"testing"
	"time"

	abcitypes "github.com/cometbft/cometbft/abci/types"
	cmtcrypto "github.com/cometbft/cometbft/proto/tendermint/crypto"
	"github.com/ethereum/go-ethereum/accounts/abi"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/stretchr/testify/require"

	"github.com/aitbc/aitbc/chain/abci"
	"github.com/aitbc/aitbc/chain/exec"
	"github.com/aitbc/aitbc/chain/genesis"
	"github.com/aitbc/aitbc/chain/internal/chaintest"
	"github.com/aitbc/aitbc/chain/upgrade"
	"github.com/aitbc/aitbc/chain/valset"
)

// answering is a contract that answers every call with the same bytes.
//
//	PUSH2 len DUP1 PUSH1 12 PUSH1 0 CODECOPY PUSH1 0 RETURN answer…
func answering(answer []byte) []byte { return chaintest.Creation(answer) }

func validator(t *testing.T, i int, power uint64) valset.Validator {
	t.Helper()
	v, err := valset.FromCompressed(crypto.CompressPubkey(&chaintest.Key(i).PublicKey), power)
	require.NoError(t, err)
	return v
}

func key(v valset.Validator) *cmtcrypto.PublicKey_Secp256K1Eth {
	return &cmtcrypto.PublicKey_Secp256K1Eth{Secp256K1Eth: v.Compressed()}
}

func rawState(t *testing.T, n *node) []byte {
	t.Helper()
	raw, err := json.Marshal(n.State)
	require.NoError(t, err)
	return raw
}

func encodeSet(set ...valset.Validator) []byte {
	out := make([]byte, 64, 64+96*len(set))
	out[31] = 32
	binary.BigEndian.PutUint64(out[56:], uint64(len(set)))
	for _, v := range set {
		out = append(append(out, v.X[:]...), v.Y[:]...)
		out = append(out, make([]byte, 24)...)
		out = binary.BigEndian.AppendUint64(out, v.Power)
	}
	return out
}

// staking is a chain whose system call of a kind answers with fixed bytes.
func staking(t *testing.T, kind exec.Kind, issueCap int64, answer []byte, first ...valset.Validator) *node {
	t.Helper()
	spec := chaintest.Spec(answering(answer), 1_000_000)
	spec.EndBlock[0].Kind, spec.EndBlock[0].Data = kind, nil
	spec.EndBlock[0].Cap = (*hexutil.Big)(big.NewInt(issueCap))
	spec.Set = func(genesis.View) ([]valset.Validator, error) { return first, nil }
	return on(t, spec)
}

func on(t *testing.T, spec genesis.Spec) *node {
	t.Helper()
	n := &node{Net: chaintest.Open(t, spec), now: chaintest.Begin}
	var err error
	n.app, err = n.application()
	require.NoError(t, err)
	return n
}

func (n *node) application() (*abci.App, error) {
	return abci.New(abci.Config{
		Chain: n.Chain, Genesis: n.State, Log: slog.New(slog.DiscardHandler), BuildTime: time.Minute,
		Committed: func(r *exec.Result) { n.blocks = append(n.blocks, r) },
	})
}

func TestANewSetIsToldOnceAsTheDifference(t *testing.T) {
	a, b, c := validator(t, 0, 10), validator(t, 1, 10), validator(t, 2, 7)
	n := staking(t, exec.Validators, 0, encodeSet(b, c), a, b)
	require.ElementsMatch(t, []valset.Validator{a, b}, n.State.Set())
	res := n.decide(t, nil)
	got := map[string]int64{}
	for _, u := range res.ValidatorUpdates {
		got[string(u.PubKey.GetSecp256K1Eth())] = u.Power
	}
	require.Equal(t, map[string]int64{string(a.Compressed()): 0, string(c.Compressed()): 7}, got)
	require.Empty(t, n.decide(t, nil).ValidatorUpdates, "the same set again is no change")
	require.Zero(t, n.app.FailedCalls())
}

func TestASetThatCannotBeLeavesTheOldOne(t *testing.T) {
	a, b := validator(t, 0, 10), validator(t, 1, 10)
	weak, forged := b, b
	weak.Power, forged.Y[3] = 0, forged.Y[3]^1
	for name, answer := range map[string][]byte{
		"no power": encodeSet(weak), "no point": encodeSet(a, forged), "twice": encodeSet(a, a), "garbage": {1, 2, 3},
		"cut off": encodeSet(a, b)[:150], "endless": append(encodeSet(a)[:32], hexutil.MustDecode("0xffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff")...),
		"far away": hexutil.MustDecode("0xffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffe0"),
		"too long": make([]byte, 20_000),
	} {
		n := staking(t, exec.Validators, 0, answer, a)
		res := n.decide(t, nil)
		require.Empty(t, res.ValidatorUpdates, name)
		require.Equal(t, uint64(1), n.app.FailedCalls(), name)
		require.Equal(t, abci.EventSystemCall, res.Events[0].Type, name)
	}
	for name, answer := range map[string][]byte{"no change": encodeSet(), "nothing": {}} {
		n := staking(t, exec.Validators, 0, answer, a)
		require.Empty(t, n.decide(t, nil).ValidatorUpdates, name)
		require.Zero(t, n.app.FailedCalls(), name)
	}
}

func TestGenesisFileAndStateHaveTheSameValidators(t *testing.T) {
	a, b := validator(t, 0, 10), validator(t, 1, 10)
	n := staking(t, exec.Validators, 0, encodeSet(), a)
	raw := rawState(t, n)
	told := func(list ...valset.Validator) *abcitypes.RequestInitChain {
		r := &abcitypes.RequestInitChain{ChainId: n.State.CometID(), AppStateBytes: raw}
		for _, v := range list {
			u := abcitypes.ValidatorUpdate{Power: int64(v.Power)}
			u.PubKey.Sum = key(v)
			r.Validators = append(r.Validators, u)
		}
		return r
	}
	_, err := n.app.InitChain(ctx, told(a))
	require.NoError(t, err)
	_, err = n.app.InitChain(ctx, told(a, b))
	require.ErrorContains(t, err, "is not the genesis file's")
	_, err = n.app.InitChain(ctx, told())
	require.ErrorContains(t, err, "is not the genesis file's")
}

func TestIssuedCoinsAreCountedAndCapped(t *testing.T) {
	wei := common.BigToHash(big.NewInt(1000))
	for _, c := range []struct {
		name   string
		limit  int64
		issued int64
	}{{"within", 1000, 1000}, {"above", 999, 999}, {"nothing allowed", 0, 0}} {
		n := staking(t, exec.Issuance, c.limit, wei[:], validator(t, 0, 1))
		n.decide(t, nil)
		n.decide(t, nil)
		require.Equal(t, big.NewInt(c.issued), n.blocks[1].Issued, c.name)
		st, err := n.Chain.StateAt(n.Chain.Head())
		require.NoError(t, err)
		require.Equal(t, 2*c.issued, st.GetBalance(chaintest.Ender).ToBig().Int64(), c.name)
		moved, err := n.Chain.Supply(n.Chain.Head().Hash())
		require.NoError(t, err)
		require.Equal(t, 2*c.issued, moved.Issued.Int64(), c.name)
		require.Zero(t, n.app.FailedCalls(), c.name)
	}
}

// payee answers issuance() with 1000 and reverts when it is called with coins.
//
//	CALLVALUE PUSH1 11 JUMPI PUSH2 1000 PUSH0 MSTORE … ; see the bytes
var payee = common.FromHex("34600d576103e85f5260205ff35b5f5ffd")

func TestCoinsThatNobodyTakesAreNotMade(t *testing.T) {
	spec := chaintest.Spec(payee, 1_000_000)
	spec.EndBlock[0].Kind, spec.EndBlock[0].Data = exec.Issuance, nil
	spec.EndBlock[0].Cap = (*hexutil.Big)(big.NewInt(1000))
	n := on(t, spec)
	n.decide(t, nil)
	require.Equal(t, uint64(1), n.app.FailedCalls())
	require.Zero(t, n.blocks[0].Issued.Sign())
	st, err := n.Chain.StateAt(n.Chain.Head())
	require.NoError(t, err)
	require.True(t, st.GetBalance(chaintest.Ender).IsZero())
}

func TestTheProgramStopsAtAPlanItDoesNotKnow(t *testing.T) {
	text, err := abi.NewType("string", "", nil)
	require.NoError(t, err)
	number, err := abi.NewType("uint64", "", nil)
	require.NoError(t, err)
	answer, err := abi.Arguments{{Type: text}, {Type: number}, {Type: text}}.Pack("v2", uint64(3), "https://example.org")
	require.NoError(t, err)
	spec := chaintest.Spec(answering(answer), 1_000_000)
	spec.Upgrades = &chaintest.Ender
	n := on(t, spec)
	n.decide(t, nil)
	select {
	case <-n.app.Needed():
		t.Fatal("block 2 still belongs to this program")
	default:
	}
	n.decide(t, nil)
	<-n.app.Needed()
	require.ErrorIs(t, n.app.Halt(), upgrade.ErrNeeded)
	n.app.Stop()
	require.False(t, n.process(t, nil), "block 3 is not for this program")
	_, err = n.app.PrepareProposal(ctx, n.request())
	require.ErrorIs(t, err, upgrade.ErrNeeded)
	_, err = n.app.FinalizeBlock(ctx, &abcitypes.RequestFinalizeBlock{Height: 3, Time: n.now})
	require.ErrorIs(t, err, upgrade.ErrNeeded)
	_, err = n.application()
	require.ErrorIs(t, err, upgrade.ErrNeeded, "nor is it after a restart")
	require.Equal(t, uint64(2), n.Chain.Head().Number.Uint64())
}

func TestAContractThatDoesNotAnswerPlansNothing(t *testing.T) {
	for name, code := range map[string][]byte{"reverts": chaintest.Reverter, "burns": chaintest.Burner, "garbage": answering([]byte{1, 2, 3}), "long": answering(make([]byte, 20_000))} {
		spec := chaintest.Spec(code, 1_000_000)
		spec.Upgrades = &chaintest.Ender
		n := on(t, spec)
		n.decide(t, nil)
		require.NoError(t, n.app.Halt(), name)
	}
}
