package upgrade_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/aitbc/aitbc/chain/exec"
	"github.com/aitbc/aitbc/chain/upgrade"
)

func TestAProgramWithoutThePlanStopsBeforeItsHeight(t *testing.T) {
	p := exec.Plan{Name: "v2-fees", Height: 100, Info: "https://example.org/v2"}
	require.NoError(t, upgrade.Check(exec.Plan{}, 1<<40), "no plan")
	require.NoError(t, upgrade.Check(p, 99))
	for _, h := range []uint64{100, 101, 1 << 40} {
		err := upgrade.Check(p, h)
		require.ErrorIs(t, err, upgrade.ErrNeeded)
		require.ErrorContains(t, err, "v2-fees")
		require.ErrorContains(t, err, "https://example.org/v2")
	}
	require.NotContains(t, upgrade.Known(), "v2-fees")
}
