package storetest_test

import (
	"testing"

	"github.com/aitbc/aitbc/coordinator/storetest"
)

func TestMemory(t *testing.T) {
	t.Parallel()
	storetest.Run(t, storetest.Options{}, func(testing.TB) func() storetest.Store {
		m := storetest.NewMemory()
		return func() storetest.Store { return m.Open() }
	})
}
