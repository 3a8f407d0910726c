package evm_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/aitbc/aitbc/chain/evm"
	"github.com/aitbc/aitbc/chain/internal/chaintest"
)

// An archive that was old when it was opened, and is not any more, is as one that go-ethereum opened in the wrong order.
func TestAnArchiveIsOpenedUntilItIndexes(t *testing.T) {
	spec := chaintest.Spec(chaintest.Counter, 100_000)
	spec.Time = time.Now().Add(-7 * time.Hour).Truncate(time.Second).UTC()
	n := chaintest.Open(t, spec, doors)
	require.False(t, n.Chain.Indexed())
	n.At(uint64(time.Now().Unix())).Block(n.Send(0, &bob, 1, nil))
	require.False(t, n.Chain.Indexed())

	opened := 0
	c, err := evm.Again(func() (*evm.Chain, error) {
		var err error
		if opened++; opened > 1 {
			n.Chain, err = evm.Open(evm.Config{Dir: n.Dir, Genesis: n.State.EVM, Archive: true, FlushEvery: 4})
		}
		return n.Chain, err
	})
	require.NoError(t, err)
	require.True(t, c.Indexed())
	require.Equal(t, 2, opened)
}
