package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/crypto"

	"github.com/aitbc/aitbc/chainclient/predeploy"
	"github.com/aitbc/aitbc/market"
)

const createValidatorHelp = `The node's consensus key must say that it belongs to the account. On the node's
machine:

  aitbcd keys prove --operator ADDRESS --json > key.json

Then, where the account's key is:

  aitbc validator create --key-file key.json --stake 10000 --commission 5 --moniker NAME --from ADDRESS

The promise of --max-daily-change can never be changed. Where governance admits
validators (modes poa and hybrid) the new one waits for: aitbc gov propose authority.`

// maxKeyFile bounds what is read of a file with a public key.
const maxKeyFile = 64 << 10

func setupCreateValidator(fs *flag.FlagSet) runner {
	keyFile := fs.String("key-file", "", "`file` that aitbcd keys prove --json wrote")
	stake := amountFlag(fs, "stake", "the validator's own stake, in `AITBC`")
	commission := percentFlag(fs, "commission", "share of the rewards that it keeps, in `PERCENT` (default 5)")
	change := percentFlag(fs, "max-daily-change", "the most that the commission changes in a day, in `PERCENT` (default 1)")
	moniker := fs.String("moniker", "", "`name` for people")
	from := fromFlag(fs)
	return func(ctx context.Context, c *call) error {
		const command = "validator create"
		switch {
		case *keyFile == "":
			return usagef(command, "--key-file is missing")
		case !stake.given:
			return usagef(command, "--stake is missing")
		}
		if !commission.given {
			commission.bps = 500
		}
		if !change.given {
			change.bps = 100
		}
		return c.createValidator(ctx, *keyFile, *from, predeploy.Candidacy{
			Stake: stake.value, CommissionBps: commission.bps, MaxDailyChangeBps: change.bps, Moniker: *moniker,
		})
	}
}

// provenKey is the public half of a consensus key as aitbcd writes it.
type provenKey struct {
	Operator *common.Address `json:"operator"`
	X        common.Hash     `json:"x"`
	Y        common.Hash     `json:"y"`
	Proof    hexutil.Bytes   `json:"proof"`
}

func readKey(path string) (provenKey, error) {
	var k provenKey
	f, err := os.Open(path) //nolint:gosec // the file that the user names
	if err != nil {
		return k, fmt.Errorf("read key: %w", err)
	}
	defer f.Close() //nolint:errcheck // only read
	if err := json.NewDecoder(io.LimitReader(f, maxKeyFile)).Decode(&k); err != nil {
		return k, fmt.Errorf("read key: %s: %w", path, err)
	}
	if k.X == (common.Hash{}) || k.Y == (common.Hash{}) {
		return k, hint(fmt.Errorf("read key: %s holds no public key x, y", path), "aitbcd keys prove --operator ADDRESS --json writes it")
	}
	return k, nil
}

// consensus returns the address of the key.
func (k provenKey) consensus() common.Address {
	return common.BytesToAddress(crypto.Keccak256(k.X[:], k.Y[:]))
}

// proves reports whether the proof is the key's signature of the digest.
func (k provenKey) proves(digest common.Hash) bool {
	if len(k.Proof) != crypto.SignatureLength {
		return false
	}
	sig := bytes.Clone(k.Proof)
	if sig[64] >= 27 {
		sig[64] -= 27
	}
	public, err := crypto.SigToPub(digest[:], sig)
	return err == nil && crypto.PubkeyToAddress(*public) == k.consensus()
}

func (c *call) createValidator(ctx context.Context, keyFile, from string, candidacy predeploy.Candidacy) error {
	k, err := readKey(keyFile)
	if err != nil {
		return err
	}
	if from == "" && k.Operator != nil {
		from = k.Operator.Hex()
	}
	s, st, _, err := c.staker(ctx, "validator create", from)
	if err != nil {
		return err
	}
	h, err := newest(ctx, s.chain)
	if err != nil {
		return err
	}
	digest, err := st.KeyDigest(ctx, s.account, k.X, k.Y, h.at)
	if err != nil {
		return err
	}
	if !k.proves(digest) {
		return hint(fmt.Errorf("%s does not prove that the key belongs to %s on this chain", keyFile, s.account),
			"on the node's machine: aitbcd keys prove --operator %s --json", s.account)
	}
	candidacy.X, candidacy.Y, candidacy.Proof = k.X, k.Y, k.Proof
	c.sending(s, "creating a validator with "+candidacy.Stake.Coins())
	r, err := st.CreateValidator(ctx, s.sender, candidacy)
	if err != nil {
		return err
	}
	t := receiptOf(s, r)
	if c.json {
		return c.printJSON(struct {
			sent
			Operator  common.Address `json:"operator"`
			Consensus common.Address `json:"consensus"`
			Stake     market.Amount  `json:"stake"`
		}{t, s.account, k.consensus(), candidacy.Stake})
	}
	_, err = fmt.Fprintf(c.Stdout, "%s is a validator with %s %s\naitbc validator show %s says whether it is in the set\n", s.account.Hex(), candidacy.Stake.Coins(), t, s.account.Hex())
	return err
}

func (c *call) checkProof(ctx context.Context, operator string) error {
	k, err := readKey(c.args[0])
	if err != nil {
		return err
	}
	if operator == "" && k.Operator != nil {
		operator = k.Operator.Hex()
	}
	account, err := c.accountOf("validator prove", operator)
	if err != nil {
		return err
	}
	eth, err := c.chain()
	if err != nil {
		return err
	}
	h, err := newest(ctx, eth)
	if err != nil {
		return err
	}
	st := predeploy.NewStaking(eth)
	digest, err := st.KeyDigest(ctx, account, k.X, k.Y, h.at)
	if err != nil {
		return err
	}
	user, err := st.Operator(ctx, k.consensus(), h.at)
	if err != nil {
		return err
	}
	proven, used := k.proves(digest), user != (common.Address{})
	if c.json {
		err = c.printJSON(map[string]any{"operator": account, "consensus": k.consensus(), "digest": digest, "proven": proven, "used": used})
	} else {
		t := newTable(c.Stdout)
		t.row("operator", account.Hex())
		t.row("consensus key", k.consensus().Hex())
		t.row("digest", digest.Hex())
		t.row("proof", map[bool]string{true: "holds", false: "does not hold"}[proven])
		err = t.flush()
	}
	switch {
	case err != nil:
		return err
	case used:
		return hint(fmt.Errorf("the key was registered by %s", user), "a key can be registered once: make a new one on the node")
	case len(k.Proof) == 0:
		return hint(errors.New("the file has no proof"), "on the node's machine: aitbcd keys prove --operator %s --digest %s --json", account, digest)
	case !proven:
		return hint(errors.New("the proof is not this key's for that account and chain"), "on the node's machine: aitbcd keys prove --operator %s --digest %s --json", account, digest)
	}
	return nil
}
