package daemon_test

import (
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common"

	"github.com/aitbc/aitbc/coordinator/daemon"
	"github.com/aitbc/aitbc/internal/pgtest"
)

func TestDatabaseURLs(t *testing.T) {
	t.Parallel()
	for url, good := range map[string]bool{
		"sqlite:///a/b.db": true, "sqlite:////a/b.db": true, "postgres://u:secret@h/d": true, "postgresql://h/d?sslmode=require": true,
		"": false, "sqlite://": false, "sqlite:///": false, "sqlite:///a?mode=ro": false, "mysql://u:secret@h/d": false, "/a/b.db": false,
	} {
		c := daemon.Config{Account: common.Address{1}, APIPort: 1, SettleEvery: time.Second, VoucherWait: time.Minute, AddressRate: 1, KeepContent: 25 * time.Hour, DatabaseURL: url}
		err := c.Validate()
		if (err == nil) != good {
			t.Errorf("%q: %v", url, err)
		}
		if err != nil && strings.Contains(err.Error(), "secret") {
			t.Errorf("%q: the error shows the password: %v", url, err)
		}
	}
	if s, err := daemon.OpenStore(t.Context(), "postgres://u:secret@127.0.0.1:1/d?connect_timeout=1"); err == nil || strings.Contains(err.Error(), "secret") {
		t.Errorf("%v, %v", s, err)
	}
}

func TestOpenStore(t *testing.T) {
	t.Parallel()
	for name, url := range map[string]string{
		"sqlite":   "sqlite:///" + filepath.ToSlash(filepath.Join(t.TempDir(), "new", "c.db")),
		"postgres": pgtest.Start(t).URL(),
	} {
		s, err := daemon.OpenStore(t.Context(), url)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if err := s.PutMeta(t.Context(), "a", "b"); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if err := s.Close(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}
