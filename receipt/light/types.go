// Package light checks, without a node and without CometBFT's code, that a
// block header was signed by validators whom the caller trusts.
//
// It knows CometBFT v0.40 headers and commits with secp256k1eth keys, as
// chain/docs/LIGHT.md writes them down; the vectors there are its tests.
package light

import (
	"bytes"
	"fmt"
)

// Timestamp is a time as protobuf writes it.
type Timestamp struct {
	Seconds int64
	Nanos   uint32
}

func (t Timestamp) encode() []byte {
	return enc(nil).varint(1, uint64(t.Seconds)).varint(2, uint64(t.Nanos))
}

// BlockID names a block by its header and its parts.
type BlockID struct {
	Hash      []byte
	PartTotal uint64
	PartHash  []byte
}

func (b BlockID) encode() []byte {
	parts := enc(nil).varint(1, b.PartTotal).bytes(2, b.PartHash)
	return enc(nil).bytes(1, b.Hash).message(2, parts)
}

// Header is a CometBFT block header.
type Header struct {
	Block, App         uint64
	ChainID            string
	Height             uint64
	Time               Timestamp
	LastBlockID        BlockID
	LastCommitHash     []byte
	DataHash           []byte
	ValidatorsHash     []byte
	NextValidatorsHash []byte
	ConsensusHash      []byte
	AppHash            []byte
	LastResultsHash    []byte
	EvidenceHash       []byte
	ProposerAddress    []byte
}

// Vote is one validator's part of a commit.
type Vote struct {
	Flag      uint64
	Address   []byte
	Time      Timestamp
	Signature []byte
}

// Flags of votes.
const (
	FlagAbsent = 1
	FlagCommit = 2
	FlagNil    = 3
)

// Commit is the votes for a block.
type Commit struct {
	Height, Round uint64
	BlockID       BlockID
	Votes         []Vote
}

// Validator is a key and its voting power.
type Validator struct {
	Key   []byte // 33 bytes, compressed
	Power uint64
}

// ParseHeader reads a protobuf header; only the canonical spelling is taken.
func ParseHeader(b []byte) (*Header, error) {
	h := new(Header)
	fs, err := fields(b)
	if err != nil {
		return nil, fmt.Errorf("header: %w", err)
	}
	hashes := map[int]*[]byte{
		6: &h.LastCommitHash, 7: &h.DataHash, 8: &h.ValidatorsHash, 9: &h.NextValidatorsHash, 10: &h.ConsensusHash,
		11: &h.AppHash, 12: &h.LastResultsHash, 13: &h.EvidenceHash, 14: &h.ProposerAddress,
	}
	for _, f := range fs {
		switch f.num {
		case 1:
			var sub []field
			if sub, err = fields(f.data); err != nil {
				return nil, fmt.Errorf("header version: %w", err)
			}
			for _, v := range sub {
				if v.num == 1 {
					h.Block = v.n
				} else {
					h.App = v.n
				}
			}
		case 2:
			h.ChainID = string(f.data)
		case 3:
			h.Height = f.n
		case 4:
			h.Time, err = parseTime(f.data)
		case 5:
			h.LastBlockID, err = parseBlockID(f.data)
		default:
			if dst := hashes[f.num]; dst != nil {
				*dst = f.data
			}
		}
		if err != nil {
			return nil, fmt.Errorf("header: %w", err)
		}
	}
	if !bytes.Equal(h.Encode(), b) {
		return nil, fmt.Errorf("header: %w: not canonical", ErrFormat)
	}
	return h, nil
}

// Encode writes the header as protobuf.
func (h *Header) Encode() []byte {
	version := enc(nil).varint(1, h.Block).varint(2, h.App)
	return enc(nil).message(1, version).bytes(2, []byte(h.ChainID)).varint(3, h.Height).message(4, h.Time.encode()).message(5, h.LastBlockID.encode()).
		bytes(6, h.LastCommitHash).bytes(7, h.DataHash).bytes(8, h.ValidatorsHash).bytes(9, h.NextValidatorsHash).bytes(10, h.ConsensusHash).
		bytes(11, h.AppHash).bytes(12, h.LastResultsHash).bytes(13, h.EvidenceHash).bytes(14, h.ProposerAddress)
}

func parseTime(b []byte) (Timestamp, error) {
	var t Timestamp
	fs, err := fields(b)
	for _, f := range fs {
		switch f.num {
		case 1:
			t.Seconds = int64(f.n)
		case 2:
			t.Nanos = uint32(f.n)
		}
	}
	return t, err
}

func parseBlockID(b []byte) (BlockID, error) {
	var id BlockID
	fs, err := fields(b)
	if err != nil {
		return id, err
	}
	for _, f := range fs {
		switch f.num {
		case 1:
			id.Hash = f.data
		case 2:
			parts, err := fields(f.data)
			if err != nil {
				return id, err
			}
			for _, p := range parts {
				switch p.num {
				case 1:
					id.PartTotal = p.n
				case 2:
					id.PartHash = p.data
				}
			}
		}
	}
	return id, nil
}

// ParseCommit reads a protobuf commit; only the canonical spelling is taken.
func ParseCommit(b []byte) (*Commit, error) {
	c := new(Commit)
	fs, err := fields(b)
	if err != nil {
		return nil, fmt.Errorf("commit: %w", err)
	}
	for _, f := range fs {
		switch f.num {
		case 1:
			c.Height = f.n
		case 2:
			c.Round = f.n
		case 3:
			c.BlockID, err = parseBlockID(f.data)
		case 4:
			var v Vote
			if v, err = parseVote(f.data); err == nil {
				c.Votes = append(c.Votes, v)
			}
		}
		if err != nil {
			return nil, fmt.Errorf("commit: %w", err)
		}
	}
	if !bytes.Equal(c.Encode(), b) {
		return nil, fmt.Errorf("commit: %w: not canonical", ErrFormat)
	}
	return c, nil
}

// Encode writes the commit as protobuf.
func (c *Commit) Encode() []byte {
	out := enc(nil).varint(1, c.Height).varint(2, c.Round).message(3, c.BlockID.encode())
	for _, v := range c.Votes {
		out = out.message(4, enc(nil).varint(1, v.Flag).bytes(2, v.Address).message(3, v.Time.encode()).bytes(4, v.Signature))
	}
	return out
}

func parseVote(b []byte) (Vote, error) {
	var v Vote
	fs, err := fields(b)
	if err != nil {
		return v, err
	}
	for _, f := range fs {
		switch f.num {
		case 1:
			v.Flag = f.n
		case 2:
			v.Address = f.data
		case 3:
			if v.Time, err = parseTime(f.data); err != nil {
				return v, err
			}
		case 4:
			v.Signature = f.data
		}
	}
	return v, nil
}

// EncodeValidators writes a set as the one protobuf spelling that proofs hold:
// addresses, keys and powers, and nothing that the set's hash does not cover.
func EncodeValidators(set []Validator) ([]byte, error) {
	var out enc
	for _, v := range set {
		a, err := v.Address()
		if err != nil {
			return nil, fmt.Errorf("validators: %w", err)
		}
		out = out.message(1, enc(nil).bytes(1, a[:]).message(2, enc(nil).bytes(keyField, v.Key)).varint(3, v.Power))
	}
	return out, nil
}

// ParseOnlyValidators is [ParseValidators] for bytes that [EncodeValidators]
// wrote: any other spelling is [ErrFormat].
func ParseOnlyValidators(b []byte) ([]Validator, error) {
	set, err := ParseValidators(b)
	if err != nil {
		return nil, err
	}
	again, err := EncodeValidators(set)
	if err != nil {
		return nil, err
	}
	if !bytes.Equal(again, b) {
		return nil, fmt.Errorf("validators: %w: more than keys and powers", ErrFormat)
	}
	return set, nil
}

// ParseValidators reads the keys and powers of a protobuf validator set. What
// else stands there proves nothing and is skipped.
func ParseValidators(b []byte) ([]Validator, error) {
	fs, err := fields(b)
	if err != nil {
		return nil, fmt.Errorf("validators: %w", err)
	}
	var out []Validator
	for _, f := range fs {
		if f.num != 1 {
			continue
		}
		sub, err := fields(f.data)
		if err != nil {
			return nil, fmt.Errorf("validators: %w", err)
		}
		var v Validator
		var address []byte
		for _, x := range sub {
			switch x.num {
			case 1:
				address = x.data
			case 2:
				key, err := fields(x.data)
				if err != nil || len(key) != 1 || key[0].num != keyField {
					return nil, fmt.Errorf("validators: %w: not a secp256k1eth key", ErrFormat)
				}
				v.Key = key[0].data
			case 3:
				v.Power = x.n
			}
		}
		a, err := v.Address()
		if err != nil {
			return nil, fmt.Errorf("validators: %w", err)
		}
		if !bytes.Equal(address, a[:]) {
			return nil, fmt.Errorf("validators: %w: address of another key", ErrFormat)
		}
		out = append(out, v)
	}
	if len(out) == 0 || len(out) > 1000 {
		return nil, fmt.Errorf("validators: %w: %d of them", ErrFormat, len(out))
	}
	return out, nil
}
