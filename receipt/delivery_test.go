package receipt_test

import (
	"bytes"
	"errors"
	"testing"

	"github.com/ethereum/go-ethereum/common"

	"github.com/aitbc/aitbc/receipt"
)

func TestSealedOutputOpensForItsClientAndJobOnly(t *testing.T) {
	t.Parallel()
	key := [32]byte{1, 2, 3}
	to, err := receipt.SealingKey(key)
	if err != nil {
		t.Fatal(err)
	}
	job, salt, output := common.Hash{4}, receipt.Salt{5}, []byte("what came out")
	sealed, err := receipt.SealOutput(to, job, salt, output)
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(sealed, output) || bytes.Contains(sealed, salt[:]) {
		t.Error("it is not sealed")
	}
	gotSalt, got, err := receipt.OpenOutput(key, job, sealed)
	if err != nil || gotSalt != salt || !bytes.Equal(got, output) {
		t.Fatalf("opened %x, %q, %v", gotSalt, got, err)
	}
	if receipt.JobOutput(gotSalt, got) != receipt.JobOutput(salt, output) || receipt.JobOutput(salt, output) == receipt.JobOutput(receipt.Salt{}, output) {
		t.Error("the commitment is not that of salt and output")
	}
	if _, _, err := receipt.OpenOutput([32]byte{9}, job, sealed); !errors.Is(err, receipt.ErrSealed) {
		t.Errorf("another key: %v", err)
	}
	if _, _, err := receipt.OpenOutput(key, common.Hash{9}, sealed); !errors.Is(err, receipt.ErrSealed) {
		t.Errorf("another job: %v", err)
	}
	for i := range sealed {
		changed := bytes.Clone(sealed)
		changed[i] ^= 1
		// RFC 7748 has receivers ignore the top bit of a point, but HPKE binds the bytes.
		if _, _, err := receipt.OpenOutput(key, job, changed); !errors.Is(err, receipt.ErrSealed) {
			t.Errorf("byte %d changed: %v", i, err)
		}
	}
	for n := range 64 {
		if _, _, err := receipt.OpenOutput(key, job, sealed[:n]); !errors.Is(err, receipt.ErrSealed) {
			t.Errorf("%d bytes of it: %v", n, err)
		}
	}
}

func TestSealingKeyThatIsNone(t *testing.T) {
	t.Parallel()
	// The point of small order gives everybody the same secret.
	if _, err := receipt.SealOutput(common.Hash{}, common.Hash{1}, receipt.Salt{}, nil); err == nil {
		t.Error("sealed to nobody")
	}
}

// Whatever bytes come instead of a sealed output: an error, no panic, and never another output. The corpus holds one that
// opens.
func FuzzOpenOutput(f *testing.F) {
	key, job := [32]byte{1, 2, 3}, common.Hash{4}
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		salt, output, err := receipt.OpenOutput(key, job, b)
		if err == nil && (salt != receipt.Salt{5} || string(output) != "out") {
			t.Fatalf("%x opened as %x, %q", b, salt, output)
		}
		if err != nil && !errors.Is(err, receipt.ErrSealed) {
			t.Fatalf("%x: %v", b, err)
		}
	})
}
