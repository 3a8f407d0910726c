package sqlite_test

import (
	"path/filepath"
	"testing"

	"github.com/aitbc/aitbc/coordinator/sqlite"
	"github.com/aitbc/aitbc/coordinator/storetest"
)

func TestStore(t *testing.T) {
	t.Parallel()
	storetest.Run(t, storetest.Options{}, func(t testing.TB) func() storetest.Store {
		path := filepath.Join(t.TempDir(), "c.db")
		return func() storetest.Store { return open(t, path) }
	})
}

func open(t testing.TB, path string) *sqlite.Store {
	t.Helper()
	s, err := sqlite.Open(t.Context(), sqlite.Options{Path: path})
	if err != nil {
		t.Fatal(err)
	}
	return s
}
