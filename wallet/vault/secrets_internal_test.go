package vault

import (
	"bytes"
	"testing"
)

func FuzzSecrets(f *testing.F) {
	whole, err := (&Secrets{Entropy: make([]byte, 16), Passphrase: []byte("p"), Keys: [][]byte{make([]byte, 32), make([]byte, 32)}, TOTP: []byte("t")}).encode()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(whole)
	f.Add([]byte{1, 0, 0})
	f.Fuzz(func(t *testing.T, b []byte) {
		s, err := decodeSecrets(b)
		if err != nil {
			return
		}
		back, err := s.encode()
		if err != nil || !bytes.Equal(back, b) {
			t.Fatalf("%x became %x, %v", b, back, err)
		}
	})
}
