package cli

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"

	"github.com/ethereum/go-ethereum/common"

	"github.com/aitbc/aitbc/httpx"
	"github.com/aitbc/aitbc/internal/atomicfile"
	"github.com/aitbc/aitbc/internal/home"
	"github.com/aitbc/aitbc/internal/secret"
	"github.com/aitbc/aitbc/miner/settings"
	"github.com/aitbc/aitbc/wallet/keystore"
)

type initFlags struct {
	offset           int
	coordinator, rpc string
	address, key     string
	servers          []string
	yes, detect      bool
}

func initCommand() command {
	return command{name: "init", short: "Make a key and the miner's settings", setup: func(fs *flag.FlagSet) func(context.Context, *call) error {
		var f initFlags
		fs.IntVar(&f.offset, "port-offset", 0, "shift every port by `N`")
		fs.StringVar(&f.coordinator, "coordinator", "", "coordinator's `URL` (default http://127.0.0.1:18000, shifted)")
		fs.StringVar(&f.rpc, "rpc", "", "`URL` of the chain's Ethereum JSON-RPC (default http://127.0.0.1:8545, shifted)")
		fs.StringVar(&f.address, "address", "", "use this key of the keystore rather than a new one")
		fs.StringVar(&f.key, "import", "", "take the private key in this `file`, as 64 hex digits, rather than a new one")
		fs.BoolVar(&f.detect, "detect", false, "look for model servers on this machine, and offer what they have at the price that is proposed")
		fs.Func("server", "look for models at this `URL`, such as http://127.0.0.1:11434/v1; may be repeated", func(s string) error {
			f.servers = append(f.servers, s)
			return nil
		})
		fs.BoolVar(&f.yes, "yes", false, "ask nothing: make a random passphrase and keep it in a file of mode 0600")
		return func(ctx context.Context, c *call) error { return c.init(ctx, f) }
	}}
}

// init writes the settings, and a key if none is named.
func (c *call) init(ctx context.Context, f initFlags) error {
	file := settings.File(c.home)
	if _, err := os.Stat(file); err == nil {
		return &hinted{fmt.Errorf("%s exists already", file), "edit it, or move it away and run init again"}
	} else if !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("look for settings: %w", err)
	}
	who := c.person(f.yes)
	initial, err := f.initial(who)
	if err != nil {
		return err
	}
	if initial.Engines, err = f.engines(ctx, who, initial.Coordinator); err != nil {
		return err
	}
	if err := home.Make(string(c.home), c.home.Miner(), c.home.Keystore(), c.home.Secrets()); err != nil {
		return err
	}
	if f.address != "" {
		initial.Address, err = c.existing(f.address)
	} else {
		initial.Address, initial.PassphraseFile, err = c.create(f)
	}
	if err != nil {
		return err
	}
	if err := atomicfile.Write(file, []byte(initial.Text()), 0o600); err != nil {
		return err
	}
	offered := []string{"aitbc-tiny"}
	for _, e := range initial.Engines {
		offered = append(offered, e.Models...)
	}
	return c.print(map[string]any{"address": initial.Address, "config": file, "keystore": c.home.Keystore(), "models": offered},
		fmt.Sprintf("miner     %s\nsettings  %s\nkeystore  %s\nmodels    %s\n\nNext: send it 10000 AITBC for its stake and a little for fees, then run aitbc-miner start\n",
			initial.Address, file, c.home.Keystore(), strings.Join(offered, ", ")))
}

// initial returns the settings with the addresses that differ from the usual ones.
func (f initFlags) initial(who *interview) (settings.Initial, error) {
	i := settings.Initial{PortOffset: f.offset}
	if f.address != "" && f.key != "" {
		return i, &usageError{"--address and --import exclude each other"}
	}
	if who != nil && f.coordinator == "" {
		usual, err := home.Loopback(home.PortCoordinator, f.offset)
		if err != nil {
			return i, &usageError{err.Error()}
		}
		if f.coordinator, err = who.coordinator("http://" + usual); err != nil {
			return i, err
		}
	}
	for _, u := range []struct {
		given string
		port  int
		set   *string
	}{{f.coordinator, home.PortCoordinator, &i.Coordinator}, {f.rpc, home.PortEthRPC, &i.RPC}} {
		usual, err := home.Loopback(u.port, f.offset)
		if err != nil {
			return i, &usageError{err.Error()}
		}
		if u.given == "" || u.given == "http://"+usual {
			continue
		}
		if _, err := httpx.NewClient(u.given); err != nil {
			return i, &usageError{err.Error()}
		}
		*u.set = u.given
	}
	return i, nil
}

func (c *call) existing(address string) (common.Address, error) {
	if !common.IsHexAddress(address) {
		return common.Address{}, &usageError{fmt.Sprintf("address %q: want 0x and 40 hex digits", address)}
	}
	a := common.HexToAddress(address)
	store, err := keystore.Open(c.home.Keystore(), keystore.Standard())
	if err != nil {
		return a, err
	}
	all, err := store.List()
	if err != nil {
		return a, err
	}
	if !slices.Contains(all, a) {
		return a, &hinted{fmt.Errorf("%s: %w in %s", a, keystore.ErrNotFound, c.home.Keystore()), "without --address, init makes a new key"}
	}
	return a, nil
}

// create makes a key, under the owner's passphrase or a random one in a file.
func (c *call) create(f initFlags) (common.Address, string, error) {
	yes := f.yes
	cost, file := keystore.Standard(), ""
	pass, err := keystore.Passphrase(keystore.PassphraseSource{Env: c.Getenv, In: c.terminal(yes), Out: c.Stderr, Confirm: true})
	if errors.Is(err, keystore.ErrNoPassphrase) {
		if !yes {
			return common.Address{}, "", &hinted{err, "or give --yes for a random passphrase in a file"}
		}
		// A light cost is enough for 128 random bits that lie beside.
		cost, file, pass = keystore.Light(), c.home.Path("secrets", "miner-passphrase"), secret.New(rand.Text())
		err = secret.WriteFile(file, pass)
	}
	if err != nil {
		return common.Address{}, "", err
	}
	store, err := keystore.Open(c.home.Keystore(), cost)
	if err != nil {
		return common.Address{}, "", err
	}
	k, err := f.make(store, pass)
	if err != nil {
		return common.Address{}, "", err
	}
	return k.Address(), cmp.Or(file, c.Getenv(keystore.PassphraseFileVariable)), nil
}

// make adds a key to the store: a new one, or the one that is to be imported.
func (f initFlags) make(store *keystore.Store, pass secret.Text) (*keystore.Key, error) {
	if f.key == "" {
		return store.Create(pass)
	}
	file, err := os.Open(f.key)
	if err != nil {
		return nil, fmt.Errorf("import: %w", err)
	}
	defer func() { _ = file.Close() }() // it was read
	return store.Import(file, pass)
}

// engines returns what is to be offered of the model servers that were found.
func (f initFlags) engines(ctx context.Context, who *interview, coordinator string) ([]settings.Engine, error) {
	servers := f.servers
	if f.detect || who != nil {
		servers = append(slices.Clone(servers), usualServers...)
	}
	if len(servers) == 0 {
		return nil, nil
	}
	if coordinator == "" {
		usual, err := home.Loopback(home.PortCoordinator, f.offset)
		if err != nil {
			return nil, err
		}
		coordinator = "http://" + usual
	}
	found := detect(ctx, servers, coordinator)
	if who != nil {
		who.machine(ctx)
		return who.offers(found)
	}
	var engines []settings.Engine
	for _, p := range found {
		engines = append(engines, p.engine)
	}
	return engines, nil
}

// terminal returns where to ask, nil to ask nothing.
func (c *call) terminal(yes bool) *os.File {
	if yes {
		return nil
	}
	return c.Stdin
}
