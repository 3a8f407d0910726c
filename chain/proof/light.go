package proof

import (
	"fmt"

	cmttypes "github.com/cometbft/cometbft/types"
)

// Commitment is a CometBFT header with the votes that decided it and the validators that cast them: everything a
// light client needs to believe the header, given that it trusts the validators.
type Commitment struct {
	Header     *cmttypes.Header
	Commit     *cmttypes.Commit
	Validators *cmttypes.ValidatorSet
}

// Encoded is a Commitment as protobuf bytes; docs/LIGHT.md describes them.
type Encoded struct {
	Header     []byte
	Commit     []byte
	Validators []byte
}

// Encode turns a commitment into the bytes that travel in a proof.
func (c Commitment) Encode() (Encoded, error) {
	var e Encoded
	var err error
	if e.Header, err = c.Header.ToProto().Marshal(); err != nil {
		return Encoded{}, fmt.Errorf("encode header: %w", err)
	}
	if e.Commit, err = c.Commit.ToProto().Marshal(); err != nil {
		return Encoded{}, fmt.Errorf("encode commit: %w", err)
	}
	set, err := c.Validators.ToProto()
	if err != nil {
		return Encoded{}, fmt.Errorf("encode validators: %w", err)
	}
	if e.Validators, err = set.Marshal(); err != nil {
		return Encoded{}, fmt.Errorf("encode validators: %w", err)
	}
	return e, nil
}

// Verify checks with CometBFT's own rules that the validators decided the header on the named chain. Whether the
// validators are to be trusted is the caller's question.
func (c Commitment) Verify(chainID string) error {
	if c.Header.ChainID != chainID {
		return fmt.Errorf("header is of chain %q, not %q", c.Header.ChainID, chainID)
	}
	signed := cmttypes.SignedHeader{Header: c.Header, Commit: c.Commit}
	if err := signed.ValidateBasic(chainID); err != nil {
		return fmt.Errorf("signed header: %w", err)
	}
	if got := c.Validators.Hash(); string(got) != string(c.Header.ValidatorsHash) {
		return fmt.Errorf("validators hash %X, header has %X", got, c.Header.ValidatorsHash)
	}
	if err := c.Validators.VerifyCommitLight(chainID, c.Commit.BlockID, c.Header.Height, c.Commit); err != nil {
		return fmt.Errorf("commit: %w", err)
	}
	return nil
}
