package cli

import (
	"context"
	"fmt"
	"strings"

	"github.com/aitbc/aitbc/contracts"
	"github.com/ethereum/go-ethereum/common"

	"github.com/aitbc/aitbc/chain/genesis"
	"github.com/aitbc/aitbc/chain/home"
)

// keysHelp is what "aitbcd keys" alone says.
const keysHelp = `aitbcd keys shows what is public of this node's keys. The keys themselves lie in secrets/ of its home.

usage: aitbcd keys WORD [flags]
  show       addresses, public key, and what peers put into their configuration
  validator  only the consensus key: its address and its public key x, y
  prove      sign that the consensus key belongs to --operator, for Staking.createValidator
`

// shownKeys are the public halves of a home's keys.
type shownKeys struct {
	Home      string         `json:"home"`
	Validator common.Address `json:"validator"`
	home.PublicKey
	NodeID string `json:"node_id"`
	Peer   string `json:"peer"`
}

func keys(_ context.Context, c *call) error {
	if len(c.Args) < 2 || strings.HasPrefix(c.Args[1], "-") {
		if len(c.Args) > 1 && strings.Contains(c.Args[1], "help") || len(c.Args) > 1 && c.Args[1] == "-h" {
			fmt.Fprint(c.Stderr, keysHelp)
			return nil
		}
		return fmt.Errorf("%w: aitbcd keys needs one of show, validator, prove", errUsage)
	}
	word := c.Args[1]
	c.Args = c.Args[1:]
	switch word {
	case "show", "validator":
		return showKeys(c, word == "show")
	case "prove":
		return prove(c)
	default:
		return fmt.Errorf("%w: aitbcd keys has no %q: it has show, validator, prove", errUsage, word)
	}
}

// openKeys reads the keys of the home that the flags name.
func openKeys(c *call) (home.Home, home.Keys, error) {
	h, err := c.folder()
	if err != nil {
		return "", home.Keys{}, err
	}
	if err := exists(h); err != nil {
		return "", home.Keys{}, err
	}
	k, err := h.Open()
	return h, k, err
}

func showKeys(c *call, all bool) error {
	if err := c.parse(); err != nil {
		return err
	}
	h, k, err := openKeys(c)
	if err != nil {
		return err
	}
	_, conf, err := c.settings()
	if err != nil {
		return err
	}
	out := shownKeys{Home: string(h), NodeID: string(k.Node.ID())}
	if out.Validator, err = k.Address(); err != nil {
		return err
	}
	if out.PublicKey, err = k.PublicKey(); err != nil {
		return err
	}
	out.Peer = out.NodeID + "@" + conf.Listen.P2P
	switch {
	case *c.json && all:
		return c.print(out)
	case *c.json:
		return c.print(struct {
			Validator common.Address `json:"validator"`
			home.PublicKey
		}{out.Validator, out.PublicKey})
	}
	fmt.Fprintf(c.Stdout, "validator  %s\nx          %s\ny          %s\n", out.Validator, out.X, out.Y)
	if all {
		fmt.Fprintf(c.Stdout, "node id    %s\npeer       %s\n", out.NodeID, out.Peer)
	}
	return nil
}

func prove(c *call) error {
	operator := c.flags.String("operator", "", "the account that will call Staking.createValidator")
	digest := c.flags.String("digest", "", "what Staking.keyDigest answers: refuse to sign if it is another")
	if err := c.parse(); err != nil {
		return err
	}
	if !common.IsHexAddress(*operator) || len(*operator) != 42 {
		return fmt.Errorf("%w: --operator must be an address of 0x and 40 hex digits", errUsage)
	}
	h, k, err := openKeys(c)
	if err != nil {
		return err
	}
	_, state, err := genesis.Load(h.Genesis())
	if err != nil {
		return err
	}
	p, err := k.Prove(state.ChainID().Uint64(), contracts.StakingAddress, common.HexToAddress(*operator))
	if err != nil {
		return err
	}
	if *digest != "" && !strings.EqualFold(*digest, p.Digest.Hex()) {
		return fmt.Errorf("the proof for %s on chain %s is of %s, not of %s: another chain, operator or key", p.Operator, state.CometID(), p.Digest, *digest)
	}
	if *c.json {
		return c.print(p)
	}
	fmt.Fprintf(c.Stdout, "operator  %s\nx         %s\ny         %s\ndigest    %s\nproof     %s\n", p.Operator, p.X, p.Y, p.Digest, p.Proof)
	return nil
}
