package guard_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/aitbc/aitbc/wallet/guard"
)

func TestABufferHoldsItsSecretUntilItIsDestroyed(t *testing.T) {
	t.Parallel()
	source := []byte("a secret of some length")
	b, err := guard.NewBuffer(source)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(source, make([]byte, len(source))) {
		t.Error("the source was not wiped")
	}
	if err := b.Use(func(s []byte) error {
		if string(s) != "a secret of some length" {
			return fmt.Errorf("it holds %q", s)
		}
		return nil
	}); err != nil {
		t.Error(err)
	}
	var out bytes.Buffer
	fmt.Fprintf(&out, "%v %+v %#v %s %x", b, b, b, b, b)
	slog.New(slog.NewTextHandler(&out, nil)).Info("m", "b", b)
	if err := json.NewEncoder(&out).Encode(map[string]any{"b": b}); err != nil {
		t.Error(err)
	}
	if strings.Contains(out.String(), "secret") {
		t.Errorf("shown: %s", out.String())
	}
	boom := errors.New("boom")
	if err := b.Use(func([]byte) error { return boom }); !errors.Is(err, boom) {
		t.Errorf("Use = %v", err)
	}
	for range 2 {
		if err := b.Destroy(); err != nil {
			t.Error(err)
		}
	}
	if err := b.Use(func([]byte) error { return nil }); !errors.Is(err, guard.ErrWiped) {
		t.Errorf("after Destroy: %v", err)
	}
}

// Who destroys a buffer waits for those who use it, and nobody new begins.
func TestDestroyWaitsForUsers(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b, err := guard.NewBuffer([]byte("secret"))
		if err != nil {
			t.Fatal(err)
		}
		inside, leave, destroyed := make(chan struct{}), make(chan struct{}), make(chan error, 1)
		var wg sync.WaitGroup
		wg.Go(func() {
			if err := b.Use(func(s []byte) error {
				close(inside)
				<-leave
				if string(s) != "secret" {
					return errors.New("wiped under its user")
				}
				return nil
			}); err != nil {
				t.Error(err)
			}
		})
		<-inside
		wg.Go(func() { destroyed <- b.Destroy() })
		synctest.Wait()
		if err := b.Use(func([]byte) error { return nil }); !errors.Is(err, guard.ErrWiped) {
			t.Errorf("begun while it is destroyed: %v", err)
		}
		select {
		case err := <-destroyed:
			t.Error("destroyed under its user", err)
		default:
		}
		close(leave)
		wg.Wait()
		if err := <-destroyed; err != nil { // it holds one, or the test has failed already
			t.Error(err)
		}
	})
}
