package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	"github.com/ethereum/go-ethereum/common"

	"github.com/aitbc/aitbc/api"
	"github.com/aitbc/aitbc/api/client"
	"github.com/aitbc/aitbc/cmd/aitbc/devnet"
	"github.com/aitbc/aitbc/internal/home"
	"github.com/aitbc/aitbc/internal/secret"
)

// Variables that say which network a client talks to, as aitbc env prints them.
const (
	envAPIURL    = "AITBC_API_URL"
	envAPIKey    = "AITBC_API_KEY" //nolint:gosec // the name of a variable
	envRPCURL    = "AITBC_RPC_URL"
	envEthRPCURL = "AITBC_ETH_RPC_URL"
	envOffset    = "AITBC_PORT_OFFSET"
	envWalletURL = "AITBC_WALLET_URL"
	envWalletKey = "AITBC_WALLET_KEY"
	envWalletCap = "AITBC_WALLET_CAPABILITY" // of aitbc wallet unlock
)

func (c *call) home() (home.Dir, error) { return home.Resolve(c.homeFlag, c.Getenv) }

// network finds the network of this call: its home, and its ports by the flag,
// else the environment, else what the home remembers.
func (c *call) network() (devnet.Network, error) {
	dir, err := c.home()
	if err != nil {
		return devnet.Network{}, err
	}
	n, err := devnet.Load(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return n, err
	}
	n.Home = dir
	switch text := c.Getenv(envOffset); {
	case c.offsetFlag >= 0:
		n.PortOffset = c.offsetFlag
	case text != "":
		if n.PortOffset, err = parseOffset(text); err != nil {
			return n, fmt.Errorf("%s: %w", envOffset, err)
		}
	}
	return n, nil
}

// pinned reports whether the command line itself says which network is meant;
// the variables of aitbc env then do not count.
func (c *call) pinned() bool { return c.homeFlag != "" || c.offsetFlag >= 0 }

// url returns the variable's value unless flags name a network, whose own URL it is then.
func (c *call) url(variable string, own func(devnet.Network) string) (string, error) {
	if v := c.Getenv(variable); v != "" && !c.pinned() {
		return v, nil
	}
	n, err := c.network()
	if err != nil {
		return "", err
	}
	return own(n), nil
}

// api returns a client of the coordinator without a key.
func (c *call) api() (*client.Client, error) {
	base, err := c.url(envAPIURL, devnet.Network.APIURL)
	if err != nil {
		return nil, err
	}
	return client.New(base, secret.Text{})
}

// account returns a client of the coordinator with the API key.
func (c *call) account() (*client.Client, error) {
	base, err := c.url(envAPIURL, devnet.Network.APIURL)
	if err != nil {
		return nil, err
	}
	key := secret.New(c.Getenv(envAPIKey))
	if key.Empty() || c.pinned() {
		n, err := c.network()
		if err != nil {
			return nil, err
		}
		if key, err = secret.ReadFile(n.ClientKeyFile()); errors.Is(err, fs.ErrNotExist) {
			return nil, hint(errors.New("there is no API key"), "set %s, or run aitbc up or aitbc session open, which store one in %s", envAPIKey, n.ClientKeyFile())
		} else if err != nil {
			return nil, err
		}
	}
	return client.New(base, key)
}

// current returns the coordinator and how the session of the API key stands.
func (c *call) current(ctx context.Context) (*client.Client, api.Account, error) {
	remote, err := c.account()
	if err != nil {
		return nil, api.Account{}, err
	}
	a, err := remote.Account(ctx)
	return remote, a, err
}

// hash parses a job or receipt id.
func hash(command, what, s string) (common.Hash, error) {
	b := common.FromHex(s)
	if len(s) != 66 || len(b) != common.HashLength {
		return common.Hash{}, usagef(command, "%s %q is not 0x and 64 hex digits", what, printable(s))
	}
	return common.Hash(b), nil
}

// address parses an account.
func address(command, s string) (common.Address, error) {
	if !common.IsHexAddress(s) || len(s) != 42 {
		return common.Address{}, usagef(command, "address %q is not 0x and 40 hex digits", printable(s))
	}
	return common.HexToAddress(s), nil
}
