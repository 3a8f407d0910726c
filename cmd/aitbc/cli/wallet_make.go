package cli

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/ethereum/go-ethereum/common"

	"github.com/aitbc/aitbc/api/walletapi"
)

func walletCreateCommand() command {
	return command{
		name: "create", args: "[NAME]", short: "make a wallet of a new phrase, which is shown once", max: 1,
		setup: func(fs *flag.FlagSet) runner {
			words := fs.Int("words", 24, "`number` of the phrase's words: 12, 15, 18, 21 or 24")
			file := fs.String("phrase-file", "", "`file` to write the phrase to, readable by you alone, instead of showing it")
			return func(ctx context.Context, c *call) error {
				w, err := c.wallets()
				if err != nil {
					return err
				}
				in := walletapi.CreateRequest{Name: nameOr(c.first()), Words: *words}
				if in.Passphrase, err = c.walletPassphrase("", "", true); err != nil {
					return err
				}
				var sink *os.File
				if *file != "" { // before the wallet is made: its phrase must not be lost
					if sink, err = os.OpenFile(*file, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600); err != nil {
						return fmt.Errorf("file of the phrase: %w", err)
					}
				}
				var out walletapi.CreateResponse
				if err := w.ask(ctx, "/v1/wallet/create", in, &out); err != nil {
					if sink != nil {
						return errors.Join(err, sink.Close(), os.Remove(*file))
					}
					return err
				}
				if sink != nil {
					_, err := fmt.Fprintln(sink, out.Mnemonic)
					if err := errors.Join(err, sink.Sync(), sink.Close()); err != nil {
						return err
					}
					out.Mnemonic = ""
				}
				return c.printMade(out.Wallet, out.Mnemonic, *file)
			}
		},
	}
}

func nameOr(name string) string {
	if name == "" {
		return "main"
	}
	return name
}

// printMade shows a new wallet, and its phrase if it is to be shown.
func (c *call) printMade(x walletapi.Wallet, mnemonic, file string) error {
	if c.json {
		return c.printJSON(struct {
			Wallet     walletapi.Wallet `json:"wallet"`
			Mnemonic   string           `json:"mnemonic,omitempty"`
			PhraseFile string           `json:"phrase_file,omitempty"`
		}{x, mnemonic, file})
	}
	fmt.Fprintf(c.Stdout, "wallet %s (%s)\naccount %s\n", x.Name, x.ID, x.Accounts[0].Address)
	if mnemonic != "" {
		fmt.Fprintf(c.Stdout, "\nWrite these words down, in this order. Who has them has the money, and without them\nnobody can help you:\n\n    %s\n", mnemonic)
	}
	return nil
}

func walletImportCommand() command {
	return command{
		name: "import", args: "[NAME]", short: "make a wallet of a phrase, a key file, a key or addresses", max: 1,
		long: `The phrase (--phrase) or the private key (--key) is read from standard input, the key
file from the file that --keystore names. --watch makes a wallet without keys;
--signer one whose keys another program has, for the addresses of --watch; --ledger
one whose keys are in the Ledger that is plugged in, with its Ethereum app open.`,
		setup: func(fs *flag.FlagSet) runner {
			var f importFlags
			fs.BoolVar(&f.phrase, "phrase", false, "read a BIP-39 phrase from standard input")
			fs.BoolVar(&f.key, "key", false, "read a private key, 64 hex digits, from standard input")
			fs.StringVar(&f.keystore, "keystore", "", "Web3 version 3 `file`")
			fs.StringVar(&f.keystorePass, "keystore-passphrase-file", "", "`file` with the key file's passphrase (default asked for)")
			fs.StringVar(&f.watch, "watch", "", "`addresses`, with commas between")
			fs.StringVar(&f.signer, "signer", "", "`URL` of the program that signs for the addresses of --watch")
			fs.BoolVar(&f.ledger, "ledger", false, "take the accounts of the Ledger that is plugged in")
			fs.IntVar(&f.accounts, "accounts", 1, "`number` of accounts of a phrase or a Ledger")
			return func(ctx context.Context, c *call) error { return c.walletImport(ctx, f) }
		},
	}
}

type importFlags struct {
	phrase, key, ledger    bool
	keystore, keystorePass string
	watch, signer          string
	accounts               int
}

func (c *call) walletImport(ctx context.Context, f importFlags) error {
	w, err := c.wallets()
	if err != nil {
		return err
	}
	in := walletapi.ImportRequest{Name: nameOr(c.first()), Signer: f.signer}
	if f.phrase || f.key {
		b, err := io.ReadAll(io.LimitReader(c.Stdin, 4096))
		if err != nil {
			return fmt.Errorf("read standard input: %w", err)
		}
		if f.phrase {
			in.Mnemonic, in.Accounts = strings.TrimSpace(string(b)), f.accounts
		} else {
			in.PrivateKey = strings.TrimSpace(string(b))
		}
	}
	if f.keystore != "" {
		if in.Keystore, err = os.ReadFile(f.keystore); err != nil {
			return fmt.Errorf("read key file: %w", err)
		}
		if in.KeystorePassphrase, err = c.walletPassphrase("The key file's own passphrase.", f.keystorePass, false); err != nil {
			return err
		}
	}
	if f.watch != "" {
		for text := range strings.SplitSeq(f.watch, ",") {
			a, err := address("wallet import", strings.TrimSpace(text))
			if err != nil {
				return err
			}
			in.Addresses = append(in.Addresses, a)
		}
	}
	if f.ledger {
		in.Signer, in.Accounts = "ledger", f.accounts
	}
	if len(in.Addresses) == 0 || f.signer != "" {
		if in.Passphrase, err = c.walletPassphrase("", "", true); err != nil {
			return err
		}
	}
	var out walletapi.Wallet
	if err := w.ask(ctx, "/v1/wallet/import", in, &out); err != nil {
		return err
	}
	return c.printMade(out, "", "")
}

func walletListCommand() command {
	return command{
		name: "list", short: "list the wallets and their accounts",
		setup: func(*flag.FlagSet) runner {
			return func(ctx context.Context, c *call) error {
				w, err := c.wallets()
				if err != nil {
					return err
				}
				var out walletapi.WalletList
				if err := w.ask(ctx, "/v1/wallet", nil, &out); err != nil {
					return err
				}
				if c.json {
					return c.printJSON(out)
				}
				t := newTable(c.Stdout)
				t.row("WALLET", "ID", "KIND", "STATE", "ACCOUNT", "ADDRESS")
				for _, x := range out.Wallets {
					state := "locked"
					if x.Unlocked {
						state = "unlocked until " + clock(x.UnlockedUntil)
					}
					for i, a := range x.Accounts {
						if i > 0 {
							x.Name, x.ID, x.Kind, state = "", "", "", ""
						}
						t.row(x.Name, x.ID, x.Kind, state, strings.TrimSpace(a.Path+" "+a.Name), a.Address.Hex())
					}
				}
				for _, d := range out.Damaged {
					t.row("damaged: " + d)
				}
				return t.flush()
			}
		},
	}
}

func walletAccountCommand() command {
	return managed("account", "derive one more account of the phrase", "", func(fs *flag.FlagSet) walletRun {
		name, code := fs.String("name", "", "what to call it"), proofFlags(fs)
		index := fs.Int("index", -1, "`number` of the account (default the next)")
		return func(ctx context.Context, c *call, w *wallets, x walletapi.Wallet) (err error) {
			in := walletapi.AccountRequest{Name: *name}
			if *index >= 0 {
				n := uint32(*index) //nolint:gosec // the daemon refuses what is too large
				in.Index = &n
			}
			if in.Proof, err = c.proof(*code); err != nil {
				return err
			}
			var out walletapi.Wallet
			if err := w.ask(ctx, "/v1/wallet/"+x.ID+"/accounts", in, &out); err != nil {
				return err
			}
			made := out.Accounts[len(out.Accounts)-1]
			if c.json {
				return c.printJSON(made)
			}
			_, err = fmt.Fprintln(c.Stdout, made.Address.Hex())
			return err
		}
	})
}

// optionalAddress parses an account that may be left out.
func optionalAddress(command, s string) (*common.Address, error) {
	if s == "" {
		return nil, nil
	}
	a, err := address(command, s)
	return &a, err
}
