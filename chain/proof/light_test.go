package proof_test

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"flag"
	"fmt"
	"math/big"
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/cometbft/cometbft/crypto/merkle"
	"github.com/cometbft/cometbft/crypto/secp256k1eth"
	cmtproto "github.com/cometbft/cometbft/proto/tendermint/types"
	cmtversion "github.com/cometbft/cometbft/proto/tendermint/version"
	cmttypes "github.com/cometbft/cometbft/types"
	gogotypes "github.com/cosmos/gogoproto/types"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/stretchr/testify/require"

	"github.com/aitbc/aitbc/chain/proof"
)

var update = flag.Bool("update", false, "rewrite the golden files")

const lightFile = "testdata/light.json"

type stamp struct {
	Seconds int64 `json:"seconds"`
	Nanos   int64 `json:"nanos"`
}

type headerFields struct {
	VersionBlock       uint64 `json:"version_block"`
	VersionApp         uint64 `json:"version_app"`
	ChainID            string `json:"chain_id"`
	Height             string `json:"height"`
	Time               stamp  `json:"time"`
	LastBlockHash      string `json:"last_block_hash"`
	LastBlockPartTotal uint32 `json:"last_block_part_total"`
	LastBlockPartHash  string `json:"last_block_part_hash"`
	LastCommitHash     string `json:"last_commit_hash"`
	DataHash           string `json:"data_hash"`
	ValidatorsHash     string `json:"validators_hash"`
	NextValidatorsHash string `json:"next_validators_hash"`
	ConsensusHash      string `json:"consensus_hash"`
	AppHash            string `json:"app_hash"`
	LastResultsHash    string `json:"last_results_hash"`
	EvidenceHash       string `json:"evidence_hash"`
	ProposerAddress    string `json:"proposer_address"`
}

type validatorFields struct {
	Address string `json:"address"`
	PubKey  string `json:"pub_key"`
	Power   string `json:"power"`
}

type voteFields struct {
	Index     int    `json:"index"`
	Flag      int    `json:"flag"`
	Address   string `json:"address"`
	Timestamp stamp  `json:"timestamp"`
	SignBytes string `json:"sign_bytes"`
	Digest    string `json:"digest"`
	Signature string `json:"signature"`
}

type lightCase struct {
	Name            string            `json:"name"`
	Valid           bool              `json:"valid"`
	Why             string            `json:"why,omitempty"`
	ChainID         string            `json:"chain_id"`
	Header          headerFields      `json:"header"`
	HeaderLeaves    []string          `json:"header_leaves"`
	HeaderHash      string            `json:"header_hash"`
	HeaderProto     string            `json:"header_proto"`
	Validators      []validatorFields `json:"validators"`
	ValidatorLeaves []string          `json:"validator_leaves"`
	ValidatorsHash  string            `json:"validators_hash"`
	ValidatorsProto string            `json:"validators_proto"`
	CommitProto     string            `json:"commit_proto"`
	Votes           []voteFields      `json:"votes"`
	TotalPower      string            `json:"total_power"`
	SignedPower     string            `json:"signed_power"`
}

// TestLightVectors writes or compares the vectors, and has CometBFT judge each of them.
func TestLightVectors(t *testing.T) {
	built := lightCases(t)
	got, err := json.MarshalIndent(built, "", " ")
	require.NoError(t, err)
	got = append(got, '\n')
	if *update {
		require.NoError(t, os.WriteFile(lightFile, got, 0o644))
	}
	want, err := os.ReadFile(lightFile)
	require.NoError(t, err)
	require.True(t, bytes.Equal(want, got), "vectors differ from %s: run with -update and review", lightFile)
}

// lightCases builds every case and checks CometBFT's verdict on it.
func lightCases(t *testing.T) []lightCase {
	t.Helper()
	const chain = "aitbc-1099511627776"
	const other = "aitbc-1099511627777"
	all := []struct {
		name, why, claimed string
		scene              scene
	}{
		{name: "one validator, first height", scene: scene{powers: []int64{10}, height: 1}},
		{name: "one validator, later height", scene: scene{powers: []int64{10}, height: 1000}},
		{name: "whole seconds, round 2", scene: scene{powers: []int64{10}, height: 77, round: 2, whole: true}},
		{name: "four validators, one absent", scene: scene{powers: []int64{5, 7, 7, 300}, height: 1 << 33, absent: []int{3}}},
		{name: "four validators, one for nil", scene: scene{powers: []int64{10, 10, 10, 10}, height: 300, nilVote: []int{2}}},
		{name: "five validators", scene: scene{powers: []int64{1, 2, 3, 4, 5000000000}, height: 128, round: 1}},
		{
			name: "exactly two thirds", why: "signed power is not more than two thirds",
			scene: scene{powers: []int64{10, 10, 10}, height: 9, absent: []int{1}},
		},
		{
			name: "votes for nil do not count", why: "signed power is not more than two thirds",
			scene: scene{powers: []int64{10, 10, 10, 10}, height: 9, nilVote: []int{0, 3}},
		},
		{name: "another chain", why: "signed for another chain id", claimed: other, scene: scene{powers: []int64{10}, height: 5}},
		{
			name: "header changed after signing", why: "header hash is not the commit's block id",
			scene: scene{powers: []int64{10}, height: 5, mutate: func(c *proof.Commitment) { c.Header.AppHash = digest("forged", 0) }},
		},
		{
			name: "validators of its own", why: "validators hash is not the header's",
			scene: scene{powers: []int64{10}, height: 5, mutate: func(c *proof.Commitment) { c.Validators, _ = validators(99, []int64{10}) }},
		},
		{
			name: "power inflated", why: "validators hash is not the header's",
			scene: scene{powers: []int64{10, 10, 10}, height: 5, absent: []int{1, 2}, mutate: func(c *proof.Commitment) {
				c.Validators.Validators[0].VotingPower = 100
				c.Validators = cmttypes.NewValidatorSet(c.Validators.Validators)
			}},
		},
		{
			name: "malleable signature", why: "s is above half the group order",
			scene: scene{powers: []int64{10}, height: 5, mutate: func(c *proof.Commitment) { flipS(c.Commit.Signatures[0].Signature) }},
		},
		{
			name: "v of 27", why: "v is not 0 or 1",
			scene: scene{powers: []int64{10}, height: 5, mutate: func(c *proof.Commitment) { c.Commit.Signatures[0].Signature[64] += 27 }},
		},
		{
			name: "signature of another time", why: "the signature does not cover the timestamp given",
			scene: scene{powers: []int64{10}, height: 5, mutate: func(c *proof.Commitment) {
				c.Commit.Signatures[0].Timestamp = c.Commit.Signatures[0].Timestamp.Add(time.Nanosecond)
			}},
		},
		{
			name: "one signature copied to all", why: "signatures are not by the validators at their index",
			scene: scene{powers: []int64{10, 10, 10}, height: 5, mutate: func(c *proof.Commitment) {
				for i := range c.Commit.Signatures {
					c.Commit.Signatures[i] = c.Commit.Signatures[0]
				}
			}},
		},
		{
			name: "commit of another height", why: "commit and header heights differ",
			scene: scene{powers: []int64{10}, height: 5, mutate: func(c *proof.Commitment) { c.Commit.Height = 6 }},
		},
	}
	var out []lightCase
	for _, a := range all {
		c := a.scene.build(t, chain)
		claimed := chain
		if a.claimed != "" {
			claimed = a.claimed
		}
		lc := describe(t, c, chain)
		lc.Name, lc.Why, lc.Valid, lc.ChainID = a.name, a.why, a.why == "", claimed
		err := c.Verify(claimed)
		require.Equal(t, lc.Valid, err == nil, "%s: %v", a.name, err)
		out = append(out, lc)
	}
	return out
}

// scene is one situation to sign: powers by validator, who is absent, who votes for nothing.
type scene struct {
	powers          []int64
	height          int64
	round           int32
	whole           bool
	absent, nilVote []int
	mutate          func(*proof.Commitment)
}

func validators(seed int, powers []int64) (*cmttypes.ValidatorSet, map[string]secp256k1eth.PrivKey) {
	keys := map[string]secp256k1eth.PrivKey{}
	vals := make([]*cmttypes.Validator, len(powers))
	for i, p := range powers {
		k := secp256k1eth.GenPrivKeySecp256k1Eth(fmt.Appendf(nil, "light vector %d/%d", seed, i))
		vals[i] = cmttypes.NewValidator(k.PubKey(), p)
		keys[string(vals[i].Address)] = k
	}
	return cmttypes.NewValidatorSet(vals), keys
}

func digest(label string, height int64) []byte {
	return crypto.Keccak256(fmt.Appendf(nil, "%s %d", label, height))
}

func (s scene) build(t *testing.T, chain string) proof.Commitment {
	t.Helper()
	set, keys := validators(0, s.powers)
	at := time.Date(2026, 11, 22, 20, 30, 0, 123456789, time.UTC)
	if s.whole {
		at = at.Truncate(time.Second)
	}
	h := &cmttypes.Header{
		Version: cmtversion.Consensus{Block: 11, App: 1}, ChainID: chain, Height: s.height, Time: at,
		LastCommitHash: digest("last commit", s.height), DataHash: digest("data", s.height),
		ValidatorsHash: set.Hash(), NextValidatorsHash: set.Hash(), ConsensusHash: digest("consensus", 0),
		AppHash: digest("app", s.height), LastResultsHash: digest("results", s.height),
		EvidenceHash: digest("evidence", s.height), ProposerAddress: set.Proposer.Address,
	}
	if s.height > 1 {
		h.LastBlockID = cmttypes.BlockID{
			Hash:          digest("block", s.height-1),
			PartSetHeader: cmttypes.PartSetHeader{Total: 1, Hash: digest("parts", s.height-1)},
		}
	}
	id := cmttypes.BlockID{Hash: h.Hash(), PartSetHeader: cmttypes.PartSetHeader{Total: 3, Hash: digest("parts", s.height)}}
	commit := &cmttypes.Commit{Height: s.height, Round: s.round, BlockID: id}
	for i, v := range set.Validators {
		sig := cmttypes.CommitSig{
			BlockIDFlag: cmttypes.BlockIDFlagCommit, ValidatorAddress: v.Address,
			Timestamp: at.Add(time.Duration(i) * time.Millisecond),
		}
		vote := &cmtproto.Vote{Type: cmtproto.PrecommitType, Height: s.height, Round: s.round, BlockID: id.ToProto(), Timestamp: sig.Timestamp}
		for _, j := range s.nilVote {
			if i == j {
				sig.BlockIDFlag, vote.BlockID = cmttypes.BlockIDFlagNil, cmtproto.BlockID{}
			}
		}
		var err error
		sig.Signature, err = keys[string(v.Address)].Sign(cmttypes.VoteSignBytes(chain, vote))
		require.NoError(t, err)
		for _, j := range s.absent {
			if i == j {
				sig = cmttypes.NewCommitSigAbsent()
			}
		}
		commit.Signatures = append(commit.Signatures, sig)
	}
	c := proof.Commitment{Header: h, Commit: commit, Validators: set}
	if s.mutate != nil {
		s.mutate(&c)
	}
	return c
}

func describe(t *testing.T, c proof.Commitment, chain string) lightCase {
	t.Helper()
	enc, err := c.Encode()
	require.NoError(t, err)
	h := c.Header
	out := lightCase{
		Header: headerFields{
			VersionBlock: h.Version.Block, VersionApp: h.Version.App, ChainID: h.ChainID, Height: strconv.FormatInt(h.Height, 10),
			Time: stampOf(h.Time), LastBlockHash: hx(h.LastBlockID.Hash), LastBlockPartTotal: h.LastBlockID.PartSetHeader.Total,
			LastBlockPartHash: hx(h.LastBlockID.PartSetHeader.Hash), LastCommitHash: hx(h.LastCommitHash), DataHash: hx(h.DataHash),
			ValidatorsHash: hx(h.ValidatorsHash), NextValidatorsHash: hx(h.NextValidatorsHash), ConsensusHash: hx(h.ConsensusHash),
			AppHash: hx(h.AppHash), LastResultsHash: hx(h.LastResultsHash), EvidenceHash: hx(h.EvidenceHash),
			ProposerAddress: hx(h.ProposerAddress),
		},
		HeaderHash: hx(h.Hash()), HeaderProto: hx(enc.Header),
		ValidatorsHash: hx(c.Validators.Hash()), ValidatorsProto: hx(enc.Validators), CommitProto: hx(enc.Commit),
		TotalPower: strconv.FormatInt(c.Validators.TotalVotingPower(), 10),
	}
	leaves := headerLeaves(t, h)
	require.Equal(t, []byte(h.Hash()), merkle.HashFromByteSlices(leaves), "the leaves described are those that are hashed")
	for _, l := range leaves {
		out.HeaderLeaves = append(out.HeaderLeaves, hx(l))
	}
	for _, v := range c.Validators.Validators {
		out.Validators = append(out.Validators, validatorFields{hx(v.Address), hx(v.PubKey.Bytes()), strconv.FormatInt(v.VotingPower, 10)})
		out.ValidatorLeaves = append(out.ValidatorLeaves, hx(v.Bytes()))
	}
	var power int64
	for i, s := range c.Commit.Signatures {
		v := voteFields{Index: i, Flag: int(s.BlockIDFlag), Address: hx(s.ValidatorAddress), Timestamp: stampOf(s.Timestamp), Signature: hx(s.Signature)}
		if s.BlockIDFlag != cmttypes.BlockIDFlagAbsent {
			b := c.Commit.VoteSignBytes(chain, int32(i))
			v.SignBytes, v.Digest = hx(b), hx(crypto.Keccak256(b))
		}
		if s.BlockIDFlag == cmttypes.BlockIDFlagCommit && i < len(c.Validators.Validators) {
			power += c.Validators.Validators[i].VotingPower
		}
		out.Votes = append(out.Votes, v)
	}
	out.SignedPower = strconv.FormatInt(power, 10)
	return out
}

func headerLeaves(t *testing.T, h *cmttypes.Header) [][]byte {
	t.Helper()
	must := func(b []byte, err error) []byte {
		require.NoError(t, err)
		return b
	}
	text := func(s string) []byte { return must((&gogotypes.StringValue{Value: s}).Marshal()) }
	blob := func(b []byte) []byte { return must((&gogotypes.BytesValue{Value: b}).Marshal()) }
	id := h.LastBlockID.ToProto()
	return [][]byte{
		must(h.Version.Marshal()), text(h.ChainID), must((&gogotypes.Int64Value{Value: h.Height}).Marshal()),
		must(gogotypes.StdTimeMarshal(h.Time)), must(id.Marshal()),
		blob(h.LastCommitHash), blob(h.DataHash), blob(h.ValidatorsHash), blob(h.NextValidatorsHash), blob(h.ConsensusHash),
		blob(h.AppHash), blob(h.LastResultsHash), blob(h.EvidenceHash), blob(h.ProposerAddress),
	}
}

func stampOf(t time.Time) stamp { return stamp{t.Unix(), int64(t.Nanosecond())} }

func hx(b []byte) string { return "0x" + hex.EncodeToString(b) }

// flipS replaces s by its negation modulo the group order: the same signature in its second spelling.
func flipS(sig []byte) {
	s := new(big.Int).SetBytes(sig[32:64])
	s.Sub(crypto.S256().Params().N, s).FillBytes(sig[32:64])
	sig[64] ^= 1
}
