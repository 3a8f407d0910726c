package cli

import (
	"bytes"
	"cmp"
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/ethereum/go-ethereum/common"

	"github.com/aitbc/aitbc/contracts"
	"github.com/aitbc/aitbc/receipt"
	"github.com/aitbc/aitbc/receipt/light"
)

// maxTrustFile bounds a genesis or trust file.
const maxTrustFile = 256 << 20

func trustCommand() command {
	return command{
		name: "trust", short: "print what verify trusts: chain id, height and validators' hash of this home's genesis",
		long: "The output is a file for aitbc verify --trust on a machine without this home.",
		setup: func(*flag.FlagSet) runner {
			return func(_ context.Context, c *call) error {
				t, err := c.trust("")
				if err != nil {
					return err
				}
				return c.printJSON(t)
			}
		},
	}
}

// trust reads what to trust from the file, else from the genesis of the home.
func (c *call) trust(file string) (receipt.Trust, error) {
	if file != "" {
		raw, err := readBounded(file)
		if err != nil {
			return receipt.Trust{}, fmt.Errorf("read trust: %w", err)
		}
		var t receipt.Trust
		d := json.NewDecoder(bytes.NewReader(raw))
		d.DisallowUnknownFields()
		if err := d.Decode(&t); err != nil {
			return receipt.Trust{}, fmt.Errorf("read trust: %s: %w", file, err)
		}
		if t.ChainID == 0 || t.CometID == "" || t.Height == 0 || t.ValidatorsHash == (common.Hash{}) || t.Registry == (common.Address{}) || t.Market == (common.Address{}) {
			return receipt.Trust{}, fmt.Errorf("read trust: %s: all of chain_id, comet_chain_id, height, validators_hash, registry and market are needed", file)
		}
		return t, nil
	}
	n, err := c.network()
	if err != nil {
		return receipt.Trust{}, err
	}
	raw, err := readBounded(n.GenesisFile())
	if errors.Is(err, fs.ErrNotExist) {
		return receipt.Trust{}, hint(fmt.Errorf("%s has no genesis to trust", n.Home), "name the home of your network with --home, or a file with --trust")
	}
	if err != nil {
		return receipt.Trust{}, fmt.Errorf("read genesis: %w", err)
	}
	t, err := genesisTrust(raw)
	if err != nil {
		return receipt.Trust{}, fmt.Errorf("read genesis: %s: %w", n.GenesisFile(), err)
	}
	return t, nil
}

func readBounded(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if info.Size() > maxTrustFile {
		return nil, fmt.Errorf("%s is larger than %d bytes", path, maxTrustFile)
	}
	return os.ReadFile(path) //nolint:gosec // the user names the file
}

// genesisTrust takes the chain id and the first validators from a genesis file.
func genesisTrust(raw []byte) (receipt.Trust, error) {
	var g struct {
		ChainID       string `json:"chain_id"`
		InitialHeight uint64 `json:"initial_height,string"`
		Validators    []struct {
			PubKey struct {
				Value []byte `json:"value"`
			} `json:"pub_key"`
			Power uint64 `json:"power,string"`
		} `json:"validators"`
	}
	if err := json.Unmarshal(raw, &g); err != nil {
		return receipt.Trust{}, err
	}
	text, ok := strings.CutPrefix(g.ChainID, "aitbc-")
	id, err := strconv.ParseUint(text, 10, 64)
	if !ok || err != nil {
		return receipt.Trust{}, fmt.Errorf("chain id %q is not aitbc-NUMBER", printable(g.ChainID))
	}
	if len(g.Validators) == 0 {
		return receipt.Trust{}, errors.New("no validators")
	}
	type member struct {
		light.Validator
		address common.Address
	}
	var set []member
	for i, v := range g.Validators {
		m := member{Validator: light.Validator{Key: v.PubKey.Value, Power: v.Power}}
		if m.address, err = m.Address(); err != nil {
			return receipt.Trust{}, fmt.Errorf("validator %d: %w", i, err)
		}
		set = append(set, m)
	}
	// The order that the hash is over: the most powerful first, then by address.
	slices.SortFunc(set, func(a, b member) int {
		return cmp.Or(cmp.Compare(b.Power, a.Power), a.address.Cmp(b.address))
	})
	var ordered []light.Validator
	for _, m := range set {
		ordered = append(ordered, m.Validator)
	}
	return receipt.Trust{
		ChainID: id, CometID: g.ChainID, Height: max(g.InitialHeight, 1), ValidatorsHash: light.ValidatorsHash(ordered),
		Registry: contracts.RegistryAddress, Market: contracts.MarketAddress,
	}, nil
}

func shortHash(h common.Hash) string { return "0x" + hex.EncodeToString(h[:8]) + "…" }
