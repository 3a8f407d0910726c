// Package sealed hides what a job says and answers from everybody but its client
// and its miner: docs/PROTOCOL.md section 8 has the format.
//
// The content is encrypted once, under a key of its own, and that key is sealed
// to each miner that may run the job, with HPKE (RFC 9180, base mode) over
// X-Wing, which holds as long as X25519 or ML-KEM-768 does. The key of the answer
// comes from the same exchange, so that no other miner can read or make it.
package sealed

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hpke"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/crypto"
)

// Sizes in bytes.
const (
	PublicKeySize = 1216 // of X-Wing
	SeedSize      = 32   // of a private key
	encapsulation = 1120
	keySize       = 32
	overhead      = 16 // of AES-GCM's tag
	nonceSize     = 12
)

// MaxMiners is to how many miners a job may be sealed.
const MaxMiners = 3

// ErrSealed reports something that was not sealed so, or not to this key.
var ErrSealed = errors.New("it does not open")

var (
	kem  = hpke.MLKEM768X25519() // X-Wing
	kdf  = hpke.HKDFSHA256()
	aead = hpke.AES256GCM()
)

// Box is sealed content, with its key for each miner that may open it.
type Box struct {
	Content []byte `json:"content"`
	Wraps   []Wrap `json:"wraps"`
}

// Wrap is a box's key, sealed to one miner.
type Wrap struct {
	Miner common.Address `json:"miner"`
	Enc   []byte         `json:"enc"` // HPKE's encapsulated key
	Key   []byte         `json:"key"` // ciphertext
}

// Check returns nil if a box has the form of one that [Seal] makes for these
// miners. What is in it only they can say.
func (b Box) Check(miners []common.Address) error {
	if len(b.Wraps) == 0 || len(b.Wraps) > MaxMiners || len(b.Wraps) != len(miners) {
		return fmt.Errorf("a job is sealed to each of 1 to %d candidate miners", MaxMiners)
	}
	for i, w := range b.Wraps {
		if !slices.Contains(miners, w.Miner) || slices.ContainsFunc(b.Wraps[:i], func(x Wrap) bool { return x.Miner == w.Miner }) {
			return errors.New("the candidate miners are not those that the job is sealed to")
		}
		if len(w.Enc) != encapsulation || len(w.Key) != keySize+overhead {
			return fmt.Errorf("the key for %s has %d and %d bytes, want %d and %d", w.Miner, len(w.Enc), len(w.Key), encapsulation, keySize+overhead)
		}
	}
	if len(b.Content) <= overhead {
		return errors.New("the sealed content is empty")
	}
	return nil
}

// For returns the key for a miner.
func (b Box) For(miner common.Address) (Wrap, bool) {
	i := slices.IndexFunc(b.Wraps, func(w Wrap) bool { return w.Miner == miner })
	if i < 0 {
		return Wrap{}, false
	}
	return b.Wraps[i], true
}

// Fingerprint is what the Registry has of a public key.
func Fingerprint(public []byte) common.Hash { return crypto.Keccak256Hash(public) }

// Recipient is a miner with its public key.
type Recipient struct {
	Miner  common.Address
	Public []byte
}

// info binds a key to one job and one miner.
func info(job common.Hash, miner common.Address) []byte {
	return slices.Concat([]byte("aitbc/job-request"), job[:], miner[:])
}

const response = "aitbc/job-response"

// gcm is AES-256-GCM under a key of 32 bytes.
func gcm(key []byte) cipher.AEAD {
	block, err := aes.NewCipher(key)
	if err != nil {
		panic("sealed: " + err.Error()) // the key has 32 bytes
	}
	g, err := cipher.NewGCM(block)
	if err != nil {
		panic("sealed: " + err.Error())
	}
	return g
}

// Seal seals what an order commits to, to some miners. It returns how each one's
// answer is to be read.
func Seal(job common.Hash, content []byte, to []Recipient) (Box, map[common.Address]*Answer, error) {
	key := make([]byte, keySize)
	_, _ = rand.Read(key)
	b := Box{Content: gcm(key).Seal(nil, make([]byte, nonceSize), content, job[:])} // the key is used once
	answers := map[common.Address]*Answer{}
	for _, r := range to {
		public, err := kem.NewPublicKey(r.Public)
		if err != nil {
			return Box{}, nil, fmt.Errorf("sealing key of %s: %w", r.Miner, err)
		}
		enc, s, err := hpke.NewSender(public, kdf, aead, info(job, r.Miner))
		if err != nil {
			return Box{}, nil, fmt.Errorf("seal to %s: %w", r.Miner, err)
		}
		w := Wrap{Miner: r.Miner, Enc: enc}
		if w.Key, err = s.Seal(nil, key); err != nil {
			return Box{}, nil, fmt.Errorf("seal to %s: %w", r.Miner, err)
		}
		if answers[r.Miner], err = answer(job, s.Export); err != nil {
			return Box{}, nil, fmt.Errorf("seal to %s: %w", r.Miner, err)
		}
		b.Wraps = append(b.Wraps, w)
	}
	return b, answers, nil
}

// Key is a miner's private key.
type Key struct{ private hpke.PrivateKey }

// NewKey returns the key that grows from a seed of [SeedSize] random bytes.
func NewKey(seed []byte) (*Key, error) {
	private, err := kem.NewPrivateKey(seed)
	if err != nil {
		return nil, fmt.Errorf("sealing key: %w", err)
	}
	return &Key{private}, nil
}

// Public returns the public key.
func (k *Key) Public() []byte { return k.private.PublicKey().Bytes() }

// Open opens content that was sealed to this miner, and returns how its answer
// is to be sealed. The error is [ErrSealed].
func (k *Key) Open(job common.Hash, content []byte, w Wrap) ([]byte, *Answer, error) {
	r, err := hpke.NewRecipient(w.Enc, k.private, kdf, aead, info(job, w.Miner))
	if err != nil {
		return nil, nil, fmt.Errorf("%w: %w", ErrSealed, err)
	}
	key, err := r.Open(nil, w.Key)
	if err != nil || len(key) != keySize {
		return nil, nil, fmt.Errorf("%w: its key is for somebody else", ErrSealed)
	}
	plain, err := gcm(key).Open(nil, make([]byte, nonceSize), content, job[:])
	if err != nil {
		return nil, nil, fmt.Errorf("%w: its content was changed", ErrSealed)
	}
	a, err := answer(job, r.Export)
	return plain, a, err
}

// Answer seals and opens the pieces of one miner's answer to one job.
type Answer struct {
	job    common.Hash
	secret []byte
	key    cipher.AEAD
}

func answer(job common.Hash, export func(string, int) ([]byte, error)) (*Answer, error) {
	key, err := export(response, keySize)
	if err != nil {
		return nil, fmt.Errorf("key of the answer: %w", err)
	}
	return AnswerOf(job, key)
}

// Key returns the secret that [AnswerOf] makes the answer of again. Keep it private.
func (a *Answer) Key() []byte { return slices.Clone(a.secret) }

// AnswerOf returns the answer to a job whose secret was kept.
func AnswerOf(job common.Hash, key []byte) (*Answer, error) {
	if len(key) != keySize {
		return nil, fmt.Errorf("key of the answer: %d bytes, want %d", len(key), keySize)
	}
	return &Answer{job, slices.Clone(key), gcm(key)}, nil
}

// place binds a piece to its job and its index.
func (a *Answer) place(index uint64) []byte {
	return binary.BigEndian.AppendUint64(slices.Concat([]byte("aitbc/piece"), a.job[:]), index)
}

// Seal seals a piece. A job that runs again has other pieces under the same key:
// each has a random nonce, which stands before it.
func (a *Answer) Seal(index uint64, piece []byte) []byte {
	nonce := make([]byte, nonceSize, nonceSize+len(piece)+overhead)
	_, _ = rand.Read(nonce)
	return a.key.Seal(nonce, nonce, piece, a.place(index))
}

// Open opens a piece. The error is [ErrSealed].
func (a *Answer) Open(index uint64, piece []byte) ([]byte, error) {
	if len(piece) < nonceSize {
		return nil, ErrSealed
	}
	plain, err := a.key.Open(nil, piece[:nonceSize], piece[nonceSize:], a.place(index))
	if err != nil {
		return nil, ErrSealed
	}
	return plain, nil
}
