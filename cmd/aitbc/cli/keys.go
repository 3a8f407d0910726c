package cli

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"

	"github.com/ethereum/go-ethereum/common"

	"github.com/aitbc/aitbc/internal/secret"
	"github.com/aitbc/aitbc/wallet/keystore"
)

func keysCommand() command {
	return command{name: "keys", short: "create, import and list account keys", subs: []command{
		{
			name: "create", short: "make a new key in the home's keystore",
			long:  keysHelp,
			setup: func(*flag.FlagSet) runner { return func(_ context.Context, c *call) error { return c.addKey(false) } },
		},
		{
			name: "import", short: "store a private key read from standard input, as 64 hex digits",
			long:  keysHelp,
			setup: func(*flag.FlagSet) runner { return func(_ context.Context, c *call) error { return c.addKey(true) } },
		},
		{
			name: "list", short: "list the addresses of the home's keystore",
			setup: func(*flag.FlagSet) runner { return func(_ context.Context, c *call) error { return c.listKeys() } },
		},
	}}
}

const keysHelp = `Keys are kept encrypted (Web3 v3). The passphrase comes from the file that
AITBC_PASSPHRASE_FILE names, else from the home's own if aitbc up made one, else
it is asked for.`

func (c *call) keystore() (*keystore.Store, error) {
	dir, err := c.home()
	if err != nil {
		return nil, err
	}
	return keystore.Open(dir.Keystore(), keystore.Standard())
}

// passphrase finds the passphrase of the home's keys. The home's own file, which
// aitbc up makes, counts where nothing else is said.
func (c *call) passphrase(confirm bool) (secret.Text, error) {
	n, err := c.network()
	if err != nil {
		return secret.Text{}, err
	}
	src := keystore.PassphraseSource{Env: c.Getenv, Out: c.Stderr, Confirm: confirm}
	if f, ok := c.Stdin.(*os.File); ok {
		src.In = f
	}
	if c.Getenv(keystore.PassphraseFileVariable) == "" {
		if _, err := os.Stat(n.PassphraseFile()); err == nil {
			src.File = n.PassphraseFile()
		}
	}
	return keystore.Passphrase(src)
}

// unlock decrypts the key of an account of the home.
func (c *call) unlock(a common.Address) (*keystore.Key, error) {
	store, err := c.keystore()
	if err != nil {
		return nil, err
	}
	pass, err := c.passphrase(false)
	if err != nil {
		return nil, err
	}
	k, err := store.Unlock(a, pass)
	if errors.Is(err, keystore.ErrNotFound) {
		return nil, hint(err, "aitbc keys list shows the keys there are")
	}
	return k, err
}

func (c *call) addKey(imported bool) error {
	store, err := c.keystore()
	if err != nil {
		return err
	}
	pass, err := c.passphrase(true)
	if err != nil {
		return err
	}
	var k *keystore.Key
	if imported {
		k, err = store.Import(c.Stdin, pass)
	} else {
		k, err = store.Create(pass)
	}
	if err != nil {
		return err
	}
	if c.json {
		return c.printJSON(map[string]common.Address{"address": k.Address()})
	}
	_, err = fmt.Fprintln(c.Stdout, k.Address().Hex())
	return err
}

func (c *call) listKeys() error {
	store, err := c.keystore()
	if err != nil {
		return err
	}
	all, err := store.List()
	if err != nil {
		return err
	}
	if c.json {
		return c.printJSON(append([]common.Address{}, all...))
	}
	for _, a := range all {
		fmt.Fprintln(c.Stdout, a.Hex())
	}
	return nil
}
