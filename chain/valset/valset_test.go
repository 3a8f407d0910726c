package valset_test

import (
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/stretchr/testify/require"

	"github.com/aitbc/aitbc/chain/valset"
)

func validator(t *testing.T, seed byte, power uint64) valset.Validator {
	t.Helper()
	key, err := crypto.ToECDSA(crypto.Keccak256([]byte{seed}))
	require.NoError(t, err)
	v, err := valset.FromCompressed(crypto.CompressPubkey(&key.PublicKey), power)
	require.NoError(t, err)
	require.Equal(t, crypto.PubkeyToAddress(key.PublicKey), v.Address())
	require.Equal(t, crypto.CompressPubkey(&key.PublicKey), v.Compressed())
	return v
}

type store map[common.Hash]common.Hash

func (s store) GetState(a common.Address, k common.Hash) common.Hash {
	if a != valset.Account {
		panic("another account")
	}
	return s[k]
}

func (s store) SetState(_ common.Address, k, v common.Hash) common.Hash {
	old := s[k]
	s[k] = v
	return old
}

func TestDiffTurnsOneSetIntoTheOther(t *testing.T) {
	a, b, c := validator(t, 1, 10), validator(t, 2, 20), validator(t, 3, 30)
	more := b
	more.Power = 25
	gone := a
	gone.Power = 0
	require.ElementsMatch(t, []valset.Validator{gone, more, c}, valset.Diff([]valset.Validator{a, b}, []valset.Validator{more, c}))
	require.Empty(t, valset.Diff([]valset.Validator{a, b}, []valset.Validator{b, a}), "the order is no difference")
	once, again := valset.Diff([]valset.Validator{a, b}, []valset.Validator{c}), valset.Diff([]valset.Validator{b, a}, []valset.Validator{c})
	require.Equal(t, once, again, "all nodes tell the same in the same order")
}

func TestASetIsReadAsItWasWritten(t *testing.T) {
	s := store{}
	three := []valset.Validator{validator(t, 1, 1), validator(t, 2, 2), validator(t, 3, valset.MaxPower)}
	valset.Write(s, three)
	require.Equal(t, three, valset.Read(s))
	valset.Write(s, three[1:2])
	require.Equal(t, three[1:2], valset.Read(s))
	for k, v := range s {
		if v != (common.Hash{}) {
			require.Less(t, k.Big().Uint64(), uint64(4), "slot %v is left over", k)
		}
	}
	require.Len(t, valset.Storage(three), 10)
}

func TestSetsThatCometBFTCannotTakeAreRefused(t *testing.T) {
	good := validator(t, 1, 10)
	idle, strong, forged := good, good, good
	idle.Power, strong.Power = 0, valset.MaxPower+1
	forged.Y[31] ^= 1
	for name, set := range map[string][]valset.Validator{
		"empty": {}, "no power": {idle}, "too much power": {strong}, "twice": {good, good}, "no point": {forged}, "long": make([]valset.Validator, 201),
	} {
		require.ErrorIs(t, valset.Check(set), valset.ErrSet, name)
	}
	require.NoError(t, valset.Check([]valset.Validator{good, validator(t, 2, 1)}))
}
