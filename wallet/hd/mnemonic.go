package hd

import (
	"bytes"
	"crypto/sha256"
	"crypto/sha512"
	"errors"
	"fmt"
	"strings"
	"sync"

	"github.com/tyler-smith/go-bip39/wordlists"
	"golang.org/x/crypto/pbkdf2"
	"golang.org/x/text/unicode/norm"
)

var (
	// ErrWords reports a number of words that no phrase has.
	ErrWords = errors.New("a phrase has 12, 15, 18, 21 or 24 words")
	// ErrWord reports a word that is not in the English list.
	ErrWord = errors.New("a word of the phrase is not in the list")
	// ErrChecksum reports words that are no phrase in this order.
	ErrChecksum = errors.New("the words are not a phrase: one is wrong, or their order is")
	// ErrEntropy reports entropy of a length that no phrase has.
	ErrEntropy = errors.New("entropy has 16, 20, 24, 28 or 32 bytes")
)

var wordIndex = sync.OnceValue(func() map[string]uint16 {
	m := make(map[string]uint16, len(wordlists.English))
	for i, w := range wordlists.English {
		m[w] = uint16(i)
	}
	return m
})

func goodLength(bytes int) bool { return bytes >= 16 && bytes <= 32 && bytes%4 == 0 }

// Mnemonic returns the English phrase of entropy. It returns [ErrEntropy].
func Mnemonic(entropy []byte) ([]byte, error) {
	if !goodLength(len(entropy)) {
		return nil, ErrEntropy
	}
	sum := sha256.Sum256(entropy)
	all := append(bytes.Clone(entropy), sum[0])
	defer clear(all)
	words := len(entropy) * 3 / 4
	out := make([]byte, 0, words*9)
	for i := range words {
		if i > 0 {
			out = append(out, ' ')
		}
		out = append(out, wordlists.English[eleven(all, i)]...)
	}
	return out, nil
}

// eleven returns the i-th group of eleven bits.
func eleven(b []byte, i int) int {
	n := 0
	for bit := i * 11; bit < i*11+11; bit++ {
		n = n<<1 | int(b[bit/8]>>(7-bit%8)&1)
	}
	return n
}

// Entropy returns what a phrase encodes. Capitals and more spaces than one are
// allowed. It returns [ErrWords], [ErrWord] with the word's place, or [ErrChecksum].
func Entropy(phrase []byte) ([]byte, error) {
	fields := bytes.Fields(phrase)
	size := len(fields) * 4 / 3
	if len(fields)%3 != 0 || !goodLength(size) {
		return nil, fmt.Errorf("%w, not %d", ErrWords, len(fields))
	}
	all := make([]byte, size+1)
	defer clear(all)
	index := wordIndex()
	for i, f := range fields {
		n, ok := index[strings.ToLower(string(f))]
		if !ok {
			return nil, fmt.Errorf("%w: number %d", ErrWord, i+1)
		}
		for k := range 11 {
			if n>>(10-k)&1 == 1 {
				bit := i*11 + k
				all[bit/8] |= 1 << (7 - bit%8)
			}
		}
	}
	sum := sha256.Sum256(all[:size])
	mask := ^byte(0) << (8 - size/4)
	if all[size] != sum[0]&mask {
		return nil, ErrChecksum
	}
	return bytes.Clone(all[:size]), nil
}

// Seed returns the 64 bytes from which keys are derived: of a phrase, and of
// the passphrase that some wallets add to it. It returns the errors of [Mnemonic].
func Seed(entropy, passphrase []byte) ([]byte, error) {
	phrase, err := Mnemonic(entropy)
	if err != nil {
		return nil, err
	}
	defer clear(phrase)
	salt := append([]byte("mnemonic"), norm.NFKD.Bytes(passphrase)...)
	defer clear(salt)
	return pbkdf2.Key(phrase, salt, 2048, 64, sha512.New), nil
}
